/* SPDX-License-Identifier: Apache-2.0 */
/* Populating and copying, in batches that are small enough for a signal to be noticed between them. */
#include "fill.h"
#include "lib/hcall/domctl.h"
#include "parts.h"
#include <errno.h>
#include <stdio.h>

#define SUPERPAGE_ORDER 9u
#define SUPERPAGE       ((uint64_t)BUILD_PAGE << SUPERPAGE_ORDER)
#define BATCH           256u
#define PORTION         (16 * MIB) /* of a file, between two looks at who watches */

bool hypervisor_fault(struct hcall *h, int err, const char *what, struct fault *f)
{
	char reason[256];

	if (hcall_reason(h, reason, sizeof(reason)) == 0 && reason[0])
		return fault_set(f, F_HYPERVISOR, "%s: %s", what, reason);
	return fault_set(f, F_HYPERVISOR, "%s: the hypervisor refuses it: %s", what, strerror(-err));
}

/* ---- memory ---------------------------------------------------------------------------------------- */

struct filling {
	struct hcall *h;
	struct fmem *m;
	uint16_t domid;
	const struct watch *w;
	enum build_arch arch;
	uint64_t unpacked, packed; /* bytes of the kernel: so far, in all */
	struct fault *f;
	bool small; /* no more large extents are to be had */
};

/* Up to BATCH extents from `at` on: how many; negative: an error. */
static long populate(struct filling *x, uint64_t at, uint64_t n, unsigned order)
{
	uint64_t gfn[BATCH];
	unsigned batch = n < BATCH ? (unsigned)n : BATCH;

	for (unsigned i = 0; i < batch; i++)
		gfn[i] = at / BUILD_PAGE + ((uint64_t)i << order);
	return hcall_populate(x->h, x->domid, gfn, batch, order);
}

/* One step from *at on: as many large extents as a batch has, or small ones up to the next place for a large one. */
static bool populate_step(struct filling *x, const struct build_range *bank, uint64_t *at)
{
	uint64_t end = bank->start + bank->size, large = (end - *at) / SUPERPAGE, next = end;
	char what[80];
	long done;

	if (*at % SUPERPAGE == 0 && large && !x->small) {
		done = populate(x, *at, large, SUPERPAGE_ORDER);
		if (done > 0)
			*at += (uint64_t)done * SUPERPAGE;
		else
			x->small = true; /* perhaps there are small ones */
		return true;
	}
	if (!x->small && ROUND_UP_TO(*at, SUPERPAGE) < end)
		next = ROUND_UP_TO(*at, SUPERPAGE);
	done = populate(x, *at, (next - *at) / BUILD_PAGE, 0);
	if (done > 0) {
		*at += (uint64_t)done * BUILD_PAGE;
		return true;
	}
	snprintf(what, sizeof(what), "memory at %#llx of %llu MiB", (unsigned long long)*at,
		 (unsigned long long)(bank->size / MIB));
	return hypervisor_fault(x->h, done ? (int)done : -ENOMEM, what, x->f);
}

static bool populate_banks(struct filling *x, const struct build_plan *plan)
{
	uint64_t before = 0, total = 0;

	for (uint32_t i = 0; i < plan->nr_banks; i++)
		total += plan->bank[i].size;
	for (uint32_t i = 0; i < plan->nr_banks; i++) {
		const struct build_range *bank = &plan->bank[i];

		for (uint64_t at = bank->start; at < bank->start + bank->size;)
			if (!populate_step(x, bank, &at) ||
			    !watch_step(x->w, "memory", before + at - bank->start, total, x->f))
				return false;
		before += bank->size;
	}
	return true;
}

/* ---- contents -------------------------------------------------------------------------------------- */

static bool map_failed(struct filling *x, const char *what, uint64_t at)
{
	return fault_set(x->f, F_HYPERVISOR, "%s: guest memory at %#llx cannot be mapped: %s", what,
			 (unsigned long long)at, strerror(errno));
}

