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

/*
 * The RAM frame at `g`, held. What p2m_lookup() says, for entries of the ordinary kind: those need no more than loads, and
 * each level of a guest's tables asks. An entry that changes meanwhile is the old or the new; the reference says whose frame it is. All
 * frames are mapped here, a guest's too (frame_va()).
 */
static ALWAYS_INLINE bool hold(struct domain *d, gfn_t g, mfn_t *m)
{
	struct p2m_entry p;

	if (likely(npt_ram(d, g, m)))
		return frame_get(*m, d);
	p = p2m_lookup(d, g);
	*m = p.mfn;
	return p2m_type_is_ram(p.type) && frame_get(p.mfn, d);
}

/* One entry of a guest's table. False: the table is not in RAM. */
static ALWAYS_INLINE bool read_entry(struct domain *d, uint64_t pa, unsigned size, uint64_t *e)
{
	const char *va;
	mfn_t m;

	if (!hold(d, gpa_to_gfn(gpa(pa)), &m))
		return false;
	va = (const char *)frame_va(m) + (pa & (PAGE_SIZE - 1));
	*e = size == 8 ? read_once((const uint64_t *)va) : read_once((const uint32_t *)va);
	frame_put(m);
	return true;
}

bool guest_code_read(struct domain *d, gpa_t pa, uint8_t *buf, unsigned n)
{
	const uint8_t *from;
	mfn_t m;

	if (!hold(d, gpa_to_gfn(pa), &m))
		return false;
	from = (const uint8_t *)frame_va(m) + (pa.a & (PAGE_SIZE - 1));
	for (unsigned i = 0; i < n; i++)
		buf[i] = read_once(&from[i]);
	frame_put(m);
	return true;
}

struct geometry {
	unsigned levels, entry_size, index_bits;
	uint64_t root, mask; /* address bits of entries */
};

/* Outside long mode. */
static struct geometry geometry_of(const struct hvm_paging *p)
{
	if (p->cr4 & CR4_PAE)
		return (struct geometry){ 3, 8, 9, p->cr3 & 0xffffffe0, PTE_ADDRESS };
	return (struct geometry){ 2, 4, 10, p->cr3 & 0xfffff000, 0xfffff000 };
}

/* Protection of a leaf, with the rights of the tables above already and-ed in. */
static enum walk_result permitted(const struct hvm_paging *p, uint64_t rights, uint64_t nx,
				  unsigned access)
{
	if ((access & WALK_USER) && !(rights & GUEST_USER))
		return WALK_PROTECTION;
	if ((access & WALK_WRITE) && !(rights & PTE_WRITE) &&
	    ((p->cr0 & CR0_WP) || (access & WALK_USER)))
		return WALK_PROTECTION;
	if ((access & WALK_FETCH) && (nx & PTE_NX) && (p->efer & EFER_NXE))
		return WALK_PROTECTION;
	return WALK_OK;
}

/* Compiled once for long mode, where most of it is constant, and once for the others. */
static ALWAYS_INLINE enum walk_result walk(struct vcpu *v, const struct hvm_paging *p,
					   struct geometry g, gva_t va, unsigned access, gpa_t *out)
{
	uint64_t rights = PTE_WRITE | GUEST_USER, nx = 0, table = g.root;

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
		if (level && (e & PTE_LARGE) && (g.levels != 2 || (p->cr4 & CR4_PSE))) {
			uint64_t size = 1ull << shift;

			if (g.levels > 2 && level == g.levels - 1)
				return WALK_PROTECTION; /* reserved at the top */
			if (g.levels == 2)              /* PSE-36: bits 39..32 in 20..13 */
				table = (e & 0xffc00000) | (e >> 13 & 0xff) << 32;
			*out = gpa((table & ~(size - 1)) | (va.a & (size - 1)));
			return permitted(p, rights, nx, access);
		}
	}
	*out = gpa(table | (va.a & (PAGE_SIZE - 1)));
	return permitted(p, rights, nx, access);
}

static NOINLINE enum walk_result walk_narrow(struct vcpu *v, const struct hvm_paging *p, gva_t va,
					     unsigned access, gpa_t *out)
{
	return walk(v, p, geometry_of(p), gva((uint32_t)va.a), access, out);
}

enum walk_result guest_walk(struct vcpu *v, gva_t va, unsigned access, gpa_t *out)
{
	struct hvm_paging p;

	hvm->get_paging(v, &p);
	if (unlikely(!(p.cr0 & CR0_PG))) {
		*out = gpa(va.a & 0xffffffff);
		return WALK_OK;
	}
	if (unlikely(!(p.efer & EFER_LMA)))
		return walk_narrow(v, &p, va, access, out);
	if (unlikely((uint64_t)((int64_t)(va.a << 16) >> 16) != va.a))
		return WALK_NOT_CANONICAL;
	return walk(v, &p, (struct geometry){ 4, 8, 9, p.cr3 & PTE_ADDRESS, PTE_ADDRESS }, va,
		    access, out);
}

bool arch_guest_translate(struct vcpu *v, gva_t va, bool write, mfn_t *m)
{
	struct p2m_entry p;
	gpa_t pa;

	if (guest_walk(v, va, write ? WALK_WRITE : 0, &pa) != WALK_OK)
		return false;
	if (likely(npt_ram(v->domain, gpa_to_gfn(pa), m)))
		return true;
	p = p2m_lookup(v->domain, gpa_to_gfn(pa));
	if (!p2m_type_is_ram(p.type) || (write && p.type == P2M_RAM_RO))
		return false; /* the door tells the log of each write */
	*m = p.mfn;
	return true;
}
