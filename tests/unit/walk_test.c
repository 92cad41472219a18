/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of a guest's tables and of the nested ones below them (hv/arch/x86_64/mm/walk.c and p2m.c, the shipped files): every paging mode with every size
 * of page, through nested pages of every size. Machine memory is an array here, from frame 0 on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <asm/layout.h>
#undef DIRECT_BASE
#define DIRECT_BASE ((uintptr_t)memory)

#define FRAMES      64u
static _Alignas(4096) uint8_t memory[FRAMES][4096];

#include "../../hv/arch/x86_64/mm/p2m.c"
#include "../../hv/arch/x86_64/mm/walk.c"

#define USER GUEST_USER
#define RWU  (PTE_PRESENT | PTE_WRITE | USER)
#define PAT  BIT(7) /* of a page's entry; in one of a table it means a large page */

/* Guest frames; the nested tables lie behind FIRST_NESTED. */
enum { TOP = 1, THIRD, SECOND, FIRST, FIRST_NESTED = 32 };

static struct domain domain;
static struct vcpu vcpu = { .domain = &domain };
static struct hvm_paging paging;
static struct p2m_entry slow; /* p2m_lookup()'s answer */
static unsigned slow_looks;
static int held;
static unsigned nested; /* shift of the nested pages: 0, 9 or 18 */

/* ---- what they ask of the rest ------------------------------------------------------------------------- */

static void get_paging(struct vcpu *v, struct hvm_paging *p)
{
	*p = paging;
}

static const struct hvm_ops model = { .get_paging = get_paging };
const struct hvm_ops *hvm = &model;

struct p2m_entry p2m_lookup(const struct domain *d, gfn_t g)
{
	slow_looks++;
	return slow;
}

bool frame_get(mfn_t m, const struct domain *d)
{
	held++;
	return true;
}

void frame_put(mfn_t m)
{
	held--;
}

/* By flushing, which no test here does. */
struct cpuset cpus_online;

struct cpu *cpu_get(unsigned id)
{
	static struct cpu cpu;

	return &cpu;
}

void arch_cpu_kick(struct cpu *c) {}
void sim_switch_point(void) {}

/* ---- tables -------------------------------------------------------------------------------------------- */

static uint64_t *table(unsigned mfn)
{
	return (uint64_t *)memory[mfn];
}

/* Single frames are mapped the other way round, so that a guest's frame is never its own machine frame. */
static unsigned machine(unsigned gfn)
{
	return nested ? gfn : FIRST_NESTED - 1 - gfn;
}

static void set_nested(unsigned shift)
{
	const unsigned root = FIRST_NESTED, l2 = root + 1, l1 = root + 2, l0 = root + 3;

	nested = shift;
	memset(memory, 0, sizeof(memory));
	slow = (struct p2m_entry){ .type = P2M_NONE };
	slow_looks = 0;
	held = 0;
	domain.p2m.view.root = mfn(root);
	table(root)[0] = arch_pte_table(mfn(l2));
	table(l2)[0] = shift == 18 ? arch_pte_leaf(mfn(0), P2M_RAM_RW, 2) : arch_pte_table(mfn(l1));
	table(l1)[0] = shift == 9 ? arch_pte_leaf(mfn(0), P2M_RAM_RW, 1) : arch_pte_table(mfn(l0));
	for (unsigned i = 0; i < FIRST_NESTED; i++)
		table(l0)[i] = arch_pte_leaf(mfn(machine(i)), P2M_RAM_RW, 0);
}

static void put(unsigned gfn, unsigned index, uint64_t e)
{
	table(machine(gfn))[index] = e;
}

static void put32(unsigned gfn, unsigned index, uint32_t e)
{
	((uint32_t *)memory[machine(gfn)])[index] = e;
}

static uint64_t at(unsigned gfn)
{
	return (uint64_t)gfn << PAGE_SHIFT;
}

static void use_mode(uint64_t cr4, uint64_t efer)
{
	paging = (struct hvm_paging){
		.cr0 = CR0_PG | CR0_WP, .cr3 = at(TOP), .cr4 = cr4, .efer = efer
	};
}

static void leads_to(uint64_t va, unsigned access, uint64_t pa)
{
	gpa_t out = gpa(~0ull);

	assert_int_equal(guest_walk(&vcpu, gva(va), access, &out), WALK_OK);
	assert_int_equal(out.a, pa);
	assert_int_equal(held, 0);
}

