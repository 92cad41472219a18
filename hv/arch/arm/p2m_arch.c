/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second-stage tables as the hardware has them (DDI 0487, D8.3, VMSAv8-64 stage 2, 4 KiB granule), the
 * identifiers that tag their translations (VMIDs), flushing, and the translation of a guest's own addresses
 * by the CPU. core/mem/p2m.c walks and edits the tables and asks here about entries.
 *
 * An entry: bits 58..55 are software's and hold the type (enum p2m_type), also in entries that
 * are not valid. 54 XN, 10 AF, 9..8 SH, 7..6 S2AP, 5..2 MemAttr, 1 table or page, 0 valid.
 *
 *	input address  start level  root tables
 *	up to 39 bits	    1		1
 *	40 .. 43	    1		2 .. 16, concatenated
 *	44 .. 48	    0		1
 */
#include <arch/guest.h>
#include <arch/memory.h>

#include <asm/speculation.h>
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/assert.h>
#include <hv/boot.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <hv/lock.h>

#define PTE_VALID      BIT(0)
#define PTE_TABLE      BIT(1)       /* at levels 0..2; at level 3: a page */
#define PTE_NORMAL     (15ull << 2) /* write-back, inner and outer */
#define PTE_DEVICE     (1ull << 2)  /* nGnRE */
#define PTE_READ       BIT(6)
#define PTE_WRITE      BIT(7)
#define PTE_INNER      (3ull << 8)
#define PTE_OUTER      (2ull << 8)
#define PTE_ACCESSED   BIT(10)
#define PTE_NO_EXEC    BIT(54)
#define PTE_TYPE_SHIFT 55
#define PTE_ADDRESS    0x0000fffffffff000ull

static uint64_t vtcr;      /* [c] */
static unsigned ipa_bits;  /* [c] */
static unsigned vmid_bits; /* [c] 8 or 16 */

/* VMIDs in use. More domains than this at once would need a larger map, not another scheme. */
#define MAX_VMIDS 4096u
static struct lock vmid_lock = LOCK_INIT(RANK_POOL);
static uint64_t vmid_used[MAX_VMIDS / 64]; /* [vmid_lock] */

/* PARange: bits of a physical address (D17.2.64). 52 needs another granule or FEAT_LPA2. */
static const uint8_t pa_sizes[] = { 32, 36, 40, 42, 44, 48 };

/* ---- entries ------------------------------------------------------------------------------------- */

pte_t arch_pte_leaf(mfn_t m, enum p2m_type t, unsigned level)
{
	pte_t e = (pte_t)t << PTE_TYPE_SHIFT;

	switch (t) {
	case P2M_RAM_RW: e |= PTE_NORMAL | PTE_INNER | PTE_READ | PTE_WRITE; break;
	case P2M_RAM_RO:
	case P2M_LOGDIRTY: e |= PTE_NORMAL | PTE_INNER | PTE_READ; break;
	/* Pages that somebody else can write are not for running. */
	case P2M_GRANT_RW:
	case P2M_FOREIGN:
	case P2M_IOREQ:
	case P2M_SHARED: e |= PTE_NORMAL | PTE_INNER | PTE_READ | PTE_WRITE | PTE_NO_EXEC; break;
	case P2M_GRANT_RO: e |= PTE_NORMAL | PTE_INNER | PTE_READ | PTE_NO_EXEC; break;
	case P2M_MMIO_DIRECT:
		e |= PTE_DEVICE | PTE_OUTER | PTE_READ | PTE_WRITE | PTE_NO_EXEC;
		break;
	default: /* P2M_NONE, and those that always fault: the type alone */ return e;
	}
	return e | mfn_to_paddr(m).a | PTE_ACCESSED | PTE_VALID | (level == 0 ? PTE_TABLE : 0);
}

pte_t arch_pte_table(mfn_t table)
{
	return mfn_to_paddr(table).a | PTE_TABLE | PTE_VALID;
}

bool arch_pte_is_table(pte_t e, unsigned level)
{
	return level > 0 && (e & (PTE_TABLE | PTE_VALID)) == (PTE_TABLE | PTE_VALID);
}

