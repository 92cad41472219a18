/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machine frames: who owns each one, how many references it has, and which are free.
 *
 * Sixteen bytes describe a frame. An all-zero entry is a frame that was never used; the table is
 * mapped (zeroed) in steps as memory is first handed out, so nothing at boot is proportional to RAM.
 *
 *	NEVER -> USED          frame_alloc from never-used memory; cleared on the way
 *	FREE  -> USED          frame_alloc; cleared unless an idle CPU has done so already
 *	USED  -> FREE          the last frame_put
 *	USED  -> HELD          the owner gave it up while references of others remain
 *	HELD  -> FREE          the last frame_put
 *	FIRMWARE -> USED       frame_take_static, for frames reserved for one static domain; and back
 *
 * Frames of the hypervisor's own (domain structures, page tables, grant frames) have owner
 * DOMID_XEN and are charged to a pool (hv/pool.h) where a domain caused them.
 */
#ifndef HV_FRAME_H
#define HV_FRAME_H

#include <asm/layout.h> /* FRAME_TABLE_BASE, DIRECT_BASE */
#include <hv/addr.h>
#include <hv/atomic.h>
#include <hv/compiler.h>
#include <xen/xen.h>

struct domain;

enum frame_state {
	FRAME_NEVER,     /* never used since boot; contents unknown */
	FRAME_FREE,      /* in the buddy lists, head of 2^order */
	FRAME_FREE_TAIL, /* inside a free block */
	FRAME_USED,      /* owned, with references */
	FRAME_HELD,      /* owner gone, references remain */
	FRAME_FIRMWARE,  /* never ours to hand out: reserved, modules, the image */
};

#define FRAME_STATE(sf)   ((sf)&7u)
#define FRAME_DIRTY       0x0008u /* free and not yet scrubbed */
#define FRAME_ORDER_SHIFT 4       /* free head: order in 5 bits */
#define FRAME_ALLOCATED \
	0x0200u /* USED: the owner holds the allocation's own reference; HELD: still charged */
#define FRAME_STATIC      0x0400u /* belongs to a static domain for good: never into the heap */
#define FRAME_SHARED_INFO 0x0800u /* a frame of ours that a guest maps (shared_info, grants) */
#define FRAME_PARKED      0x1000u /* USED: ballooned out by a direct-mapped domain, kept for it */

struct frame {
	uint16_t owner;       /* [a] domid; DOMID_XEN for our own */
	uint16_t state_flags; /* [a] enum frame_state and FRAME_* */
	uint32_t refs;        /* [a] USED/HELD: references; FREE: part of the links, see alloc.c */
	uint64_t gfn_pins;    /* [a] USED: gfn in bits 63..24, pins in 23..0; FREE: links */
};
_Static_assert(sizeof(struct frame) == 16, "design.md: at most 16 bytes of metadata a frame");

/* The entry of a frame that exists in the table. Any context; mfn must be RAM that was handed out or given. */
static inline struct frame *frame_of(mfn_t m)
{
	return (struct frame *)(uintptr_t)(FRAME_TABLE_BASE + m.n * sizeof(struct frame));
}

/* True when `m` is RAM that was handed out or given: the only check to make on a number from outside. */
bool frame_valid(mfn_t m);

/* ---- allocation ------------------------------------------------------------------------------ */

#define MAX_ORDER      18u
#define ALLOC_ANY_NODE (~0u)
#define ALLOC_DIRTY    1u /* contents need not be cleared: caller overwrites all of it */
#define ALLOC_LOW4G    2u /* below 4 GiB (machine address) */
#define ALLOC_EXACT    4u /* no fall-back to other nodes */
#define ALLOC_CLAIMED  8u /* the caller holds a claim (frame_claim) on them and gives it up */

/*
 * 2^order frames, aligned to their size, cleared, state USED, one reference each, owner DOMID_XEN.
 * INVALID_MFN when there are none that are not claimed by others. Takes the node's HEAP lock.
 */
