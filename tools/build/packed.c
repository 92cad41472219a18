/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF kernel in a bzImage. Its headers are unpacked first, by which it is planned; the rest on its way into the guest: never more than a
 * window of it is in memory, and nothing but the head is unpacked twice.
 */
#include "parts.h"

bool packed_open(const struct blob *b, struct build_plan *plan, struct blob *head, struct fault *f)
{
	struct packed_kernel *p = plan_alloc(plan, sizeof(*p), f);
	size_t n = sizeof(p->head);

	if (!p || !bzimage_find(b, &p->bzimage, f) ||
	    !unpack_head(&p->bzimage.payload, p->bzimage.tail, p->bzimage.size, p->head, &n, f))
		return false;
	*head = (struct blob){ b->name, p->head, n, false };
	if (!elf_is(head))
		return fault_set(f, F_KERNEL_FORMAT, "%s: bzImage: its payload is not an ELF file",
				 b->name);
	plan->packed = p;
	plan->kernel_kind = p->bzimage.format;
	return true;
}

struct pouring {
	struct packed_kernel *kernel;
	build_put_fn *put;
	void *ctx;
};

/* The part of [at, at + n) that belongs to `s`. */
static bool pour_segment(const struct pouring *x, const struct elf_segment *s, uint64_t at,
			 const uint8_t *data, size_t n, struct fault *f)
{
	uint64_t from = s->offset > at ? s->offset : at;
	uint64_t end = s->offset + s->file_size < at + n ? s->offset + s->file_size : at + n;

	return from >= end || !x->put ||
	       x->put(x->ctx, s->to + (from - s->offset), data + (from - at), (size_t)(end - from),
		      f);
}

static bool pour(void *ctx, uint64_t at, const uint8_t *data, size_t n, struct fault *f)
{
	const struct pouring *x = ctx;
	struct elf_kernel *k = &x->kernel->elf;

	elf_take_notes(k, at, data, n);
	for (uint32_t i = 0; i < k->nr; i++)
		if (!pour_segment(x, &k->segment[i], at, data, n, f))
			return false;
	return true;
}

bool build_unpack(struct build_plan *plan, build_put_fn *put, void *ctx, struct fault *f)
{
	struct packed_kernel *p = plan->packed;
	struct pouring x = { p, put, ctx };

	if (!p)
		return true;
	if (!bzimage_unpack(&p->bzimage, pour, &x, f) ||
	    !elf_entry(&p->elf, p->bzimage.payload.name, f))
		return false;
	plan->entry = p->elf.entry;
	return true;
}
