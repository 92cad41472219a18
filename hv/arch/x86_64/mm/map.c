/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's own page tables (asm/layout.h draws the map). Built by the boot CPU while it still runs on those of
 * head.S, which map the first 4 GiB at DIRECT_BASE: table pages come from there until the switch. Entries
 * are written once and stay. Who may change what: asm/mm.h.
 */
#include <asm/mm.h>

#include <arch/device.h>
#include <arch/memory.h>
#include <asm/insn.h>
#include <asm/msr.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/frame.h>
#include <hv/string.h>

unsigned machine_address_bits;

static uint64_t host_root[PTES] ALIGNED(4096);
static uint64_t arena_start, arena_end, arena_top; /* [boot] machine addresses */
static uint64_t device_next = DEVICE_AREA_BASE;    /* [boot] */

static uint64_t *table_at(uint64_t pa)
{
	return (uint64_t *)(DIRECT_BASE + pa);
}

/* Which entry of a table of `level` (3 is the root, 0 holds 4 KiB pages) translates va. */
static unsigned pt_index(uint64_t va, unsigned level)
{
	return (va >> (PAGE_SHIFT + 9 * level)) & (PTES - 1);
}

static mfn_t take_boot_page(void)
{
	if (arena_end > arena_start) {
		arena_end -= PAGE_SIZE;
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
	uint64_t used_from = arena_end;

	*end = arena_top;
	arena_end = arena_start;
	return used_from;
}

/* The table that `slot` points to; made with a page from `take` when there is none. NULL: none to be had. */
static uint64_t *next_table(uint64_t *slot, mfn_t (*take)(void))
{
	uint64_t *t;
	mfn_t m;

	if (*slot & PTE_PRESENT) {
		assert_always(!(*slot & PTE_LARGE), "a large page is never split");
		return table_at(*slot & PTE_ADDRESS);
	}
	m = take();
	if (!mfn_valid(m))
		return NULL;
	t = table_at(mfn_to_paddr(m).a);
	page_clear(t);
	store_release(slot, mfn_to_paddr(m).a | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED);
	return t;
}

static uint64_t *entry_of(uint64_t va, unsigned level, mfn_t (*take)(void))
{
	uint64_t *t = host_root;

	for (unsigned l = 3; l > level; l--) {
		t = next_table(&t[pt_index(va, l)], take);
		if (!t)
			return NULL;
	}
	return &t[pt_index(va, level)];
}

static bool has_1g_pages(void)
{
	return cpuid(0x80000001, 0).edx & BIT(26);
}

static unsigned best_level(uint64_t va, uint64_t pa, uint64_t size)
{
	for (unsigned level = has_1g_pages() ? 2 : 1; level > 0; level--) {
		uint64_t step = 1ull << (PAGE_SHIFT + 9 * level);

		if (size >= step && IS_ALIGNED(va | pa, step))
			return level;
	}
	return 0;
}

void mm_map(uint64_t va, uint64_t pa, uint64_t size, uint64_t attr)
{
	while (size) {
		unsigned level = best_level(va, pa, size);
		uint64_t step = 1ull << (PAGE_SHIFT + 9 * level);
		uint64_t *e = entry_of(va, level, take_boot_page);

		if (!e)
			panic("no memory for the hypervisor's page tables");
		assert_always(!*e, "nothing is mapped twice");
		write_once(e, pa | attr | (level ? PTE_LARGE : 0));
		va += step;
		pa += step;
		size -= step;
	}
}

static void map_image_part(const char *from, const char *to, uint64_t attr)
{
	mm_map((uint64_t)from, image_to_machine(from), (uint64_t)(to - from), attr);
}

void mm_map_image(void)
{
	map_image_part(_start, _etext, MAP_TEXT);
	map_image_part(_etext, _constants_end, MAP_CONSTANT);
	map_image_part(_constants_end, _end, MAP_DATA);
}

void mm_switch(void)
{
	write_cr3(image_to_machine(host_root));
	write_cr4(read_cr4() | CR4_PGE);
}

static struct device_range own[MAX_OWN_DEVICES];
static uint32_t nr_own;

const struct device_range *mm_devices(uint32_t *n)
{
	*n = nr_own;
	return own;
}

volatile void *mm_map_device(uint64_t pa, uint64_t size)
{
	uint64_t first = ROUND_DOWN(pa, (uint64_t)PAGE_SIZE);
	uint64_t end = ROUND_UP(pa + size, (uint64_t)PAGE_SIZE);
	uint64_t block = 2ul << 20;
	uint64_t va = ROUND_UP(device_next, block) + (first & (block - 1));

	assert_always(va + (end - first) <= DEVICE_AREA_BASE + DEVICE_AREA_SIZE,
		      "the device area is large enough for what a machine has");
	assert_always(nr_own < MAX_OWN_DEVICES, "the list of our own devices has room");
	own[nr_own++] = (struct device_range){ first, end };
	device_next = va + (end - first);
	mm_map(va, first, end - first, MAP_DEVICE);
	return (volatile void *)(va + (pa - first));
}

/* ---- one page of a device, for a moment ------------------------------------------------------------- */

static struct lock window_lock = LOCK_INIT(RANK_DEVICE_WINDOW);
static uint64_t window_va, *window_entry; /* [c] after boot */

void mm_make_window(void)
{
	window_va = device_next = ROUND_UP(device_next, (uint64_t)PAGE_SIZE);
	device_next += PAGE_SIZE;
	window_entry = entry_of(window_va, 0, take_boot_page);
	if (!window_entry)
		panic("no memory for the hypervisor's page tables");
}

/* Other CPUs may keep an older translation of the window: each forgets it before it looks. */
static volatile void *open_window(paddr_t pa) HOLDS(window_lock)
{
	write_once(window_entry, (pa.a & PTE_ADDRESS) | MAP_DEVICE);
	invlpg((const void *)window_va);
	return (volatile void *)(window_va + (pa.a & (PAGE_SIZE - 1)));
}

static void close_window(void) HOLDS(window_lock)
{
	write_once(window_entry, (uint64_t)0);
	invlpg((const void *)window_va);
}

uint64_t arch_device_read(paddr_t pa, unsigned size)
{
	volatile void *p;
	uint64_t v;

	lock_take(&window_lock);
	p = open_window(pa);
	switch (size) {
	case 1: v = *(volatile uint8_t *)p; break;
	case 2: v = *(volatile uint16_t *)p; break;
	case 4: v = *(volatile uint32_t *)p; break;
	default: v = *(volatile uint64_t *)p; break;
	}
	close_window();
	lock_release(&window_lock);
	return v;
}

void arch_device_write(paddr_t pa, unsigned size, uint64_t value)
{
	volatile void *p;

	lock_take(&window_lock);
	p = open_window(pa);
	switch (size) {
	case 1: *(volatile uint8_t *)p = (uint8_t)value; break;
	case 2: *(volatile uint16_t *)p = (uint16_t)value; break;
	case 4: *(volatile uint32_t *)p = (uint32_t)value; break;
	default: *(volatile uint64_t *)p = value; break;
	}
	close_window();
	lock_release(&window_lock);
}

void mm_map_ram(uint64_t start, uint64_t end)
{
	uint64_t hole = IMAGE_MACHINE, hole_end = ROUND_UP(image_to_machine(_end), 4096ul);

	/* A writable alias of the text must not exist. */
	if (start < hole_end && end > hole) {
		if (start < hole)
			mm_map(DIRECT_BASE + start, start, hole - start, MAP_DATA);
		start = hole_end;
	}
	if (start < end)
		mm_map(DIRECT_BASE + start, start, end - start, MAP_DATA);
}

static uint64_t map_stack(uint64_t slot, unsigned page, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		mfn_t m = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);

		if (!mfn_valid(m))
			return 0;
		mm_map(slot + (page + i) * PAGE_SIZE, mfn_to_paddr(m).a, PAGE_SIZE, MAP_DATA);
	}
	return slot + (page + n) * PAGE_SIZE;
}

