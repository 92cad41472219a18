/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What core asks about second-stage entries, and how it reaches frames. Core walks and edits the
 * tables (core/mem/p2m.c); these functions translate between its words and the hardware's and never
 * allocate. Every table has 512 entries of 8 bytes; level 0 holds 4 KiB leaves, 1 holds 2 MiB, 2 holds
 * 1 GiB, 3 and 4 only tables. An all-zero entry is empty.
 *
 * Arm: DDI 0487 D8 (stage 2, VMSAv8-64). AMD: APM vol. 2, 15.25.
 */
#ifndef ARCH_MEMORY_H
#define ARCH_MEMORY_H

#include <asm/layout.h> /* FRAME_TABLE_BASE, DIRECT_BASE: where hv/frame.h finds entries and our own frames */
#include <hv/frame.h>
#include <hv/p2m.h>

typedef uint64_t pte_t;
#define PTES_PER_TABLE 512u

pte_t arch_pte_leaf(mfn_t m, enum p2m_type t, unsigned level);
pte_t arch_pte_table(mfn_t table);
bool arch_pte_is_table(pte_t e, unsigned level);
/* Leaf or table: the frame it points to. */
mfn_t arch_pte_mfn(pte_t e);
enum p2m_type arch_pte_type(pte_t e, unsigned level);
/* One store that a hardware walker may see at any moment, ordered after all earlier ones. */
void arch_pte_write(pte_t *slot, pte_t e);
/* Old translations must be flushed between `old` being cleared and `new` written (Arm: break-before-make). */
bool arch_pte_must_break(pte_t old, pte_t new, unsigned level);

/*
 * Fill in levels, root_order and tag (a VMID or ASID; -EBUSY class refusal when all are taken).
 * Core allocates the root afterwards.
 */
MUST_USE int arch_view_init(struct p2m_view *view);
/* The view is gone: its tag may be used again once nothing is cached under it. */
void arch_view_free(struct p2m_view *view);
/*
 * On return no CPU can use a translation of `view` for the `n` frames at `g` that was removed before the call
 * (n = 0: any frame). p2m->lock held.
 */
void arch_p2m_flush(struct p2m_view *view, gfn_t g, uint64_t n);
/*
 * The mapping of [g, g + n) permits more than before: on return a CPU that faulted because of what it permitted then does not fault
 * again. p2m->lock held.
 */
void arch_p2m_widened(struct p2m_view *view, gfn_t g, uint64_t n);

/*
 * Core's side door for frames of guests: map for the moment of a copy. Nests two deep. On 64-bit
 * today this is address arithmetic; nothing may assume so.
 */
void *arch_frame_map(mfn_t m);
void arch_frame_unmap(void *va);

/*
 * Make sure the frame table covers [m, m + n): maps memory taken with `take`, which gives cleared frames. Never
 * called on two CPUs at once (FRAMETABLE lock). False: `take` had no more.
 */
MUST_USE bool arch_frame_table_extend(mfn_t m, uint64_t n, mfn_t (*take)(void));
/* Data cache: the guest may look at these bytes with caches off, or execute them. */
void arch_clean_dcache(const void *va, size_t n);
void arch_clean_invalidate_dcache(const void *va, size_t n);
/* A page that a guest may write meanwhile; the copy is cleaned and invalidated as by arch_clean_invalidate_dcache(). */
void arch_copy_page(void *dst, const void *src);

#endif