MUST_USE mfn_t frame_alloc(unsigned order, unsigned node, unsigned flags);
/* Give back what frame_alloc gave; each frame must have exactly the one reference. */
void frame_free(mfn_t m, unsigned order);
/*
 * The same for one frame that others may still hold, where the caller keeps the claim it had. False: it is
 * HELD and freed by their last frame_put, and the claim is gone.
 */
MUST_USE bool frame_free_claimed(mfn_t m);

/* Never-used RAM becomes available, [start, end). Boot only. */
void frame_add_region(paddr_t start, paddr_t end, unsigned node);
/* Make sure table entries exist for [start, end) and mark them FIRMWARE (modules, image) or static. Boot. */
MUST_USE int frame_reserve(paddr_t start, paddr_t end, uint16_t state_flags);
/* Release what frame_reserve marked into the heap (boot text, module copies). */
void frame_release_reserved(paddr_t start, paddr_t end);
/*
 * Use one frame that was reserved with FRAME_STATIC: as if frame_alloc had given it, cleared. False: it is
 * not, or somebody has it. The last frame_put makes it available to the next frame_take_static.
 */
MUST_USE bool frame_take_static(mfn_t m);
/* One above the highest frame number of RAM. */
uint64_t frame_max(void);

struct mem_stats {
	uint64_t total, free, claimed, never, dirty; /* frames */
	uint64_t table; /* frames that the frame table has taken so far */
};
void frame_stats(struct mem_stats *s);

/*
 * Promise `frames` more (or, negative, fewer) to someone; the sum of promises and of frames in use
 * never exceeds memory. -ENOMEM leaves everything unchanged.
 */
MUST_USE int frame_claim(int64_t frames);

/* Clear at most one dirty free block of at most 2^ORDER_2M frames; true when there is more. Idle CPUs. */
bool frame_scrub_step(unsigned node);

/* ---- references ------------------------------------------------------------------------------ */

/* A reference if `d` owns the frame now; false otherwise. Lock-free. */
MUST_USE bool frame_get(mfn_t m, const struct domain *d);
/* A reference whoever owns it, with the owner in *owner; false when nobody does. */
MUST_USE bool frame_get_any(mfn_t m, domid_t *owner);
/* Drop a reference. The last one frees the frame after flushing what may still cache it. */
void frame_put(mfn_t m);

/*
 * Hand a frame of DOMID_XEN to `d` (accounting: domain_mem_*), keeping its allocation reference, and
 * remember the gfn it will have. The frame is on no list: the p2m finds it.
 */
void frame_assign(mfn_t m, const struct domain *d, gfn_t g);
/*
 * Take the allocation reference of 2^order frames away from `d`, whose they are; each is freed, and
 * uncharged from d->mem, when the last other reference is gone (at once when there is none). Whole
 * blocks that nobody else holds go back whole.
 */
void frame_unassign(mfn_t m, unsigned order, struct domain *d);

static inline gfn_t frame_gfn(const struct frame *f)
{
	uint64_t g = read_once(&f->gfn_pins) >> 24;

	return g == ((uint64_t)1 << 40) - 1 ? INVALID_GFN : gfn(g);
}
void frame_set_gfn(mfn_t m, gfn_t g);
/* Count one more, one fewer pin of a frame that the caller holds a reference to (core/guest/pin.c). */
void frame_pin(mfn_t m);
void frame_unpin(mfn_t m);

/* ---- reaching a frame ------------------------------------------------------------------------- */

/*
 * The address at which a frame of the hypervisor's own (frame_alloc, DOMID_XEN) is mapped for
 * as long as it lives, and back.
 */
static inline void *frame_va(mfn_t m)
{
	return (void *)(uintptr_t)(DIRECT_BASE + (m.n << PAGE_SHIFT));
}

static inline mfn_t frame_from_va(const void *va)
{
	return mfn(((uintptr_t)va - DIRECT_BASE) >> PAGE_SHIFT);
}

#endif
