/* SPDX-License-Identifier: Apache-2.0 */
/* Where a PVH domain's memory lies, and what goes where in it (boot.h draws the map). */
#include "boot.h"
#include <hv/log.h>

/* Static memory shows from 0 on, one range behind the other. */
static bool plan_static(const struct boot_domain *b, struct plan *plan)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < b->nr_static; i++) {
		plan->bank[plan->nr_banks++] = (struct range){ at, b->static_mem[i].size };
		at += b->static_mem[i].size;
	}
	if (at <= HOLE_BASE)
		return true;
	log_error("%s: xen,static-mem: more than 3 GiB", b->path);
	return false;
}

bool memory_plan(const struct boot_domain *b, struct plan *plan)
{
	uint64_t low = MIN(b->memory, HOLE_BASE);

	plan->tables = TABLES_BASE;
	if (b->is_dom0)
		return dom0_plan(b, plan);
	plan->nr_banks = 0;
	if (b->nr_static)
		return plan_static(b, plan);
	plan->bank[plan->nr_banks++] = (struct range){ 0, low };
	if (b->memory > low)
		plan->bank[plan->nr_banks++] = (struct range){ ABOVE_4G, b->memory - low };
	return true;
}

/* The end of RAM below the hole. */
static uint64_t low_end(const struct plan *plan)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < plan->nr_banks; i++)
		if (plan->bank[i].start < HOLE_BASE)
			end = plan->bank[i].start + plan->bank[i].size;
	return end;
}

bool memory_place(const struct boot_domain *b, struct plan *plan)
{
	const struct segment_place *last = &plan->kernel.segment[plan->kernel.nr - 1];
	uint64_t ramdisk = b->ramdisk < 0 ? 0 : boot_info.module[b->ramdisk].size;
	uint64_t end = low_end(plan), kernel_end = last->to + last->size;

	if (b->is_dom0)
		return dom0_place(b, plan);
	if (kernel_end <= end && ROUND_UP(ramdisk, (uint64_t)PAGE_SIZE) <= end - kernel_end) {
		plan->ramdisk = (struct range){ ROUND_DOWN(end - ramdisk, (uint64_t)PAGE_SIZE),
						ramdisk };
		if (plan->ramdisk.start >= kernel_end)
			return true;
	}
	log_error("%s: %llu MiB of memory do not hold the kernel, which ends at %llu KiB, and a "
		  "ramdisk of %llu KiB",
		  b->path, (unsigned long long)(b->memory >> 20),
		  (unsigned long long)(kernel_end >> 10), (unsigned long long)(ramdisk >> 10));
	return false;
}