static void stops(uint64_t va, unsigned access, enum walk_result why)
{
	gpa_t out;

	assert_int_equal(guest_walk(&vcpu, gva(va), access, &out), why);
	assert_int_equal(held, 0);
}

/* ---- the guest's pages ----------------------------------------------------------------------------------- */

/* Through nested pages of each size. */
static void each(void (*check)(void))
{
	for (unsigned shift = 0; shift <= 18; shift += 9) {
		set_nested(shift);
		check();
		assert_int_equal(slow_looks, 0);
	}
}

static void long_mode(void)
{
	const uint64_t high = 0xffff800000000000ull; /* entry 256 of the top */

	use_mode(CR4_PAE, EFER_LMA | EFER_NXE);
	put(TOP, 256, at(THIRD) | RWU);
	put(THIRD, 1, 0x7ffc0000000ull | RWU | PTE_LARGE | BIT(12)); /* bit 12 is the PAT's there */
	put(THIRD, 2, at(SECOND) | RWU);
	put(SECOND, 3, 0x12345600000ull | RWU | PTE_LARGE | BIT(12));
	put(SECOND, 4, at(FIRST) | RWU);
	put(FIRST, 5, 0xabcdef000ull | RWU | PAT);
	leads_to(high | 1ull << 30 | 0x2fedcba9, WALK_WRITE, 0x7ffc0000000ull | 0x2fedcba9);
	leads_to(high | 2ull << 30 | 3 << 21 | 0x1edcba, WALK_FETCH, 0x12345600000ull | 0x1edcba);
	leads_to(high | 2ull << 30 | 4 << 21 | 5 << 12 | 0x123, WALK_USER, 0xabcdef123ull);
	stops(high | 2ull << 30 | 4 << 21 | 6 << 12, 0, WALK_NOT_PRESENT);
	stops(high | 3ull << 30, 0, WALK_NOT_PRESENT);
	put(TOP, 257, 0x40000000 | RWU | PTE_LARGE); /* no page has 512 GiB */
	stops(high | 1ull << 39, 0, WALK_PROTECTION);
	stops(0x0000800000000000ull, 0, WALK_NOT_CANONICAL);
}

static void pae(void)
{
	/* The four top entries need not begin on a page, and have no rights: bits 1, 2 and 63 are reserved. */
	use_mode(CR4_PAE, EFER_NXE);
	paging.cr3 = at(TOP) | 0x60 | 0x1f;
	put(TOP, 0x60 / 8 + 3, at(SECOND) | PTE_PRESENT);
	put(SECOND, 511, 0xf00200000ull | RWU | PTE_LARGE);
	put(SECOND, 1, at(FIRST) | RWU);
	put(FIRST, 2, 0xfedcba000ull | RWU | PAT | PTE_NX);
	leads_to(0xfffffabc, WALK_WRITE | WALK_USER, 0xf003ffabcull);
	leads_to(0xc0202def, WALK_WRITE | WALK_USER, 0xfedcbadefull);
	leads_to(0xffffffffc0202defull, 0, 0xfedcbadefull); /* 32 bits of it count */
	stops(0xc0202def, WALK_FETCH, WALK_PROTECTION);
	stops(0x80000000, 0, WALK_NOT_PRESENT);
	put(TOP, 0x60 / 8, 0x40000000 | PTE_PRESENT | PTE_LARGE); /* nor 1 GiB, here */
	stops(0, 0, WALK_PROTECTION);
}

static void two_levels(void)
{
	use_mode(CR4_PSE, 0);
	put32(TOP, 1023, 0xff800000 | 0xa5 << 13 | (uint32_t)(RWU | PTE_LARGE));
	put32(TOP, 1, (uint32_t)(at(FIRST) | RWU | PTE_LARGE));
	put32(TOP, 2, (uint32_t)(at(FIRST) | RWU));
	put32(FIRST, 2, 0xfedcb000 | (uint32_t)(RWU | PAT));
	leads_to(0xfffedcba, WALK_WRITE, 0xa5ffbedcbaull); /* bits 39..32 in 20..13 */
	leads_to(0x00802abc, WALK_WRITE, 0xfedcbabc);
	/* Nothing is large now. */
	paging.cr4 = 0;
	leads_to(0x00402abc, WALK_WRITE, 0xfedcbabc);
	stops(0x00403abc, 0, WALK_NOT_PRESENT);
}

static void no_paging(void)
{
	use_mode(0, 0);
	paging.cr0 = 0;
	leads_to(0x1fedcba98ull, WALK_WRITE | WALK_USER, 0xfedcba98);
}

