/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second-stage mapping: one guest's frame numbers to machine frames. Core keeps types and decides
 * which change is legal; arch/memory.h answers small questions about entries. p2m_change() is the
 * one way by which a mapping ever changes.
 *
 * Tables are radix trees of 512-entry frames from the domain's pool. Look-ups take no lock:
 * a table frame, once linked, is freed only after an RCU grace period, entries are read once, and
 * whoever needs the frame takes a reference and looks again (p2m_get_frame).
 */
#ifndef HV_P2M_H
#define HV_P2M_H

#include <hv/addr.h>
#include <hv/frame.h>
#include <hv/lock.h>
#include <hv/rcu.h>

struct domain;

enum p2m_type {
	P2M_NONE, /* nothing there */
	P2M_RAM_RW,
	P2M_RAM_RO,
	P2M_LOGDIRTY,    /* RAM, write-protected until the first write of this round */
	P2M_MMIO_DIRECT, /* device registers the domain may touch */
	P2M_MMIO_DM,     /* a device model answers */
	P2M_IOREQ,       /* pages shared with a device model */
	P2M_GRANT_RW,    /* another domain's page, by grant */
	P2M_GRANT_RO,
	P2M_FOREIGN, /* another domain's page, by privilege */
	P2M_SHARED,  /* the hypervisor's page shown to the guest: shared_info, grant frames */
	P2M_PAGED,
	P2M_POD,
	NR_P2M_TYPES
};

static inline bool p2m_type_is_ram(enum p2m_type t)
{
	return t == P2M_RAM_RW || t == P2M_RAM_RO || t == P2M_LOGDIRTY;
}

static inline bool p2m_type_writable(enum p2m_type t)
{
	return t == P2M_RAM_RW || t == P2M_GRANT_RW || t == P2M_FOREIGN || t == P2M_SHARED;
}

/* What the tables say about one gfn. */
struct p2m_entry {
	mfn_t mfn; /* INVALID_MFN unless mapped */
	enum p2m_type type;
	unsigned order; /* of the block that covers the gfn: 0, 9, 18, ... */
};

/* One set of tables: a vCPU points at one view (design.md: altp2m, nested). */
struct p2m_view {
	mfn_t root;          /* [c] first of root_frames */
	uint8_t levels;      /* [c] */
	uint8_t root_order;  /* [c] concatenated root tables (Arm) */
	uint16_t tag;        /* [c] VMID or ASID */
	uint64_t generation; /* [l, a] x86: raised by arch_p2m_flush(), and nobody else */
};

struct p2m {
	struct lock lock;     /* rank P2M */
	struct p2m_view view; /* the host view; more come with altp2m */
	gfn_t max_gfn;        /* [l] highest gfn ever mapped */
	uint64_t mapped[3];   /* [l] leaf entries by size: 4K, 2M, 1G */
	uint64_t end;         /* [a] gfns from here on cannot be mapped; 0: torn down */
	uint32_t breaking; /* [a] odd while a live mapping is absent for a moment (break-before-make) */
	bool busy;         /* [l] an RCU call of ours is on its way */
	bool dying;        /* [l] p2m_destroy_step() has begun: nothing is mapped any more */
	uint64_t cursor;   /* [l] teardown: all below is gone */
	uint8_t log_state; /* [l] enum p2m_log_state */
	void **log; /* [a] which gfns were written, a tree of frames (core/mem/dirty.c); NULL: not logged */
	void **log_old; /* [l] the same while it is given back */
	mfn_t retired; /* [l] table frames unlinked, linked by frame->gfn_pins, for the next grace period */
	mfn_t waiting; /* [l] the same, for the one that runs */
	struct rcu_head rcu;
};

/* Root table and tag. -ENOMEM: pool. */
MUST_USE int p2m_init(struct domain *d);
/* Give back tables, one bounded step; -ERR_RESTART until done. Mappings' references are dropped too. */
MUST_USE int p2m_destroy_step(struct domain *d);

/*
 * What is mapped at `g`. No lock; may be stale at once unless the caller holds p2m->lock. Never reports the
 * moment inside a break-before-make: a second-stage fault at a gfn for which this gives a mapping that
 * permits the access is to be retried by running the guest again.
 */
