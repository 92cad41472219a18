/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory of boot-time domains. dom0's RAM has the numbers of the machine's: large aligned blocks,
 * taken wherever they are. Other domains have theirs at the places of xen/arch-arm.h, or, with static
 * memory, exactly the frames that their node names.
 */
#include "boot.h"
#include <hv/err.h>
#include <hv/log.h>
#include <hv/p2m.h>
#include <hv/reason.h>
#include <hv/string.h>

/* Blocks of dom0, found while populating: its plan's banks. */
static struct plan dom0_banks;
static unsigned dom0_order;

/* ---- planning ----------------------------------------------------------------------------------- */

/* Static memory shows at its own address or from RAM0 on, one range behind the other. */
static bool plan_static(const struct boot_domain *b, struct plan *plan)
{
	uint64_t at = GUEST_RAM0_BASE;

	for (uint32_t i = 0; i < b->nr_static; i++) {
		const struct static_range *s = &b->static_mem[i];
		struct range *bank = &plan->bank[plan->nr_banks++];

		bank->start = b->direct_map ? s->start.a : at;
		bank->size = s->size;
		at += s->size;
	}
	if (!b->direct_map && at > GUEST_RAM0_BASE + GUEST_RAM0_SIZE) {
		log_error("%s: xen,static-mem: more than 3 GiB without direct-map", b->path);
		return false;
	}
	return true;
}

bool memory_plan(const struct boot_domain *b, struct plan *plan)
{
	static const uint64_t base[] = GUEST_RAM_BANK_BASES, size[] = GUEST_RAM_BANK_SIZES;
	uint64_t left = b->memory;

	if (b->is_dom0) {
		*plan = dom0_banks;
		return true;
	}
	plan->nr_banks = 0;
	if (b->nr_static)
		return plan_static(b, plan);
	for (uint32_t i = 0; i < GUEST_RAM_BANKS && left; i++) {
		plan->bank[i] = (struct range){ base[i], MIN(left, size[i]) };
		left -= plan->bank[i].size;
		plan->nr_banks++;
	}
	if (left)
		log_error("%s: memory: more than a guest can have", b->path);
	return left == 0;
}

bool memory_place(const struct boot_domain *b, struct plan *plan)
{
	uint64_t ramdisk = b->ramdisk < 0 ? 0 : boot_info.module[b->ramdisk].size;
	struct kernel_image k;

	if (!kernel_parse(b, &k))
		return false;
	for (uint32_t i = 0; i < plan->nr_banks; i++) {
		uint64_t end = plan->bank[i].start + plan->bank[i].size;
		uint64_t at = ROUND_UP(plan->bank[i].start, MIB2) + k.text_offset;

		plan->kernel = (struct range){ at, k.memory };
		plan->tree = ROUND_UP(at + k.memory, MIB2);
		plan->ramdisk = (struct range){ plan->tree + TREE_ROOM, ramdisk };
		if (plan->ramdisk.start + ROUND_UP(ramdisk, PAGE_SIZE) <= end)
			return true;
	}
	log_error("%s: no bank of %llu MiB memory holds kernel (%llu KiB) and ramdisk (%llu KiB)",
		  b->path, (unsigned long long)(b->memory >> 20),
		  (unsigned long long)(k.memory >> 10), (unsigned long long)(ramdisk >> 10));
	return false;
}

/* ---- populating --------------------------------------------------------------------------------- */

static void add_bank(struct plan *plan, uint64_t start, uint64_t size)
{
	uint32_t i = 0;

	while (i < plan->nr_banks && plan->bank[i].start < start)
		i++;
	if (i > 0 && plan->bank[i - 1].start + plan->bank[i - 1].size == start) {
		plan->bank[--i].size += size;
	} else {
		memmove(&plan->bank[i + 1], &plan->bank[i],
			(plan->nr_banks - i) * sizeof(plan->bank[0]));
		plan->bank[i] = (struct range){ start, size };
		plan->nr_banks++;
	}
	if (i + 1 < plan->nr_banks && start + size == plan->bank[i + 1].start) {
		plan->bank[i].size += plan->bank[i + 1].size;
		plan->nr_banks--;
		memmove(&plan->bank[i + 1], &plan->bank[i + 2],
			(plan->nr_banks - i - 1) * sizeof(plan->bank[0]));
	}
}

/* One more block for dom0, as large as there is. It is never less than 2 MiB: dom0's memory is whole blocks. */
static int populate_dom0(struct boot_domain *b, struct domain *d)
{
	uint64_t left;

	if (b->progress == 0) {
		b->memory = ROUND_DOWN(b->memory, MIB2);
		dom0_order = ORDER_1G;
	}
	left = b->memory - b->progress;
	while (left && dom0_order >= ORDER_2M && dom0_banks.nr_banks < MAX_BANKS - 1) {
		gfn_t g;

		dom0_order = MIN(dom0_order, fill_order_in(left));
		if (domain_populate(d, &g, dom0_order, 0) == 0) {
			uint64_t size = (uint64_t)PAGE_SIZE << dom0_order;

			add_bank(&dom0_banks, gfn_to_gpa(g).a, size);
			b->progress += size;
			return -ERR_RESTART;
		}
		dom0_order--;
	}
	if (left == 0)
		return 0;
	if (b->memory_min && b->progress >= b->memory_min) {
		b->memory = b->progress;
		return 0;
	}
	log_error("dom0_mem: %llu MiB wanted, only %llu MiB are free in blocks of 2 MiB",
		  (unsigned long long)(b->memory >> 20), (unsigned long long)(b->progress >> 20));
	return -ENOMEM;
}

int memory_step(struct boot_domain *b, struct domain *d)
{
	struct plan plan;

	if (b->is_dom0)
		return populate_dom0(b, d);
	if (!memory_plan(b, &plan))
		return -EINVAL;
	return fill_memory_step(b, d, plan.bank, plan.nr_banks);
}

/* ---- what is left ------------------------------------------------------------------------------- */

/* Insert by size, largest first, as long as there is room. */
static uint32_t keep_largest(struct range *out, uint32_t n, uint32_t max, uint64_t start,
			     uint64_t end)
{
	uint32_t i = n;

	start = ROUND_UP(start, MIB2);
	end = ROUND_DOWN(end, MIB2);
	if (end <= start)
		return n;
	while (i > 0 && out[i - 1].size < end - start)
		i--;
	if (i == max)
		return n;
	n = MIN(n + 1, max);
	memmove(&out[i + 1], &out[i], (n - 1 - i) * sizeof(*out));
	out[i] = (struct range){ start, end - start };
	return n;
}

uint32_t memory_unused(const struct plan *plan, struct range *out, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < boot_info.nr_memory; i++) {
		uint64_t at = boot_info.memory[i].start.a, end = boot_info.memory[i].end.a;

		for (uint32_t j = 0; j < plan->nr_banks && at < end; j++) {
			const struct range *bank = &plan->bank[j];

			if (bank->start + bank->size <= at || bank->start >= end)
				continue;
			n = keep_largest(out, n, max, at, bank->start);
			at = bank->start + bank->size;
		}
		if (at < end)
			n = keep_largest(out, n, max, at, end);
	}
	return n;
}