static void every_mode_has_every_size_of_page(void **state)
{
	each(long_mode);
	each(pae);
	each(two_levels);
	each(no_paging);
}

/* What one level denies, the levels below do not give. */
static void rights(void)
{
	for (unsigned denied = 0; denied < 4; denied++) {
		const unsigned tables[] = { TOP, THIRD, SECOND, FIRST };

		use_mode(CR4_PAE, EFER_LMA | EFER_NXE);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t to = i < 3 ? at(tables[i + 1]) : 0x1000000;

			put(tables[i], 0, to | (i == denied ? PTE_PRESENT | PTE_NX : RWU));
		}
		leads_to(0x10, 0, 0x1000010);
		stops(0x10, WALK_WRITE, WALK_PROTECTION);
		stops(0x10, WALK_USER, WALK_PROTECTION);
		stops(0x10, WALK_FETCH, WALK_PROTECTION);
		paging.cr0 &= ~(uint64_t)CR0_WP;
		paging.efer &= ~(uint64_t)EFER_NXE;
		leads_to(0x10, WALK_WRITE | WALK_FETCH, 0x1000010);
		stops(0x10, WALK_WRITE | WALK_USER, WALK_PROTECTION);
	}
}

static void rights_are_those_of_all_levels(void **state)
{
	each(rights);
}

/* ---- the nested pages ----------------------------------------------------------------------------------- */

static void plain(uint64_t g, uint64_t m)
{
	mfn_t out;

	assert_true(npt_ram(&domain, gfn(g), &out));
	assert_int_equal(out.n, m);
}

static void not_plain(uint64_t g)
{
	mfn_t out;

	assert_false(npt_ram(&domain, gfn(g), &out));
}

static void ram_is_found_in_nested_pages_of_every_size(void **state)
{
	const unsigned l2 = FIRST_NESTED + 1, l1 = FIRST_NESTED + 2, l0 = FIRST_NESTED + 3;

	set_nested(0);
	table(l2)[511] = arch_pte_leaf(mfn(0x40000), P2M_RAM_RW, 2);
	table(l1)[7] = arch_pte_leaf(mfn(0x12200), P2M_RAM_RW, 1);
	plain(511ull << 18 | 0x3ffff, 0x7ffff);
	plain(7 << 9 | 0x1ff, 0x123ff);
	plain(3, machine(3));
	not_plain(1ull << 27);
	not_plain(510ull << 18);
	not_plain(8 << 9);
	not_plain(FIRST_NESTED);
	for (unsigned t = 0; t < NR_P2M_TYPES; t++) {
		if (t == P2M_NONE || t == P2M_RAM_RW)
			continue;
		table(l2)[510] = arch_pte_leaf(mfn(0x40000), t, 2);
		table(l1)[8] = arch_pte_leaf(mfn(0x12200), t, 1);
		table(l0)[FIRST_NESTED] = arch_pte_leaf(mfn(1), t, 0);
		not_plain(510ull << 18);
		not_plain(8 << 9);
		not_plain(FIRST_NESTED);
	} /* Beyond the address space, and what follows the top table says that it is there. */
	table(l2)[0] = arch_pte_leaf(mfn(l2), P2M_RAM_RW, 0);
	plain(0, l2);
	not_plain(1ull << 36);
}

/* A table in a page that is not plain RAM is p2m_lookup()'s to find; one that is nowhere ends the walk. */
static void tables_elsewhere_are_looked_up(void **state)
{
	set_nested(0);
	use_mode(CR4_PAE, EFER_LMA);
	paging.cr3 = at(FIRST_NESTED);
	stops(0, 0, WALK_NOT_PRESENT);
	assert_int_equal(slow_looks, 1);
	slow = (struct p2m_entry){ .type = P2M_RAM_RO, .mfn = mfn(machine(TOP)) };
	put(TOP, 0, at(THIRD) | RWU);
	put(THIRD, 0, 0x40000000 | RWU | PTE_LARGE);
	leads_to(0x1234567, 0, 0x41234567);
	assert_int_equal(slow_looks, 2);
	slow.type = P2M_MMIO_DIRECT;
	stops(0, 0, WALK_NOT_PRESENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode_has_every_size_of_page),
		cmocka_unit_test(rights_are_those_of_all_levels),
		cmocka_unit_test(ram_is_found_in_nested_pages_of_every_size),
		cmocka_unit_test(tables_elsewhere_are_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
