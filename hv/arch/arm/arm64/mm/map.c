/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own page tables after head.S has switched the MMU on: direct map, devices, stacks
 * and the frame table (asm/layout.h draws the map). Entries are written once and stay; the few that go
 * (boot-only text and data) are removed on all CPUs.
 *
 * Pages for tables come first from a few in the image, then from the top of a piece of RAM that boot code
 * set aside (mm_arena_set), then from the frame allocator. Who may change what: asm/mm.h.
 */
#include <asm/mm.h>
#include <asm/sysreg.h>
#include <hv/assert.h>
#include <hv/fdt.h>
#include <hv/frame.h>
#include <hv/string.h>
#include <arch/memory.h>

uint64_t image_offset;

#define BLOCK_2M    (2ull << 20)
#define DT_MAGIC    0xd00dfeedu

/* Enough to map the device tree, a UART and the first bank of RAM, each with unaligned ends. */
#define FIRST_PAGES 16
static uint64_t first_pages[FIRST_PAGES][PTES] SECTION(".bss.pages") ALIGNED(4096);
static unsigned first_used;                        /* [boot] */
static uint64_t arena_start, arena_end, arena_top; /* [boot] machine addresses */
static uint64_t device_next = DEVICE_AREA_BASE;    /* [boot] */

static uint64_t *table_at(uint64_t pa)
{
	uint64_t in_image = pa - image_offset;

	if (in_image >= IMAGE_BASE && in_image < (uint64_t)_end)
		return (uint64_t *)in_image;
	return (uint64_t *)(DIRECT_BASE + pa);
}

/* A cleared page. */
static mfn_t take_boot_page(void)
{
	if (first_used < FIRST_PAGES)
		return paddr_to_mfn(paddr(image_to_machine(first_pages[first_used++])));
	if (arena_end > arena_start) {
		arena_end -= PAGE_SIZE;
		page_clear(table_at(arena_end));
		return paddr_to_mfn(paddr(arena_end));
	}
	return arena_start ? frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0) : INVALID_MFN;
}

void mm_arena_set(uint64_t start, uint64_t end)
{
	arena_start = start;
	arena_end = arena_top = end;
}

uint64_t mm_arena_close(uint64_t *end)
{
	uint64_t used = arena_end;

	*end = arena_top;
	arena_end = arena_start;
	return used;
}

/* The table that `slot` points to; made with a cleared page from `take` when there is none. NULL: none to be had. */
static uint64_t *next_table(uint64_t *slot, mfn_t (*take)(void))
{
	mfn_t m;

	if (*slot & S1_VALID) {
		assert_always(*slot & S1_TABLE, "a block is never split");
		return table_at(*slot & S1_ADDRESS);
	}
	m = take();
	if (!mfn_valid(m))
		return NULL;
	dsb(ishst);
	write_once(slot, mfn_to_paddr(m).a | S1_VALID | S1_TABLE);
	return table_at(mfn_to_paddr(m).a);
}

/* The entry of `va` at `level`, with the tables above it. */
static uint64_t *entry_of(uint64_t va, unsigned level, mfn_t (*take)(void))
{
	uint64_t *t = host_root;

	for (unsigned l = 0; l < level; l++) {
		t = next_table(&t[s1_index(va, l)], take);
		if (!t)
			return NULL;
	}
	return &t[s1_index(va, level)];
}

/* The level of the largest entry that maps the start of [va, va + size) to pa. */
static unsigned best_level(uint64_t va, uint64_t pa, uint64_t size)
{
	for (unsigned level = 1; level < 3; level++) {
		uint64_t step = 1ull << (39 - 9 * level);

		if (size >= step && IS_ALIGNED(va | pa, step))
			return level;
	}
	return 3;
}

void mm_map(uint64_t va, uint64_t pa, uint64_t size, uint64_t attr)
{
	while (size) {
		unsigned level = best_level(va, pa, size);
		uint64_t step = 1ull << (39 - 9 * level);
		uint64_t *e = entry_of(va, level, take_boot_page);

		if (!e)
			panic("no memory for the hypervisor's page tables");
		/* Further entries of the same kind that lie in the same table. */
		do {
			assert_always(!*e, "nothing is mapped twice");
			write_once(e++, pa | attr | (level == 3 ? S1_TABLE : 0));
			va += step;
			pa += step;
			size -= step;
		} while (((uint64_t)e & (PAGE_SIZE - 1)) && size >= step &&
			 (level < 3 || size < BLOCK_2M || ((va | pa) & (BLOCK_2M - 1))));
	}
	dsb(ishst);
	isb();
}

static mfn_t take_nothing(void)
{
	return INVALID_MFN;
}

void mm_unmap(uint64_t va, uint64_t size)
{
	for (uint64_t end = va + size; va < end; va += PAGE_SIZE) {
		uint64_t *e = entry_of(va, 3, take_nothing);

		assert_always(e, "what is unmapped was mapped by pages");
		write_once(e, 0);
		dsb(ishst);
		__asm__ volatile("tlbi vae2is, %0" ::"r"(va >> PAGE_SHIFT));
	}
	dsb(ish);
	isb();
}