/* `n` bytes of `data` to `at`, which need not begin on a page; one batch of frames. */
static bool copy(struct filling *x, const char *what, uint64_t at, const uint8_t *data, size_t n)
{
	uint64_t gfn[BATCH];
	unsigned offset = at % BUILD_PAGE;
	unsigned frames = (unsigned)((offset + n + BUILD_PAGE - 1) / BUILD_PAGE);
	uint8_t *p;

	for (unsigned i = 0; i < frames; i++)
		gfn[i] = at / BUILD_PAGE + i;
	p = fmem_map(x->m, x->domid, gfn, frames);
	if (!p)
		return map_failed(x, what, at);
	memcpy(p + offset, data, n);
	fmem_unmap(x->m, p, frames);
	return true;
}

static bool filled(struct filling *x, const struct build_piece *p, int err)
{
	if (err == -EFAULT)
		return fault_set(x->f, F_KERNEL_TRUNCATED, "the file of the %s became shorter",
				 p->what);
	return err == 0 || hypervisor_fault(x->h, err, p->what, x->f);
}

/* From here, where the hypervisor has no call for it. */
static bool copy_piece(struct filling *x, const struct build_piece *p)
{
	size_t done = 0;
	int err = fmem_fill(x->m, x->domid, p->at.start, p->data, p->file_size);

	if (err != -EOPNOTSUPP)
		return filled(x, p, err);
	while (done < p->file_size) {
		size_t room = (size_t)BATCH * BUILD_PAGE - (p->at.start + done) % BUILD_PAGE;
		size_t n = p->file_size - done < room ? p->file_size - done : room;

		if (!copy(x, p->what, p->at.start + done, p->data + done, n))
			return false;
		done += n;
		if (!watch_step(x->w, p->what, done, p->file_size, x->f))
			return false;
	}
	return true;
}

static bool clean_piece(struct filling *x, const struct build_piece *p)
{
	uint64_t first = p->at.start / BUILD_PAGE;
	uint64_t last = (p->at.start + p->file_size + BUILD_PAGE - 1) / BUILD_PAGE;
	int err = hcall_cacheflush(x->h, x->domid, first, last - first);

	return err == 0 || hypervisor_fault(x->h, err, p->what, x->f);
}

/* A page of its own; memory that a domain gets is clear. */
static bool populate_shared(struct filling *x, uint64_t gfn, const char *what)
{
	long done = hcall_populate(x->h, x->domid, &gfn, 1, 0);

	return done == 1 || hypervisor_fault(x->h, done < 0 ? (int)done : -ENOMEM, what, x->f);
}

/* A piece that is the part of `all` bytes behind `before` of them. */
static bool fill_part(struct filling *x, const struct build_piece *p, uint64_t before, uint64_t all)
{
	size_t done = 0, n;
	int err = 0;

	while (!err && done < p->file_size) {
		n = p->file_size - done < PORTION ? p->file_size - done : PORTION;
		err = hcall_fill(x->h, x->domid, p->at.start + done, p->data + done, n);
		done += n;
		if (!err && !watch_step(x->w, p->what, before + done, all, x->f))
			return false;
	}
	if (err != -EOPNOTSUPP)
		return filled(x, p, err);
	return copy_piece(x, p) && (x->arch != BUILD_ARM64 || clean_piece(x, p));
}

static bool put_kernel(void *ctx, uint64_t to, const uint8_t *data, size_t n, struct fault *f)
{
	const struct build_piece part = { "kernel", { to, n }, data, n };
	struct filling *x = ctx;
	uint64_t before = x->unpacked;

	(void)f; /* x->f */
	x->unpacked += n;
	return fill_part(x, &part, before, x->packed);
}

static bool fill_pieces(struct filling *x, const struct build_plan *plan)
{
	for (uint32_t i = 0; i < plan->nr_pieces; i++) {
		const struct build_piece *p = &plan->piece[i];

		if (!p->data)
			x->packed += p->file_size;
		else if (!fill_part(x, p, 0, p->file_size))
			return false;
	}
	return true;
}

bool build_fill(struct hcall *h, struct fmem *m, uint16_t domid, struct build_plan *plan,
		const struct watch *w, struct fault *f)
{
	struct filling x = { .h = h, .m = m, .domid = domid, .w = w, .arch = plan->arch, .f = f };

	return populate_banks(&x, plan) &&
	       populate_shared(&x, plan->console_gfn, "the console's page") &&
	       populate_shared(&x, plan->store_gfn, "the store's page") && fill_pieces(&x, plan) &&
	       build_unpack(plan, put_kernel, &x, f);
}