mfn_t arch_pte_mfn(pte_t e)
{
	return e & PTE_VALID ? paddr_to_mfn(paddr(e & PTE_ADDRESS)) : INVALID_MFN;
}

enum p2m_type arch_pte_type(pte_t e, unsigned level)
{
	return (enum p2m_type)((e >> PTE_TYPE_SHIFT) & 15);
}

void arch_pte_write(pte_t *slot, pte_t e)
{
	dmb(ishst); /* a table is complete before it is linked */
	write_once(slot, e);
	dsb(ishst); /* and walkers see the entry before what follows relies on it */
}

/*
 * D8.14.1: replacing one valid entry by another needs an invalid one in between when the size, the address or
 * the memory type changes. Permissions alone may change in place.
 */
bool arch_pte_must_break(pte_t old, pte_t new, unsigned level)
{
	const pte_t may_change = PTE_READ | PTE_WRITE | PTE_NO_EXEC | 15ull << PTE_TYPE_SHIFT;

	return (old & new &PTE_VALID) && ((old ^ new) & ~may_change);
}

/* ---- views ----------------------------------------------------------------------------------------- */

uint64_t p2m_vtcr(void)
{
	return vtcr;
}

uint64_t p2m_guest_pa_range(void)
{
	unsigned range = ARRAY_SIZE(pa_sizes) - 1;

	while (range && pa_sizes[range] > ipa_bits)
		range--;
	return range;
}

uint64_t p2m_vttbr(const struct p2m_view *view)
{
	return mfn_to_paddr(view->root).a | (uint64_t)view->tag << 48;
}

BOOT_TEXT void p2m_boot_init(void)
{
	uint64_t mmfr0 = sysreg_read(id_aa64mmfr0_el1), mmfr1 = sysreg_read(id_aa64mmfr1_el1);
	unsigned range = (unsigned)MIN(mmfr0 & 15, (uint64_t)5), pa_bits = pa_sizes[range];
	uint64_t end = 0;

	/*
	 * Forty bits hold every address of xen/arch-arm.h and walk one level less than more; a direct-mapped
	 * domain needs as many as the machine's RAM.
	 */
	for (uint32_t i = 0; i < boot_info.nr_memory; i++)
		end = MAX(end, boot_info.memory[i].end.a);
	ipa_bits = MIN(pa_bits, 40u);
	while (ipa_bits < pa_bits && end > BIT(ipa_bits))
		ipa_bits++;
	vmid_bits = ((mmfr1 >> 4) & 15) == 2 ? 16 : 8;

	/*
	 * VTCR_EL2 (D17.2.151): T0SZ, SL0 (start level), walks write-back and inner shareable, 4 KiB granule,
	 * PS, VS; bit 31 is reserved-one.
	 */
	vtcr = BIT(31) | (64 - ipa_bits) | (uint64_t)(ipa_bits > 43 ? 2 : 1) << 6 | 1u << 8 |
	       1u << 10 | 3u << 12 | (uint64_t)range << 16 | (vmid_bits == 16 ? BIT(19) : 0);
	vmid_used[0] = 1; /* VMID 0: nobody's, for when no vCPU is loaded */
	log_info("second stage: %u-bit guest addresses, %u-bit VMIDs", ipa_bits, vmid_bits);
}

int arch_view_init(struct p2m_view *view)
{
	unsigned n = MIN(MAX_VMIDS, 1u << vmid_bits), tag;
	int err = 0;

	if (ipa_bits > 43) {
		view->levels = 4;
		view->root_order = 0;
	} else {
		view->levels = 3;
		view->root_order = (uint8_t)(ipa_bits > 39 ? ipa_bits - 39 : 0);
	}
	lock_take(&vmid_lock);
	for (tag = 0; tag < n; tag++)
		if (!(vmid_used[tag / 64] & BIT(tag % 64)))
			break;
	if (tag < n) {
		vmid_used[tag / 64] |= BIT(tag % 64);
		view->tag = (uint16_t)tag;
	} else {
		err = refuse(R_NO_VIEW_TAG, 0, n - 1, n);
	}
	lock_release(&vmid_lock);
	return err;
}

