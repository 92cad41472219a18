/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One domain's grant table: frames of entries that the guest maps and fills, and beside each the records of what is
 * in use. A domain that never grants anything has none of it: frames come with the first growth,
 * records with the first use of a reference near. Growth is under the table's lock and becomes visible
 * only when all of it is there. Everything is freed with the domain's structure.
 */
#include "internal.h"

#include <hv/assert.h>
#include <hv/err.h>

_Static_assert(sizeof(struct grant_frame) == 64, "GRANT_FRAMES_PER_DIR counts 64 bytes a frame");

int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack)
{
	struct gnttab *t = &d->gnttab;

	if (max_frames > GNTTAB_MAX_FRAMES)
		return refuse(R_BAD_GRANT_LIMIT, d->id, GNTTAB_MAX_FRAMES, max_frames);
	if (max_maptrack > MAPTRACK_MAX_FRAMES)
		return refuse(R_BAD_MAPTRACK_LIMIT, d->id, MAPTRACK_MAX_FRAMES, max_maptrack);
	lock_init(&t->lock, RANK_GNTTAB);
	for (unsigned i = 0; i < MAPTRACK_LISTS; i++)
		lock_init(&t->list[i].lock, RANK_MAPTRACK);
	t->max_frames = max_frames;
	t->max_maptrack = max_maptrack;
	t->version = 1;
	return 0;
}

static void give_back(struct domain *d, void *va)
{
	if (va)
		pool_free(&d->pool, frame_from_va(va));
}

void gnttab_free(struct domain *d)
{
	struct gnttab *t = &d->gnttab;

	for (uint32_t i = 0; i < t->nr_frames; i++) {
		struct grant_frame *f = &t->dir[i / GRANT_FRAMES_PER_DIR][i % GRANT_FRAMES_PER_DIR];

		for (unsigned j = 0; j < ACTIVE_FRAMES; j++)
			give_back(d, f->active[j]);
		give_back(d, f->shared);
	}
	for (uint32_t i = 0; i < t->nr_maptrack; i++)
		give_back(d, t->maptrack[i / MAPTRACK_FRAMES_PER_DIR][i % MAPTRACK_FRAMES_PER_DIR]);
	for (unsigned i = 0; i < GNTTAB_DIRS; i++)
		give_back(d, t->dir[i]);
	for (unsigned i = 0; i < MAPTRACK_DIRS; i++)
		give_back(d, t->maptrack[i]);
	*t = (struct gnttab){ .version = 1 };
}

/* ---- growing --------------------------------------------------------------------------------- */

/* Make frame `i` exist, not yet visible. */
static int add_frame(struct domain *d, uint32_t i) HOLDS(d->gnttab.lock)
{
	struct grant_frame **dir = &d->gnttab.dir[i / GRANT_FRAMES_PER_DIR];
	struct grant_frame *f;
	mfn_t m;

	if (!*dir) {
		m = pool_alloc(&d->pool);
		if (!mfn_valid(m))
			return reason_err(R_POOL_EXHAUSTED);
		rcu_store(dir, (struct grant_frame *)frame_va(m));
	}
	f = &(*dir)[i % GRANT_FRAMES_PER_DIR];
	m = pool_alloc(&d->pool);
	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	frame_set_gfn(m, INVALID_GFN);
	f->shared = frame_va(m);
	return 0;
}

/* Frames beyond nr_frames that a growth which failed had made. */
static void drop_frames(struct domain *d, uint32_t end) HOLDS(d->gnttab.lock)
{
	struct gnttab *t = &d->gnttab;

	for (uint32_t i = t->nr_frames; i < end; i++) {
		struct grant_frame *f = &t->dir[i / GRANT_FRAMES_PER_DIR][i % GRANT_FRAMES_PER_DIR];

		give_back(d, f->shared);
		f->shared = NULL;
	}
}

int gnttab_grow(struct domain *d, uint32_t frames)
{
	struct gnttab *t = &d->gnttab;
	int err = 0;

	if (frames > t->max_frames)
		return refuse(R_GRANT_LIMIT, d->id, t->max_frames, frames);
	if (frames <= load_acquire(&t->nr_frames))
		return 0;
	lock_take(&d->gnttab.lock);
	for (uint32_t i = t->nr_frames; i < frames && !err; i++) {
		err = add_frame(d, i);
		if (err)
			drop_frames(d, i);
	}
	if (!err && frames > t->nr_frames)
		store_release(&t->nr_frames, frames);
	lock_release(&d->gnttab.lock);
	return err;
}

