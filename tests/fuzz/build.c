/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain builder's planning. Four bytes say which architecture, how much memory and how the rest is meant: as the kernel, as a partial
 * device tree beside a sound Image, or as the packed part of a bzImage. A plan's pieces lie inside its memory and apart (the builder
 * asserts it) and can be read; a refusal says why.
 */
#include "build/build.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	while (n--) {
		*p++ = (uint8_t)v;
		v >>= 8;
	}
}

/* What the packed part of a bzImage lies in, so that the fuzzer need not find the header. */
static uint8_t *wrap(const uint8_t *payload, size_t n, size_t *size)
{
	size_t code = (n + 15) & ~(size_t)15;
	uint8_t *p = calloc(1, 1024 + code);

	if (!p)
		abort();
	p[0x1f1] = 1;
	put(p + 0x1f4, code / 16, 4);
	put(p + 0x1fe, 0xaa55, 2);
	memcpy(p + 0x202, "HdrS", 4);
	put(p + 0x206, 0x20f, 2);
	put(p + 0x24c, n, 4);
	memcpy(p + 1024, payload, n);
	*size = 1024 + code;
	return p;
}

static volatile uint8_t sink;

static bool read_it(void *ctx, uint64_t to, const uint8_t *data, size_t n, struct fault *f)
{
	const struct build_plan *plan = ctx;
	bool inside = false;

	for (uint32_t i = 0; i < plan->nr_pieces; i++) {
		const struct build_piece *p = &plan->piece[i];

		inside |= !p->data && to >= p->at.start && to - p->at.start <= p->file_size &&
			  n <= p->file_size - (to - p->at.start);
	}
	if (!inside)
		abort();
	for (size_t at = 0; at < n; at++)
		sink = data[at];
	return true;
}

static void use(const struct build_request *r)
{
	struct fault f = { 0 };
	struct build_plan plan;

	if (!build_plan(r, &plan, &f)) {
		if (f.id == F_NONE || !f.text[0])
			abort();
		return;
	}
	for (uint32_t i = 0; i < plan.nr_pieces; i++)
		for (size_t at = 0; plan.piece[i].data && at < plan.piece[i].file_size; at++)
			sink = plan.piece[i].data[at];
	if (!build_unpack(&plan, read_it, &plan, &f) && (f.id == F_NONE || !f.text[0]))
		abort();
	build_plan_free(&plan);
}

static void use_partial_tree(struct build_request *r, const uint8_t *data, size_t size)
{
	static uint8_t image[64];
	void *tree = malloc(size + 1); /* aligned, and of this very length */

	if (!tree)
		abort();
	memcpy(tree, data, size);
	put(image + 16, 1 << 20, 8);
	memcpy(image + 56, "ARM\x64", 4);
	r->kernel = (struct blob){ "kernel", image, sizeof(image), false };
	r->partial_tree = (struct blob){ "tree", tree, size, false };
	use(r);
	free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct build_request r = { .cmdline = "console=hvc0" };
	uint8_t *made;

	if (size < 4)
		return 0;
	r.arch = data[0] & 1 ? BUILD_ARM64 : BUILD_X86_64;
	r.memory = (uint64_t)data[1] << (16 + data[0] % 8);
	r.vcpus = data[2];
	r.ramdisk = (struct blob){ "ramdisk", data, data[3], false };
	if (r.ramdisk.size > size)
		r.ramdisk.size = size;
	data += 4;
	size -= 4;
	switch (data[-4] >> 6) {
	case 0: r.nr_modules = r.ramdisk.size & 1; /* fall through */
	case 1:
		r.kernel = (struct blob){ "kernel", data, size, false };
		r.module[0].blob = r.ramdisk;
		use(&r);
		break;
	case 2: use_partial_tree(&r, data, size); break;
	default:
		made = wrap(data, size, &size);
		r.kernel = (struct blob){ "kernel", made, size, false };
		use(&r);
		free(made);
	}
	return 0;
}
