/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One domain's grant table (what it lets others use) and its map-track table (what it uses of
 * others). Version 1; version 2 gets its own status frames beside it.
 *
 * Guest entries are read and written with one-shot atomic accesses; what core remembers of an entry that
 * is in use (struct grant_active) has its own lock, so map and unmap of different
 * entries never meet. Map-track handles come from a free list per vCPU.
 */
#ifndef HV_GNTTAB_H
#define HV_GNTTAB_H

#include <hv/addr.h>
#include <hv/lock.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

struct domain;
struct vcpu;

/* An entry in use, one per grant reference; made when a reference near it is first used. */
struct grant_active {
	struct lock lock; /* rank GNTENTRY */
	domid_t user;     /* [l] who maps it, meaningful while a count is not zero */
	uint16_t pad;
	uint32_t maps_rw; /* [l] writable maps and copies in progress */
	uint32_t maps_ro; /* [l] */
	mfn_t frame;      /* [l] counted once from first use to last */
};
_Static_assert(sizeof(struct grant_active) <= 32,
	       "grant_active is per grant reference: keep it small");

#define GRANTS_PER_FRAME (PAGE_SIZE / (uint32_t)sizeof(struct grant_entry_v1))
#define ACTIVE_PER_FRAME (PAGE_SIZE / 32u)
#define ACTIVE_FRAMES    (GRANTS_PER_FRAME / ACTIVE_PER_FRAME)

/* One frame of grant entries, and what belongs to its entries. */
struct ALIGNED(64) grant_frame {
	struct grant_entry_v1 *shared;              /* [RCU] frame that the guest maps; set once */
	struct grant_active *active[ACTIVE_FRAMES]; /* [RCU] set once, on use */
};
#define GRANT_FRAMES_PER_DIR (PAGE_SIZE / 64u)
#define GNTTAB_DIRS          8u
#define GNTTAB_MAX_FRAMES    (GRANT_FRAMES_PER_DIR * GNTTAB_DIRS)

/* One use of another domain's grant; core/gnttab/internal.h. A handle is its index. */
struct maptrack;
#define MAPTRACK_PER_FRAME      (PAGE_SIZE / 32u)
#define MAPTRACK_DIRS           4u
#define MAPTRACK_FRAMES_PER_DIR (PAGE_SIZE / (uint32_t)sizeof(void *))
#define MAPTRACK_MAX_FRAMES     (MAPTRACK_FRAMES_PER_DIR * MAPTRACK_DIRS)

/* Free handles. A vCPU uses the list of its number modulo MAPTRACK_LISTS, and takes from others when it is empty. */
#define MAPTRACK_LISTS          8u
struct maptrack_list {
	struct lock lock; /* rank MAPTRACK */
	uint32_t first;   /* [l] handle + 1, 0: none */
};

struct gnttab {
	struct lock lock;                     /* rank GNTTAB: growth and version */
	uint32_t max_frames;                  /* [c] */
	uint32_t max_maptrack;                /* [c] frames */
	uint32_t nr_frames;                   /* [l, a] shared frames in use */
	uint32_t nr_maptrack;                 /* [l, a] */
	uint32_t version;                     /* [l, a] */
	struct grant_frame *dir[GNTTAB_DIRS]; /* [RCU] pool frames, each set once */
	struct maptrack *
	    *maptrack[MAPTRACK_DIRS]; /* [RCU] pool frames of pointers to frames; all set once */
	struct maptrack_list list[MAPTRACK_LISTS];
	uint32_t destroy_next; /* [destroyer] handles below are undone */
};

MUST_USE int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack);
/* Undo every map the domain holds, in steps; -ERR_RESTART until done. */
MUST_USE int gnttab_destroy_step(struct domain *d);
/*
 * With the last reference to the domain: whoever maps one of its grants holds one, so that what is mapped can
 * be undone after the owner's death.
 */
void gnttab_free(struct domain *d);

/* Make at least `frames` shared frames exist. R_GRANT_LIMIT. */
MUST_USE int gnttab_grow(struct domain *d, uint32_t frames);
/* The frame to show at XENMAPSPACE_grant_table index `i` (grown when needed). */
MUST_USE int gnttab_shared_frame(struct domain *d, uint32_t i, mfn_t *m);
/* Offer the frame `g` of `d` to `to` at reference `ref`, before the domain runs (store, console). */
MUST_USE int gnttab_seed(struct domain *d, uint32_t ref, domid_t to, gfn_t g);

/* One element of each GNTTABOP; status goes into the element, the return value is for restart only. */
void gnttab_map(struct vcpu *v, struct gnttab_map_grant_ref *op);
void gnttab_unmap(struct vcpu *v, struct gnttab_unmap_grant_ref *op);
void gnttab_unmap_replace(struct vcpu *v, struct gnttab_unmap_and_replace *op);
void gnttab_copy_one(struct vcpu *v, struct gnttab_copy *op);
void gnttab_swap(struct domain *d, struct gnttab_swap_grant_ref *op);
void gnttab_query_size(struct domain *d, struct gnttab_query_size *op);
/* The gfn at which the domain has mapped its shared frame `i`, INVALID_GFN: nowhere. */
gfn_t gnttab_shared_gfn(struct domain *d, uint32_t i);
/*
 * Clean or invalidate a part of one frame, which must be the domain's own or be granted to it. *from is where the
 * search for the grant goes on after -ERR_RESTART, at first 0.
 */
MUST_USE int gnttab_cache_flush(struct vcpu *v, const struct gnttab_cache_flush *op, uint32_t *from);

#ifdef HV_DEBUG
/* The part of domain_check_invariants() that is about grants. */
void gnttab_check(struct domain *d);
#endif

#endif