/*
 * Run `op` with the TLB instructions meaning `view`: they work on the VMID in VTTBR_EL2. Nothing runs in the
 * guest meanwhile, and the root of `view` is there.
 */
#define WITH_VIEW(view, op)                                                      \
	do {                                                                     \
		uint64_t mine_ = p2m_vttbr(view), was_ = sysreg_read(vttbr_el2); \
		struct stage1 held_ = { 0 };                                     \
		if (was_ != mine_) {                                             \
			stage1_hold(&held_);                                     \
			sysreg_write(vttbr_el2, mine_);                          \
			isb();                                                   \
		}                                                                \
		op;                                                              \
		dsb(ish);                                                        \
		isb();                                                           \
		if (was_ != mine_) {                                             \
			sysreg_write(vttbr_el2, was_);                           \
			stage1_release(&held_);                                  \
			isb();                                                   \
		}                                                                \
	} while (0)

#define FLUSH_BY_PAGE_MAX 16u

/* Both stages: a first-stage entry holds the address that the second one gave. */
static void flush_pages(gfn_t g, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		__asm__ volatile("tlbi ipas2e1is, %0" ::"r"(gfn_add(g, i).n & (BIT(36) - 1))
				 : "memory");
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
}

static void flush_all(void)
{
	__asm__ volatile("tlbi vmalls12e1is" ::: "memory");
}

void arch_p2m_flush(struct p2m_view *view, gfn_t g, uint64_t n)
{
	dsb(ishst);
	if (n && n <= FLUSH_BY_PAGE_MAX)
		WITH_VIEW(view, flush_pages(g, n));
	else
		WITH_VIEW(view, flush_all());
}

/* An entry that refused an access may stay in the TLB (D8.14.1). */
void arch_p2m_widened(struct p2m_view *view, gfn_t g, uint64_t n)
{
	arch_p2m_flush(view, g, n);
}

void arch_view_free(struct p2m_view *view)
{
	/* A later domain with this VMID must find nothing. */
	if (mfn_valid(view->root))
		WITH_VIEW(view, flush_all());
	lock_take(&vmid_lock);
	vmid_used[view->tag / 64] &= ~BIT(view->tag % 64);
	lock_release(&vmid_lock);
}

/* ---- a guest's own addresses ------------------------------------------------------------------------ */

/* PAR_EL1 (D17.2.109). */
#define PAR_FAULT   BIT(0)
#define PAR_ADDRESS 0x000ffffffffff000ull

/* PAR_EL1 is the guest's: it may be between an AT of its own and the look at the answer. */
#define TRANSLATE(stages, va, write)                                          \
	({                                                                    \
		uint64_t saved_ = sysreg_read(par_el1), par_;                 \
		if (write)                                                    \
			__asm__ volatile("at " stages "w, %0" ::"r"((va).a)); \
		else                                                          \
			__asm__ volatile("at " stages "r, %0" ::"r"((va).a)); \
		isb();                                                        \
		par_ = sysreg_read(par_el1);                                  \
		sysreg_write(par_el1, saved_);                                \
		par_;                                                         \
	})

bool arch_guest_translate(struct vcpu *v, gva_t va, bool write, mfn_t *m)
{
	uint64_t par = TRANSLATE("s12e1", va, write);
	struct p2m_entry e;
	gpa_t pa;

	if (likely(!(par & PAR_FAULT))) {
		*m = paddr_to_mfn(paddr(par & PAR_ADDRESS));
		return true;
	}
	/* Perhaps only the log of writes is in the way: the door is told of each anyway. */
	if (!write || !v->domain->p2m.log || !guest_translate_stage1(va, true, &pa))
		return false;
	e = p2m_lookup(v->domain, gpa_to_gfn(pa));
	*m = e.mfn;
	return e.type == P2M_LOGDIRTY;
}

/* The first stage alone, for an access that the second one refused. */
bool guest_translate_stage1(gva_t va, bool write, gpa_t *pa)
{
	uint64_t par = TRANSLATE("s1e1", va, write);

	if (par & PAR_FAULT)
		return false;
	*pa = gpa((par & PAR_ADDRESS) | (va.a & (PAGE_SIZE - 1)));
	return true;
}
