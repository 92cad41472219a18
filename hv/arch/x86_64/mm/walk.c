/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's own page tables, walked in software (APM vol. 2, 5): 32-bit, PAE and long mode, as the guest's kernel would access
 * the address. Entries are read once each, through references that are dropped at once; a guest that changes them meanwhile gets
 * the old or the new.
 */
#include <arch/guest.h>

#include <arch/memory.h>
#include <asm/hvm.h>
#include <asm/mm.h>
#include <asm/msr.h>
#include <asm/walk.h>
#include <hv/domain.h>

#define GUEST_USER BIT(2)

/* One entry of a guest's table. False: the table is not in RAM. */
static bool read_entry(struct domain *d, uint64_t pa, unsigned size, uint64_t *e)
{
	struct p2m_entry p = p2m_lookup(d, gpa_to_gfn(gpa(pa)));
	const char *va;

	if (!p2m_type_is_ram(p.type) || !frame_get(p.mfn, d))
		return false;
	va = arch_frame_map(p.mfn);
	*e = size == 8 ? read_once((const uint64_t *)(va + (pa & (PAGE_SIZE - 1))))
		       : read_once((const uint32_t *)(va + (pa & (PAGE_SIZE - 1))));
	arch_frame_unmap((void *)va);
	frame_put(p.mfn);
	return true;
}

struct geometry {
	unsigned levels, entry_size, index_bits;
	uint64_t root, mask; /* address bits of entries */
};

static struct geometry geometry_of(struct vcpu *v, uint64_t cr3, uint64_t cr4)
{
	if (hvm->get_efer(v) & EFER_LMA)
		return (struct geometry){ 4, 8, 9, cr3 & PTE_ADDRESS, PTE_ADDRESS };
	if (cr4 & CR4_PAE)
		return (struct geometry){ 3, 8, 9, cr3 & 0xffffffe0, PTE_ADDRESS };
	return (struct geometry){ 2, 4, 10, cr3 & 0xfffff000, 0xfffff000 };
}

/* Protection of a leaf, with the rights of the tables above already and-ed in. */
static enum walk_result permitted(struct vcpu *v, uint64_t rights, uint64_t nx, unsigned access)
{
	bool wp = hvm->get_cr(v, 0) & CR0_WP;

	if ((access & WALK_USER) && !(rights & GUEST_USER))
		return WALK_PROTECTION;
	if ((access & WALK_WRITE) && !(rights & PTE_WRITE) && (wp || (access & WALK_USER)))
		return WALK_PROTECTION;
	if ((access & WALK_FETCH) && (nx & PTE_NX) && (hvm->get_efer(v) & EFER_NXE))
		return WALK_PROTECTION;
	return WALK_OK;
}

enum walk_result guest_walk(struct vcpu *v, gva_t va, unsigned access, gpa_t *out)
{
	uint64_t cr4 = hvm->get_cr(v, 4), rights = PTE_WRITE | GUEST_USER, nx = 0, table;
	struct geometry g;

	if (!(hvm->get_cr(v, 0) & CR0_PG)) {
		*out = gpa(va.a & 0xffffffff);
		return WALK_OK;
	}
	g = geometry_of(v, hvm->get_cr(v, 3), cr4);
	if (g.levels == 4 && (uint64_t)((int64_t)(va.a << 16) >> 16) != va.a)
		return WALK_NOT_CANONICAL;
	if (g.levels < 4)
		va.a = (uint32_t)va.a;
	table = g.root;
	for (unsigned level = g.levels; level-- > 0;) {
		unsigned shift = PAGE_SHIFT + level * g.index_bits;
		uint64_t index = va.a >> shift & ((1u << g.index_bits) - 1), e;
		bool top_pae = g.levels == 3 && level == 2;

		if (top_pae)
			index &= 3;
		if (!read_entry(v->domain, table + index * g.entry_size, g.entry_size, &e))
			return WALK_NOT_PRESENT;
		if (!(e & PTE_PRESENT))
			return WALK_NOT_PRESENT;
		if (!top_pae) { /* the four top entries of PAE carry no rights */
			rights &= e;
			nx |= e;
		}
		table = e & g.mask;
		if (level && (e & PTE_LARGE) && (g.levels != 2 || (cr4 & CR4_PSE))) {
			uint64_t size = 1ull << shift;

			if (g.levels == 2) /* PSE-36: bits 39..32 in 20..13 */
				table = (e & 0xffc00000) | (e >> 13 & 0xff) << 32;
			*out = gpa((table & ~(size - 1)) | (va.a & (size - 1)));
			return permitted(v, rights, nx, access);
		}
	}
	*out = gpa(table | (va.a & (PAGE_SIZE - 1)));
	return permitted(v, rights, nx, access);
}

bool arch_guest_translate(struct vcpu *v, gva_t va, bool write, mfn_t *m)
{
	struct p2m_entry p;
	gpa_t pa;

	if (guest_walk(v, va, write ? WALK_WRITE : 0, &pa) != WALK_OK)
		return false;
	p = p2m_lookup(v->domain, gpa_to_gfn(pa));
	if (!p2m_type_is_ram(p.type) || (write && !p2m_type_writable(p.type)))
		return false;
	*m = p.mfn;
	return true;
}