/* Records for the ACTIVE_PER_FRAME references around `ref`. False: the owner's pool has no frame left. */
static bool add_active(struct domain *d, struct grant_frame *f, uint32_t ref)
{
	struct grant_active **slot = &f->active[ref % GRANTS_PER_FRAME / ACTIVE_PER_FRAME];

	lock_take(&d->gnttab.lock);
	if (!*slot) {
		mfn_t m = pool_alloc(&d->pool);

		if (mfn_valid(m)) {
			struct grant_active *a = frame_va(m);

			for (uint32_t i = 0; i < ACTIVE_PER_FRAME; i++)
				lock_init(&a[i].lock, RANK_GNTENTRY);
			rcu_store(slot, a);
		}
	}
	lock_release(&d->gnttab.lock);
	return *slot != NULL;
}

int16_t active_get(struct domain *owner, uint32_t ref, struct grant_frame **f,
		   struct grant_active **a)
{
	*f = grant_frame_of(owner, ref);
	if (unlikely(!*f))
		return bad(GNTST_bad_gntref,
			   refuse(R_NO_SUCH_GRANT, ref,
				  read_once(&owner->gnttab.nr_frames) * GRANTS_PER_FRAME,
				  owner->id));
	*a = active_find(*f, ref);
	if (unlikely(!*a)) {
		if (!add_active(owner, *f, ref))
			return GNTST_no_space;
		*a = active_find(*f, ref);
	}
	return GNTST_okay;
}

/* ---- what the guest and its builder ask ------------------------------------------------------ */

int gnttab_shared_frame(struct domain *d, uint32_t i, mfn_t *m)
{
	struct gnttab *t = &d->gnttab;
	int err;

	if (i >= t->max_frames)
		return refuse(R_GRANT_LIMIT, d->id, t->max_frames, (uint64_t)i + 1);
	err = gnttab_grow(d, i + 1);
	if (!err)
		*m = frame_from_va(
		    t->dir[i / GRANT_FRAMES_PER_DIR][i % GRANT_FRAMES_PER_DIR].shared);
	return err;
}

gfn_t gnttab_shared_gfn(struct domain *d, uint32_t i)
{
	const struct grant_frame *f = grant_frame_of(d, i * GRANTS_PER_FRAME);

	return f ? frame_gfn(frame_of(frame_from_va(f->shared))) : INVALID_GFN;
}

int gnttab_seed(struct domain *d, uint32_t ref, domid_t to, gfn_t g)
{
	struct grant_entry_v1 *e;
	int err;

	err = gnttab_grow(d, ref / GRANTS_PER_FRAME + 1);
	if (err)
		return err;
	e = grant_entry_of(grant_frame_of(d, ref), ref);
	write_once(&e->domid, to);
	write_once(&e->frame, (uint32_t)g.n);
	store_release(&e->flags, (uint16_t)GTF_permit_access);
	return 0;
}

void gnttab_query_size(struct domain *d, struct gnttab_query_size *op)
{
	op->nr_frames = read_once(&d->gnttab.nr_frames);
	op->max_nr_frames = d->gnttab.max_frames;
	op->status = GNTST_okay;
}

/* Both active entries are locked, so neither grant is in use and none comes into use. */
static int16_t swap_entries(struct grant_frame *fa, struct grant_active *a, uint32_t ref_a,
			    struct grant_frame *fb, struct grant_active *b, uint32_t ref_b)
{
	uint64_t *ea = (uint64_t *)grant_entry_of(fa, ref_a);
	uint64_t *eb = (uint64_t *)grant_entry_of(fb, ref_b);
	uint64_t was;

	if (a->maps_rw | a->maps_ro)
		return bad(GNTST_eagain, refuse(R_GRANT_BUSY, ref_a, 0, a->user));
	if (b->maps_rw | b->maps_ro)
		return bad(GNTST_eagain, refuse(R_GRANT_BUSY, ref_b, 0, b->user));
	was = read_once(ea);
	write_once(ea, read_once(eb));
	write_once(eb, was);
	return GNTST_okay;
}

static int16_t swap(struct domain *d, uint32_t ref_a, uint32_t ref_b)
{
	struct grant_frame *fa, *fb;
	struct grant_active *a, *b;
	int16_t status;

	status = active_get(d, ref_a, &fa, &a);
	if (status == GNTST_okay)
		status = active_get(d, ref_b, &fb, &b);
	if (status != GNTST_okay || a == b)
		return status;
	lock_pair(&a->lock, &b->lock);
	status = swap_entries(fa, a, ref_a, fb, b, ref_b);
	lock_release_pair(&a->lock, &b->lock);
	return status;
}

void gnttab_swap(struct domain *d, struct gnttab_swap_grant_ref *op)
{
	op->status = swap(d, op->ref_a, op->ref_b);
}
