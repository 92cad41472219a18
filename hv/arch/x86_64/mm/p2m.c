/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nested page tables: the answers of arch/memory.h for AMD (APM vol. 2, 15.25; entries are those of 5.4, user bit set). The type lies in
 * four bits that the processor ignores. Flushing is lazy and local: the view's generation rises, CPUs that are in guest mode with
 * it are kicked out, and each takes a fresh tag at its next entry (svm/exit.c).
 */
#include <arch/memory.h>

#include <arch/cpu.h>
#include <asm/mm.h>
#include <asm/walk.h>
#include <hv/domain.h>

#define NPT_USER       BIT(2)
#define NPT_TYPE_SHIFT 52
#define NPT_TYPE       (0xfull << NPT_TYPE_SHIFT)
#define NPT_UNCACHED   (BIT(3) | BIT(4)) /* PAT entry 3: UC whatever the guest's says */

_Static_assert(NR_P2M_TYPES <= 16, "four bits of an entry hold the type");

/* Present entries by type; the rest is kept, not present, for its type. */
static const uint64_t type_bits[NR_P2M_TYPES] = {
	[P2M_RAM_RW] = PTE_PRESENT | PTE_WRITE,
	[P2M_RAM_RO] = PTE_PRESENT,
	[P2M_LOGDIRTY] = PTE_PRESENT,
	[P2M_MMIO_DIRECT] = PTE_PRESENT | PTE_WRITE | NPT_UNCACHED | PTE_NX,
	[P2M_GRANT_RW] = PTE_PRESENT | PTE_WRITE | PTE_NX,
	[P2M_GRANT_RO] = PTE_PRESENT | PTE_NX,
	[P2M_FOREIGN] = PTE_PRESENT | PTE_WRITE | PTE_NX,
	[P2M_SHARED] = PTE_PRESENT | PTE_WRITE | PTE_NX,
};

pte_t arch_pte_leaf(mfn_t m, enum p2m_type t, unsigned level)
{
	uint64_t e = (uint64_t)t << NPT_TYPE_SHIFT | type_bits[t];

	if (e & PTE_PRESENT)
		e |= NPT_USER | PTE_ACCESSED | PTE_DIRTY | (level ? PTE_LARGE : 0);
	return e | (mfn_valid(m) ? mfn_to_paddr(m).a & PTE_ADDRESS : 0);
}

/* A table entry has no type: that tells it from a leaf that is not present. */
pte_t arch_pte_table(mfn_t table)
{
	return mfn_to_paddr(table).a | PTE_PRESENT | PTE_WRITE | NPT_USER | PTE_ACCESSED;
}

bool arch_pte_is_table(pte_t e, unsigned level)
{
	return level > 0 && (e & PTE_PRESENT) && !(e & PTE_LARGE);
}

mfn_t arch_pte_mfn(pte_t e)
{
	return paddr_to_mfn(paddr(e & PTE_ADDRESS));
}

enum p2m_type arch_pte_type(pte_t e, unsigned level)
{
	return (enum p2m_type)((e & NPT_TYPE) >> NPT_TYPE_SHIFT);
}

static inline const pte_t *next_table(pte_t e)
{
	return frame_va(paddr_to_mfn(paddr(e & PTE_ADDRESS)));
}

static inline bool plain_ram(pte_t e, gfn_t g, unsigned shift, mfn_t *m)
{
	m->n = ((e & PTE_ADDRESS) >> PAGE_SHIFT) + (g.n & (BIT(shift) - 1));
	return (e & (NPT_TYPE | PTE_PRESENT)) ==
	       ((uint64_t)P2M_RAM_RW << NPT_TYPE_SHIFT | PTE_PRESENT);
}

/*
 * Only what every RAM page usually is; p2m_lookup() does the rest, and whoever has to wait for a change to be over. Level by level, for each access to a guest's
 * memory through its own tables comes here five times.
 */
bool npt_ram(const struct domain *d, gfn_t g, mfn_t *m)
{
	const pte_t *table = frame_va(d->p2m.view.root);
	pte_t e;

	if (unlikely(g.n >> 36))
		return false;
	e = load_acquire(&table[g.n >> 27]);
	if (unlikely(!(e & PTE_PRESENT)))
		return false;
	e = load_acquire(&next_table(e)[g.n >> 18 & (PTES - 1)]);
	if (unlikely(!(e & PTE_PRESENT)))
		return false;
	if (e & PTE_LARGE)
		return plain_ram(e, g, 18, m);
	e = load_acquire(&next_table(e)[g.n >> 9 & (PTES - 1)]);
	if (unlikely(!(e & PTE_PRESENT)))
		return false;
	if (e & PTE_LARGE)
		return plain_ram(e, g, 9, m);
	return plain_ram(load_acquire(&next_table(e)[g.n & (PTES - 1)]), g, 0, m);
}

void arch_pte_write(pte_t *slot, pte_t e)
{
	store_release(slot, e);
}

/* Sizes and addresses may change in one store; a flush afterwards is enough (APM vol. 2, 5.5.2). */
bool arch_pte_must_break(pte_t old, pte_t new, unsigned level)
{
	return false;
}

int arch_view_init(struct p2m_view *view)
{
	view->levels = 4;
	view->root_order = 0;
	view->tag = 0; /* ASIDs belong to CPUs here, not to views */
	return 0;
}

void arch_view_free(struct p2m_view *view) {}

void arch_p2m_flush(struct p2m_view *view, gfn_t g, uint64_t n)
{
	struct cpu *self = this_cpu();

	store_release(&view->generation, view->generation + 1);
	atomic_fence(); /* pairs with svm_run(): number of the stay and mode before the generation */
	cpuset_for_each(id, &cpus_online)
	{
		struct cpu *c = cpu_get(id);
		const struct vcpu *v = read_once(&c->current);
		uint32_t entries = read_once(&c->arch.entries);

		if (c == self || !v || &v->domain->p2m.view != view ||
		    read_once(&c->mode) != CPU_GUEST)
			continue;
		arch_cpu_kick(c);
		/* Bounded by that CPU's reaction to an interrupt: a guest cannot hold it off. */
		while (read_once(&c->mode) == CPU_GUEST && read_once(&c->arch.entries) == entries)
			arch_cpu_relax();
	}
}

/* A nested fault drops what it met in the TLB (APM vol. 2, 5.5.2), and another CPU comes here by a fault of its own. */
void arch_p2m_widened(struct p2m_view *view, gfn_t g, uint64_t n) {}

void arch_flush_local(void) {}
