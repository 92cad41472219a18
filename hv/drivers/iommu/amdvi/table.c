/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that a unit reads from memory, as values (48882, 2.2). Nothing here touches memory or hardware. */
#include "amdvi.h"

/* ---- device table (2.2.2.1) ------------------------------------------------------------------ */

#define DTE_VALID             BIT(0)
#define DTE_TRANSLATE         BIT(1) /* TV */
#define DTE_MODE_SHIFT        9 /* levels of the page tables; 0: none, IR and IW decide alone */
#define DTE_READ              BIT(61)
#define DTE_WRITE             BIT(62)
#define DTE1_ONCE             BIT(33) /* SE: after a fault no more reports until the entry is read again */
#define DTE2_IRQ_VALID        BIT(0)
#define DTE2_IRQ_LENGTH_SHIFT 1
#define DTE2_CONTROL_SHIFT \
	60 /* fixed and arbitrated interrupts: 0 abort, 1 as they are, 2 by the table */
#define DTE2_REMAP 2ull

_Static_assert(AMDVI_IRQS == 1u << 8, "amdvi_dte_context says 8");

/* Translation is on, without tables, and IR and IW, which then decide, are clear; interrupts are aborted. */
void amdvi_dte_block(struct amdvi_dte *e)
{
	*e = (struct amdvi_dte){ { DTE_VALID | DTE_TRANSLATE, DTE1_ONCE, DTE2_IRQ_VALID, 0 } };
}

void amdvi_dte_irqs(struct amdvi_dte *e, mfn_t irq_table)
{
	e->word[2] = DTE2_IRQ_VALID | DTE2_REMAP << DTE2_CONTROL_SHIFT |
		     8ull << DTE2_IRQ_LENGTH_SHIFT | mfn_to_paddr(irq_table).a;
}

void amdvi_dte_context(struct amdvi_dte *e, const struct iommu_context *c, mfn_t irq_table)
{
	*e = (struct amdvi_dte){ { DTE_VALID | DTE_TRANSLATE | DTE_READ | DTE_WRITE |
				       (uint64_t)c->levels << DTE_MODE_SHIFT |
				       mfn_to_paddr(c->root).a,
				   DTE1_ONCE | c->tag, DTE2_IRQ_VALID, 0 } };
	if (mfn_valid(irq_table))
		amdvi_dte_irqs(e, irq_table);
}

/* ---- page tables (2.2.3) --------------------------------------------------------------------- */

#define PTE_PRESENT    BIT(0)
#define PTE_NEXT_SHIFT 9 /* level of the table below; 0: a page of this level's usual size */
#define PTE_NEXT       (7ull << PTE_NEXT_SHIFT)
#define PTE_FRAME      0x000ffffffffff000ull
#define PTE_COHERENT   BIT(60)
#define PTE_READ       BIT(61)
#define PTE_WRITE      BIT(62)

static uint64_t leaf(mfn_t m, unsigned access, unsigned level)
{
	return PTE_PRESENT | PTE_COHERENT | mfn_to_paddr(m).a |
	       (access & IOMMU_READ ? PTE_READ : 0) | (access & IOMMU_WRITE ? PTE_WRITE : 0);
}

/* The manual counts levels from 1. */
static uint64_t table(mfn_t t, unsigned level)
{
	return PTE_PRESENT | PTE_READ | PTE_WRITE | mfn_to_paddr(t).a |
	       (uint64_t)level << PTE_NEXT_SHIFT;
}

static bool is_table(uint64_t e, unsigned level)
{
	return e & PTE_NEXT;
}

static mfn_t entry_mfn(uint64_t e)
{
	return paddr_to_mfn(paddr(e & PTE_FRAME));
}

static unsigned access(uint64_t e)
{
	return (e & PTE_READ ? IOMMU_READ : 0) | (e & PTE_WRITE ? IOMMU_WRITE : 0);
}

/* Walks look into the CPUs' caches: COHERENT is set in the control register. */
const struct iommu_format amdvi_format = { leaf, table, is_table, entry_mfn, access, NULL };

/* ---- interrupt tables (2.2.5.2): 32-bit entries, 8-bit physical destinations -------------------- */

#define IRTE_ENABLE       BIT(0)
#define IRTE_TARGET_SHIFT 8
#define IRTE_VECTOR_SHIFT 16

uint32_t amdvi_irte(const struct iommu_irq_target *to)
{
	return to ? (uint32_t)(IRTE_ENABLE | (to->cpu & 0xff) << IRTE_TARGET_SHIFT |
			       (uint32_t)to->vector << IRTE_VECTOR_SHIFT)
		  : 0;
}
