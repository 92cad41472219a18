/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first page tables, built by the boot CPU with its MMU off: head.S calls in. Everything here runs
 * at machine addresses while it is linked at virtual ones, so it must not use a pointer that
 * the linker stored. What it writes bypasses the caches, which may hold older contents of the same
 * memory: those are dropped before (they might be written back over it) and after.
 *
 * Two roots share the tables of the image: host_root is the one that stays; switch_root has an
 * identity mapping of the page that holds mmu_on() as well, and is what each CPU starts with.
 */
#include <asm/early.h>
#include <asm/mm.h>
#include <asm/sysreg.h>

#define TABLE SECTION(".bss..tables") ALIGNED(4096)

uint64_t host_root[PTES] TABLE;
uint64_t switch_root[PTES] TABLE;
static uint64_t image_tables[3][PTES] TABLE;    /* levels 1, 2, 3 */
static uint64_t identity_tables[3][PTES] TABLE; /* levels 1, 2, 3 */

extern char _tables[], _tables_end[];
extern const char mmu_on[];

static BOOT_TEXT void drop_cached_tables(void)
{
	uint64_t line = 4ul << ((sysreg_read(ctr_el0) >> 16) & 0xf);

	dsb(sy);
	for (const char *p = _tables; p < _tables_end; p += line)
		__asm__ volatile("dc ivac, %0" ::"r"(p) : "memory");
	dsb(sy);
}

static BOOT_TEXT void link_tables(uint64_t *root, uint64_t (*t)[PTES], uint64_t va)
{
	root[s1_index(va, 0)] = (uint64_t)t[0] | S1_VALID | S1_TABLE;
	t[0][s1_index(va, 1)] = (uint64_t)t[1] | S1_VALID | S1_TABLE;
	t[1][s1_index(va, 2)] = (uint64_t)t[2] | S1_VALID | S1_TABLE;
}

static BOOT_TEXT void map_part(const char *from, const char *to, uint64_t attr)
{
	for (const char *p = from; p < to; p += PAGE_SIZE)
		image_tables[2][(p - _start) >> PAGE_SHIFT] = (uint64_t)p | attr | S1_TABLE;
}

BOOT_TEXT void early_map(void)
{
	uint64_t code = (uint64_t)mmu_on & PAGE_MASK;

	drop_cached_tables();
	for (uint64_t *p = (uint64_t *)_tables; p < (uint64_t *)_tables_end; p++)
		*(volatile uint64_t *)p = 0;
	link_tables(host_root, image_tables, IMAGE_BASE);
	switch_root[s1_index(IMAGE_BASE, 0)] = host_root[s1_index(IMAGE_BASE, 0)];
	map_part(_start, _etext, S1_TEXT);
	map_part(_etext, _constants_end, S1_CONSTANT);
	map_part(_constants_end, _end, S1_DATA);

	link_tables(switch_root, identity_tables, code);
	identity_tables[2][s1_index(code, 3)] = code | S1_TEXT | S1_TABLE;
	drop_cached_tables();
}
