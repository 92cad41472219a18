/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own mappings (arm64/mm/). Only the boot CPU changes them, and only while booting;
 * except the frame table, which grows under the HEAP lock and has top-level tables of its own.
 */
#ifndef ASM_MM_H
#define ASM_MM_H

#include <asm/layout.h>
#include <hv/addr.h>
#include <hv/compiler.h>

/* ---- entries of stage 1 at EL2 (DDI 0487 D8.3) ---- */
#define S1_VALID      BIT(0)
#define S1_TABLE      BIT(1) /* at levels 0..2; at level 3: a page */
#define S1_ATTR(mair) ((uint64_t)(mair) << 2)
#define S1_AP_RES1    BIT(6)
#define S1_READ_ONLY  BIT(7)
#define S1_INNER      (3ull << 8)
#define S1_ACCESSED   BIT(10)
#define S1_NO_EXECUTE BIT(54)
#define S1_ADDRESS    0x0000fffffffff000ull

#define S1_LEAF       (S1_VALID | S1_AP_RES1 | S1_ACCESSED)
#define S1_TEXT       (S1_LEAF | S1_ATTR(0) | S1_INNER | S1_READ_ONLY)
#define S1_CONSTANT   (S1_LEAF | S1_ATTR(0) | S1_INNER | S1_READ_ONLY | S1_NO_EXECUTE)
#define S1_DATA       (S1_LEAF | S1_ATTR(0) | S1_INNER | S1_NO_EXECUTE)
#define S1_DEVICE     (S1_LEAF | S1_ATTR(1) | S1_NO_EXECUTE)

#define PTES          512u

/* Which entry of a table of `level` (0 is the root) translates va. */
static inline unsigned s1_index(uint64_t va, unsigned level)
{
	return (va >> (39 - 9 * level)) & (PTES - 1);
}

extern uint64_t host_root[PTES];

/* Placed by the linker script; page-aligned except _start. */
extern char _start[], _boot_text[], _etext[], _constants_end[], _boot_data[], _boot_data_end[],
    _data_end[], _boot_bss[], _boot_bss_end[], _end[];

/* How far the image is from where it is linked: machine = virtual + this. */
extern uint64_t image_offset; /* [c] */

static inline uint64_t image_to_machine(const void *p)
{
	return (uint64_t)p + image_offset;
}

/* Map [pa, pa + size) at va. Pages for tables come from the boot arena. Boot only. */
void mm_map(uint64_t va, uint64_t pa, uint64_t size, uint64_t attr);
/* Remove mappings of whole pages, on all CPUs. Boot only. */
void mm_unmap(uint64_t va, uint64_t size);
/* Registers of a device, for good. Boot only. */
volatile void *mm_map_device(uint64_t pa, uint64_t size);
/* The host's device tree through its window: NULL when it cannot be mapped. */
const void *mm_map_fdt(uint64_t pa);
/* The direct map of [start, end), page-aligned. */
void mm_map_ram(uint64_t start, uint64_t end);
/* Map both stacks of a CPU from frame_alloc; false: no memory. */
MUST_USE bool mm_map_stacks(unsigned cpu, uint64_t *stack_top, uint64_t *emergency_top);
/* Give mm_map its table pages: whole pages of mapped RAM, used from the top. */
void mm_arena_set(uint64_t start, uint64_t end);
/* What the arena has used is [returned, *end). From now on pages come from frame_alloc. */
uint64_t mm_arena_close(uint64_t *end);

#endif
