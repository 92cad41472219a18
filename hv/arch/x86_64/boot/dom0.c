/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space of dom0, modelled on the machine's: RAM is where the machine has RAM, as much as dom0 gets, from the bottom; firmware's memory,
 * and what below 4 GiB is neither RAM nor the hypervisor's own (devices), is the machine's at the same address. So what firmware's tables
 * say is true for dom0. The frames behind its RAM are any; an IOMMU translates for its devices. Boot only.
 */
#include "boot.h"
#include <arch/boot.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/vpci.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/p2m.h>
#include <hv/reason.h>

#define FOUR_GIB       (4ull << 30)
#define ONE_GIB        (1ull << 30)
#define MESSAGES_BASE  0xfee00000ull /* local APICs, and interrupt messages of devices */
#define MESSAGES_SIZE  0x00100000ull
#define TYPE_UNUSABLE  5u
/* Tables for what is mapped beside RAM: page by page around the holes in it; and the IOMMU's of the same. */
#define POOL_FOR_HOLES 256u

int dom0_config(struct domain_config *cfg)
{
	int err = vpci_domain_config(cfg);

	if (err)
		return err;
	if (machine.firmware_cut || !machine.nr_tables)
		return refuse(R_DOM0_NO_FIRMWARE, 0, MAX_FIRMWARE_RANGES, machine.nr_tables);
	cfg->direct_map = false;
	cfg->pool_more += POOL_FOR_HOLES;
	return 0;
}

/* ---- RAM ------------------------------------------------------------------------------------------- */

/* The machine's n-th piece of RAM from the bottom, in whole pages. */
static bool next_ram(uint64_t from, struct range *r)
{
	bool found = false;

	for (uint32_t i = 0; i < boot_info.nr_memory; i++) {
		uint64_t start = ROUND_UP(boot_info.memory[i].start.a, (uint64_t)PAGE_SIZE);
		uint64_t end = ROUND_DOWN(boot_info.memory[i].end.a, (uint64_t)PAGE_SIZE);

		start = MAX(start, from);
		if (start < end && (!found || start < r->start)) {
			*r = (struct range){ start, end - start };
			found = true;
		}
	}
	return found;
}

bool dom0_plan(const struct boot_domain *b, struct plan *plan)
{
	uint64_t left = ROUND_DOWN(b->memory, (uint64_t)PAGE_SIZE), from = 0;
	struct range r;

	plan->nr_banks = 0;
	while (left && next_ram(from, &r)) {
		from = r.start + r.size;
		r.size = MIN(r.size, left);
		left -= r.size;
		if (plan->nr_banks == MAX_BANKS) {
			log_error("dom0: RAM is in more than %u pieces", MAX_BANKS);
			return false;
		}
		plan->bank[plan->nr_banks++] = r;
	}
	return true;
}

/* The bank that holds the whole kernel. */
static const struct range *kernel_bank(const struct plan *plan)
{
	const struct segment_place *first = plan->kernel.segment;
	const struct segment_place *last = first + plan->kernel.nr - 1;

	for (uint32_t i = 0; i < plan->nr_banks; i++) {
		const struct range *r = &plan->bank[i];

		if (first->to >= r->start && last->to + last->size <= r->start + r->size)
			return r;
	}
	return NULL;
}

/*
 * Start info and tables at the end of the first RAM, below 640 KiB, if that is enough; a kernel reads them through its first tables, which
 * map no more than 1 GiB.
 */
bool dom0_place(const struct boot_domain *b, struct plan *plan)
{
	const struct range *bank = kernel_bank(plan), *low = &plan->bank[0];
	uint64_t ramdisk = b->ramdisk < 0 ? 0 : boot_info.module[b->ramdisk].size;
	uint64_t kernel_end, end;

	if (!bank) {
		log_error("dom0: no piece of its RAM holds its kernel");
		return false;
	}
	kernel_end = plan->kernel.segment[plan->kernel.nr - 1].to +
		     plan->kernel.segment[plan->kernel.nr - 1].size;
	end = bank->start + bank->size;
	if (low != bank && low->size >= 2 * TABLES_SIZE) {
		plan->tables = low->start + low->size - TABLES_SIZE;
	} else {
		end = MIN(end, ONE_GIB);
		if (end < kernel_end + TABLES_SIZE)
			goto no_room;
		plan->tables = end -= TABLES_SIZE;
	}
	end = MIN(end, FOUR_GIB);
	if (end < kernel_end || ROUND_UP(ramdisk, (uint64_t)PAGE_SIZE) > end - kernel_end)
		goto no_room;
	plan->ramdisk = (struct range){ ROUND_DOWN(end - ramdisk, (uint64_t)PAGE_SIZE), ramdisk };
	if (plan->ramdisk.start >= kernel_end)
		return true;
no_room:
	log_error(
	    "dom0: %llu MiB of RAM around its kernel do not hold it and a ramdisk of %llu KiB",
	    (unsigned long long)(bank->size >> 20), (unsigned long long)(ramdisk >> 10));
	return false;
}

/* ---- the rest -------------------------------------------------------------------------------------- */

static void avoid(uint64_t start, uint64_t end, uint64_t *at, uint64_t *next)
{
	if (*at >= start && *at < end)
		*at = end;
	else if (start > *at)
		*next = MIN(*next, start);
}

/* From *at, below 4 GiB, the next piece that is dom0's to see: [*at, returned). */
static uint64_t next_hole(uint64_t *at)
{
	uint64_t before, next;
	uint32_t n;
	const struct device_range *own = mm_devices(&n);

	do {
		before = *at;
		next = FOUR_GIB;
		for (uint32_t i = 0; i < boot_info.nr_memory; i++)
			avoid(ROUND_UP(boot_info.memory[i].start.a, (uint64_t)PAGE_SIZE),
			      ROUND_DOWN(boot_info.memory[i].end.a, (uint64_t)PAGE_SIZE), at, &next);
		for (uint32_t i = 0; i < n; i++)
			avoid(own[i].start, own[i].end, at, &next);
		for (uint32_t i = 0; i < machine.nr_firmware; i++)
			if (machine.firmware[i].type == TYPE_UNUSABLE)
				avoid(ROUND_DOWN(machine.firmware[i].start, (uint64_t)PAGE_SIZE),
				      ROUND_UP(machine.firmware[i].end, (uint64_t)PAGE_SIZE), at,
				      &next);
		avoid(MESSAGES_BASE, MESSAGES_BASE + MESSAGES_SIZE, at, &next);
	} while (*at != before && *at < FOUR_GIB);
	return next;
}

int dom0_holes_step(struct boot_domain *b, struct domain *d)
{
	uint64_t end = next_hole(&b->progress), done = 0, start = b->progress;
	int err;

	if (start >= FOUR_GIB)
		return 0;
	err = p2m_map_range(d, gfn(start >> PAGE_SHIFT), mfn(start >> PAGE_SHIFT),
			    (end - start) >> PAGE_SHIFT, P2M_MMIO_DIRECT, &done);
	b->progress += done << PAGE_SHIFT;
	return err ? err : -ERR_RESTART;
}
