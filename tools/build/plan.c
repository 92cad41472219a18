/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to a plan: judge the numbers, unpack what of the kernel is needed, let the architecture lay it out. */
#include "parts.h"
#include <assert.h>
#include <stdlib.h>

void *plan_alloc(struct build_plan *plan, size_t n, struct fault *f)
{
	for (size_t i = 0; i < sizeof(plan->owned) / sizeof(plan->owned[0]); i++) {
		if (plan->owned[i])
			continue;
		plan->owned[i] = calloc(1, n);
		if (!plan->owned[i])
			fault_fill(f, F_NO_MEMORY, "no %zu bytes of memory to build a guest with",
				   n);
		return plan->owned[i];
	}
	abort();
}

void plan_add(struct build_plan *plan, const char *what, uint64_t start, uint64_t size,
	      const uint8_t *data, size_t file_size)
{
	struct build_range at = { start, size };
	bool inside = false;

	assert(plan->nr_pieces < BUILD_MAX_PIECES && file_size <= size);
	for (uint32_t i = 0; i < plan->nr_banks; i++)
		inside |= start >= plan->bank[i].start &&
			  range_inside(plan->bank[i].size, start - plan->bank[i].start, size);
	assert(inside);
	for (uint32_t i = 0; i < plan->nr_pieces; i++)
		assert(start + size <= plan->piece[i].at.start ||
		       plan->piece[i].at.start + plan->piece[i].at.size <= start);
	plan->piece[plan->nr_pieces++] = (struct build_piece){ what, at, data, file_size };
}

void build_plan_free(struct build_plan *plan)
{
	for (size_t i = 0; i < sizeof(plan->owned) / sizeof(plan->owned[0]); i++)
		free(plan->owned[i]);
	*plan = (struct build_plan){ 0 };
}

static bool check_numbers(const struct build_request *r, struct fault *f)
{
	if (r->memory == 0 || r->memory % BUILD_PAGE)
		return fault_set(f, F_MEMORY_SMALL,
				 "memory: %llu bytes: not a whole number of pages, or none",
				 (unsigned long long)r->memory);
	if (r->nr_modules > BUILD_MAX_MODULES || (r->nr_modules && r->arch != BUILD_X86_64))
		return fault_set(f, F_MODULES, "%u boot modules: at most %u are possible",
				 r->nr_modules, r->arch == BUILD_X86_64 ? BUILD_MAX_MODULES : 0);
	if (r->kernel.size == 0)
		return fault_set(f, F_FILE_EMPTY, "%s: the kernel is an empty file", r->kernel.name);
	return true;
}

/* A file that is packed as a whole: Image.gz, vmlinux.xz, ... */
static bool unpack_whole(const struct build_request *r, struct blob *kernel,
			 struct build_plan *plan, struct fault *f)
{
	plan->kernel_kind = unpack_format(kernel->data, kernel->size);
	if (!plan->kernel_kind)
		return true;
	if (!unpack(&r->kernel, BUILD_MAX_UNPACKED, (uint8_t **)&plan->owned[0], &kernel->size, f))
		return false;
	kernel->data = plan->owned[0];
	if (kernel->size == 0)
		return fault_set(f, F_FILE_EMPTY, "%s: nothing is packed in it", kernel->name);
	return true;
}

static bool plan_x86(const struct build_request *r, struct blob *kernel, struct build_plan *plan,
		     struct fault *f)
{
	if (bzimage_is(kernel) && !packed_open(kernel, plan, kernel, f))
		return false;
	return layout_x86(r, kernel, plan, f);
}

bool build_plan(const struct build_request *r, struct build_plan *plan, struct fault *f)
{
	struct blob kernel = r->kernel;
	bool ok;

	*plan = (struct build_plan){ .arch = r->arch };
	ok = check_numbers(r, f) && unpack_whole(r, &kernel, plan, f) &&
	     (r->arch == BUILD_X86_64 ? plan_x86(r, &kernel, plan, f)
				      : layout_arm64(r, &kernel, plan, f));
	if (!ok)
		build_plan_free(plan);
	return ok;
}