/* Same place inside 2 MiB as the registers have, so that large windows take blocks. */
volatile void *mm_map_device(uint64_t pa, uint64_t size)
{
	uint64_t first = ROUND_DOWN(pa, (uint64_t)PAGE_SIZE);
	uint64_t end = ROUND_UP(pa + size, (uint64_t)PAGE_SIZE);
	uint64_t va = ROUND_UP(device_next, BLOCK_2M) + (first & (BLOCK_2M - 1));

	assert_always(va + (end - first) <= DEVICE_AREA_BASE + DEVICE_AREA_SIZE,
		      "the device area is large enough for interrupt controller and UART");
	device_next = va + (end - first);
	mm_map(va, first, end - first, S1_DEVICE);
	return (volatile void *)(va + (pa - first));
}

const void *mm_map_fdt(uint64_t pa)
{
	uint64_t in_page = pa & (PAGE_SIZE - 1), page = pa - in_page, end;
	const uint32_t *header = (const void *)(FDT_WINDOW_BASE + in_page);
	uint32_t size;

	/* The boot protocol's rules; the first words lie within one page then. */
	if (!pa || (pa & 7) || pa >> MACHINE_ADDRESS_BITS)
		return NULL;
	mm_map(FDT_WINDOW_BASE, page, PAGE_SIZE, S1_CONSTANT);
	size = __builtin_bswap32(header[1]);
	if (__builtin_bswap32(header[0]) != DT_MAGIC || size > DT_MAX_SIZE)
		return NULL;
	end = in_page + size;
	if (end > PAGE_SIZE)
		mm_map(FDT_WINDOW_BASE + PAGE_SIZE, page + PAGE_SIZE,
		       ROUND_UP(end, (uint64_t)PAGE_SIZE) - PAGE_SIZE, S1_CONSTANT);
	return header;
}

void mm_map_ram(uint64_t start, uint64_t end)
{
	mm_map(DIRECT_BASE + start, start, end - start, S1_DATA);
}

static uint64_t map_stack(uint64_t va, uint64_t size)
{
	for (uint64_t at = va; at < va + size; at += PAGE_SIZE) {
		mfn_t m = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);

		if (!mfn_valid(m))
			return 0;
		mm_map(at, mfn_to_paddr(m).a, PAGE_SIZE, S1_DATA);
	}
	return va + size;
}

bool mm_map_stacks(unsigned cpu, uint64_t *stack_top, uint64_t *emergency_top)
{
	uint64_t slot = STACK_AREA_BASE + (uint64_t)cpu * STACK_SLOT_SIZE;

	*stack_top = map_stack(slot + STACK_GUARD, STACK_SIZE);
	*emergency_top = map_stack(slot + STACK_GUARD + STACK_SIZE + STACK_GUARD, EMERGENCY_SIZE);
	return *stack_top && *emergency_top;
}

/* ---- what core asks ------------------------------------------------------------------------------- */

bool arch_frame_table_extend(mfn_t m, uint64_t n, mfn_t (*take)(void))
{
	uint64_t va = (uint64_t)frame_of(m) & PAGE_MASK;
	uint64_t end = (uint64_t)frame_of(mfn_add(m, n));

	assert_always(end <= FRAME_TABLE_BASE + FRAME_TABLE_SIZE,
		      "the table has a place for the frame");
	for (; va < end; va += PAGE_SIZE) {
		uint64_t *e = entry_of(va, 3, take);
		mfn_t page;

		if (!e)
			return false;
		if (*e)
			continue;
		page = take();
		if (!mfn_valid(page))
			return false;
		dsb(ishst);
		write_once(e, mfn_to_paddr(page).a | S1_DATA | S1_TABLE);
	}
	dsb(ishst);
	isb();
	return true;
}

/* By lines: `op` is done on each that holds a byte of [va, va + n). */
#define BY_LINE(op, va, n)                                                                 \
	do {                                                                               \
		uint64_t line_ = 4ul << ((sysreg_read(ctr_el0) >> 16) & 0xf);              \
		uint64_t at_ = (uint64_t)(va) & ~(line_ - 1), end_ = (uint64_t)(va) + (n); \
		for (; at_ < end_; at_ += line_)                                           \
			__asm__ volatile("dc " #op ", %0" ::"r"(at_) : "memory");          \
		dsb(sy);                                                                   \
	} while (0)

void arch_clean_dcache(const void *va, size_t n)
{
	BY_LINE(cvac, va, n);
}

void arch_clean_invalidate_dcache(const void *va, size_t n)
{
	BY_LINE(civac, va, n);
}

void *arch_frame_map(mfn_t m)
{
	return (void *)(DIRECT_BASE + (m.n << PAGE_SHIFT));
}

void arch_frame_unmap(void *va) {}
