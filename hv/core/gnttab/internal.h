/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share. The two tables of a domain are looked up without a lock: frames of
 * entries are added and stay until the domain's structure goes.
 *
 *	owner's side   grant_entry_v1 (guest memory) -- grant_active (ours, with the lock of the pair)
 *	mapper's side  maptrack, by handle: which entry of whom, and where it is mapped
 */
#ifndef GNTTAB_INTERNAL_H
#define GNTTAB_INTERNAL_H

#include <hv/domain.h>
#include <hv/nospec.h>

/* Legend: [e] under the lock of the active entry that it uses; [m] under the lock of the free list it is on. */
struct maptrack {
	struct domain *owner; /* [e, RCU] whose grant; counted; NULL: a free handle */
	mfn_t frame;          /* [e] */
	gfn_t gfn;            /* [e] GNTMAP_host_map: where it is mapped */
	uint32_t ref;         /* [e] */
	union {
		uint32_t flags; /* [e] GNTMAP_* that are in force */
		uint32_t next;  /* [m] next free handle + 1 */
	};
};
_Static_assert(sizeof(struct maptrack) <= 32, "MAPTRACK_PER_FRAME counts 32 bytes a handle");

/* A grant operation answers with a status; why it refused stays with the vCPU as for any other refusal. */
static inline int16_t bad(int16_t status, int refused)
{
	(void)refused;
	return status;
}

/* ---- the owner's side ------------------------------------------------------------------------ */

/* The frame that holds reference `ref`, or NULL beyond the table. */
static inline struct grant_frame *grant_frame_of(const struct domain *d, uint32_t ref)
{
	uint32_t n = load_acquire(&d->gnttab.nr_frames), i = ref / GRANTS_PER_FRAME;

	if (unlikely(i >= n))
		return NULL;
	i = (uint32_t)index_nospec(i, n);
	return &d->gnttab.dir[i / GRANT_FRAMES_PER_DIR][i % GRANT_FRAMES_PER_DIR];
}

static inline struct grant_entry_v1 *grant_entry_of(const struct grant_frame *f, uint32_t ref)
{
	return &f->shared[ref % GRANTS_PER_FRAME];
}

/* The active entry of a reference that was in use before; NULL when it never was. */
static inline struct grant_active *active_find(const struct grant_frame *f, uint32_t ref)
{
	struct grant_active *a;

	a = rcu_load(&f->active[ref % GRANTS_PER_FRAME / ACTIVE_PER_FRAME]);
	return likely(a) ? a + ref % ACTIVE_PER_FRAME : NULL;
}

/* The active entry of `ref`, made when there is none. GNTST_bad_gntref, GNTST_no_space. */
MUST_USE int16_t active_get(struct domain *owner, uint32_t ref, struct grant_frame **f,
			    struct grant_active **a);

/*
 * Count one use of a grant by `user`: check and mark the guest's entry, and hold the frame. `a` is
 * locked. GNTST_okay or why not. Undone by active_unpin().
 */
MUST_USE int16_t active_pin(struct domain *owner, struct grant_frame *f, uint32_t ref,
			    struct grant_active *a, const struct domain *user, bool write)
    HOLDS(a->lock);
void active_unpin(struct domain *owner, struct grant_frame *f, uint32_t ref, struct grant_active *a,
		  bool write) HOLDS(a->lock);

/* ---- the mapper's side ----------------------------------------------------------------------- */

/* The record of a handle that exists, in whatever state. */
static inline struct maptrack *maptrack_at(const struct domain *d, uint32_t handle)
{
	uint32_t i = handle / MAPTRACK_PER_FRAME;

	return &d->gnttab.maptrack[i / MAPTRACK_FRAMES_PER_DIR][i % MAPTRACK_FRAMES_PER_DIR]
				  [handle % MAPTRACK_PER_FRAME];
}

/* The same for any number; NULL beyond the table. */
static inline struct maptrack *maptrack_find(const struct domain *d, uint32_t handle)
{
	uint32_t n = load_acquire(&d->gnttab.nr_maptrack) * MAPTRACK_PER_FRAME;

	return likely(handle < n) ? maptrack_at(d, (uint32_t)index_nospec(handle, n)) : NULL;
}

/* A free handle for the vCPU with number `vcpu`. False: all are in use (R_NO_GRANT_HANDLE). */
MUST_USE bool maptrack_take(struct domain *d, uint32_t vcpu, uint32_t *handle);
void maptrack_give(struct domain *d, uint32_t vcpu, uint32_t handle);

/*
 * The active entry that a handle in use belongs to, locked; NULL when the handle is free. The record stays as
 * it is until the lock is released.
 */
struct grant_active *maptrack_lock(struct maptrack *mt, struct grant_frame **f);

#define MAP_KINDS ((uint32_t)GNTMAP_host_map | (uint32_t)GNTMAP_device_map)

/* Which parts of a map to undo, and what the caller believes of them. */
struct unmap {
	uint32_t handle;
	uint32_t kinds;     /* of MAP_KINDS */
	uint64_t host_addr; /* checked when `check` */
	uint64_t bus_addr;
	bool check;
};
MUST_USE int16_t unmap_handle(struct domain *d, uint32_t vcpu, const struct unmap *u);

#endif
