/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own mappings (mm/map.c). Only the boot CPU changes them, and only while booting;
 * except the frame table, which grows under its lock and has top-level tables of its own.
 */
#ifndef ASM_MM_H
#define ASM_MM_H

#include <asm/layout.h>
#include <hv/addr.h>
#include <hv/compiler.h>

/* Entries (APM vol. 2, 5.4). */
#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_UNCACHED (BIT(3) | BIT(4)) /* PWT, PCD: PAT entry 3 */
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_GLOBAL   BIT(8)
#define PTE_NX       BIT(63)
#define PTE_ADDRESS  0x000ffffffffff000ull

/* Accessed and dirty are set from the start, so that the walker never writes. */
#define MAP_LEAF     (PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL)
#define MAP_TEXT     MAP_LEAF
#define MAP_CONSTANT (MAP_LEAF | PTE_NX)
#define MAP_DATA     (MAP_LEAF | PTE_WRITE | PTE_NX)
#define MAP_DEVICE   (MAP_LEAF | PTE_WRITE | PTE_UNCACHED | PTE_NX)

#define PTES         512u

/* Placed by the linker script; page-aligned. */
extern char _start[], _etext[], _constants_end[], _data_end[], _end[];

static inline uint64_t image_to_machine(const void *p)
{
	return (uint64_t)p - IMAGE_VIRTUAL;
}

/* Physical address bits of this CPU: entries beyond are reserved. */
extern unsigned machine_address_bits; /* [c] */

/* The image, W^X, in the final root. Not in use before mm_switch(). Boot. */
void mm_map_image(void);
/* Leave the tables of head.S for the final ones, on the calling CPU. */
void mm_switch(void);
/* Map [pa, pa + size) at va. Pages for tables come from the boot arena. Boot only. */
void mm_map(uint64_t va, uint64_t pa, uint64_t size, uint64_t attr);
/* Registers of a device, for good. Boot only. */
volatile void *mm_map_device(uint64_t pa, uint64_t size);
/* All that was mapped so, whole pages: the hypervisor's own registers, which no domain may touch. *n: how many. */
#define MAX_OWN_DEVICES 128u
struct device_range {
	uint64_t start, end;
};
const struct device_range *mm_devices(uint32_t *n);
/* A place for arch_device_read() and arch_device_write(). Boot, once. */
void mm_make_window(void);
/* The direct map of [start, end), page-aligned; leaves out the image. */
void mm_map_ram(uint64_t start, uint64_t end);
/* Stacks of a CPU from frame_alloc; fills in stack_top and the IST entries of `c`. False: no memory. */
struct arch_cpu;
MUST_USE bool mm_map_stacks(unsigned cpu, struct arch_cpu *c);
/* Give mm_map its table pages: whole pages below 4 GiB, used from the top. */
void mm_arena_set(uint64_t start, uint64_t end);
/* [returned, *end) of the arena is in use for good. From now on pages come from frame_alloc. */
uint64_t mm_arena_close(uint64_t *end);

#endif