struct p2m_entry p2m_lookup(const struct domain *d, gfn_t g);

/*
 * Map 2^order frames at `g` -> `m` with type `t`; both aligned to the order (0, 9 or 18). Splits a
 * covering superpage. Old translations are gone when this returns; then a replaced mapping of
 * type GRANT, FOREIGN or SHARED loses the reference it held, and replaced RAM of `d` is given up
 * (domain_mem_drop()). Mapping one of those three types takes over the caller's reference to the frame. Frames
 * needed for tables come from the pool before anything changes: it happens whole or not at all.
 * Takes p2m->lock. Errors: R_POOL_EXHAUSTED, R_GFN_OUT_OF_RANGE, R_DOMAIN_DYING, R_P2M_OCCUPIED (1 GiB over tables).
 */
MUST_USE int p2m_change(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type t);

/* The same as p2m_change to P2M_NONE, but RAM keeps its allocation reference: the caller drops it. */
MUST_USE int p2m_remove(struct domain *d, gfn_t g, unsigned order);
/*
 * Remove the 4 KiB mapping at `g` if it is still `m` with type `t` (a grant's unmap, a foreign page). False: it
 * was something else, nothing changed. Cannot fail otherwise: such mappings are never part of a superpage.
 */
MUST_USE bool p2m_remove_exact(struct domain *d, gfn_t g, mfn_t m, enum p2m_type t);

/*
 * Map a long range [g, g + n) -> [m, m + n) with the largest pages that fit, in steps; *done counts
 * frames finished. -ERR_RESTART when work is left and softirq_pending(), never while booting.
 */
MUST_USE int p2m_map_range(struct domain *d, gfn_t g, mfn_t m, uint64_t n, enum p2m_type t,
			   uint64_t *done);
MUST_USE int p2m_unmap_range(struct domain *d, gfn_t g, uint64_t n, uint64_t *done);

/*
 * A counted reference to the RAM frame at `g` that belongs to `d`. `write`: it must be writable.
 * Errors: R_GFN_NOT_RAM. Drop with frame_put().
 */
MUST_USE int p2m_get_frame(struct domain *d, gfn_t g, bool write, mfn_t *m);

/* ---- the log of writes (core/mem/dirty.c) ---------------------------------------------------------------- */

/*
 * While a domain is logged, a gfn whose RAM may have been written since it was last taken from the log has its bit
 * set: by the guest, by the hypervisor through the door, by other domains through grants and foreign mappings (those stay
 * set for as long as somebody else holds the frame). The frames of the log come from the domain's pool.
 */
enum p2m_log_state { P2M_LOG_OFF, P2M_LOG_STARTING, P2M_LOG_ON, P2M_LOG_STOPPING };

#define P2M_LOG_CHUNK 512u /* gfns looked at in one step: a superpage's */

/*
 * Begin or end to log, a step; *next begins with 0 and says where the next step goes on, -ERR_RESTART: there is one. A refused
 * start leaves the domain half logged, which is harmless: it can be started again or stopped. R_LOG_ON, R_LOG_DEVICES,
 * R_LOG_STOPPING, R_POOL_EXHAUSTED, R_GFN_OUT_OF_RANGE.
 */
MUST_USE int p2m_log_start_step(struct domain *d, uint64_t *next);
MUST_USE int p2m_log_stop_step(struct domain *d, uint64_t *next);
/*
 * The bits of [g, g + n), n at most P2M_LOG_CHUNK and `g` a multiple of that, into P2M_LOG_CHUNK / 64 words. `clear`: they are logged anew from before this
 * returns, so what is read of them afterwards is not older than what the bits say. None while nothing is logged; R_LOG_HALF while that begins or ends.
 */
MUST_USE int p2m_log_take(struct domain *d, gfn_t g, unsigned n, bool clear, uint64_t *bits);
/* [g, g + n) was written, or is about to be by somebody who holds a reference already. Nothing happens while not logged. No lock. */
void p2m_log_mark(struct domain *d, gfn_t g, uint64_t n);
/* The guest could not write `g`, where there was LOGDIRTY: afterwards it is to try again, for that is not in its way any more. */
void p2m_log_fault(struct domain *d, gfn_t g);

#endif