bool mm_map_stacks(unsigned cpu, struct arch_cpu *c)
{
	uint64_t slot = STACK_AREA_BASE + (uint64_t)cpu * STACK_SLOT_SIZE;

	c->stack_top = map_stack(slot, STACK_PAGE, STACK_PAGES);
	c->tss.ist[IST_NMI - 1] = map_stack(slot, NMI_PAGE, 1);
	c->tss.ist[IST_MC - 1] = map_stack(slot, MC_PAGE, 1);
	c->tss.ist[IST_DF - 1] = map_stack(slot, DF_PAGE, DF_PAGES);
	return c->stack_top && c->tss.ist[IST_NMI - 1] && c->tss.ist[IST_MC - 1] &&
	       c->tss.ist[IST_DF - 1];
}

/* ---- what core asks ------------------------------------------------------------------------------- */

void *arch_frame_map(mfn_t m)
{
	return (void *)(DIRECT_BASE + (m.n << PAGE_SHIFT));
}

void arch_frame_unmap(void *va) {}

static uint64_t frame_entry_va(mfn_t m)
{
	return FRAME_TABLE_BASE + m.n * sizeof(struct frame);
}

bool arch_frame_table_extend(mfn_t m, uint64_t n, mfn_t (*take)(void))
{
	uint64_t va = ROUND_DOWN(frame_entry_va(m), (uint64_t)PAGE_SIZE);
	uint64_t end = frame_entry_va(mfn_add(m, n));

	for (; va < end; va += PAGE_SIZE) {
		uint64_t *e = entry_of(va, 0, take);
		mfn_t page;

		if (!e)
			return false;
		if (*e)
			continue;
		page = take();
		if (!mfn_valid(page))
			return false;
		store_release(e, mfn_to_paddr(page).a | MAP_DATA);
	}
	return true;
}

/* Caches are coherent with everything on x86. */
void arch_clean_dcache(const void *va, size_t n) {}

void arch_clean_invalidate_dcache(const void *va, size_t n) {}

void arch_copy_page(void *dst, const void *src)
{
	copy_racing(dst, src, PAGE_SIZE);
}
