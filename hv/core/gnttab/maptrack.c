/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: what one domain maps of others. Free ones are on MAPTRACK_LISTS lists, each with a lock, so that
 * vCPUs rarely meet; whose list is empty takes from the others, and only when all are empty the
 * table grows by a frame. A record in use belongs to the active entry that it names and changes under that entry's
 * lock; it holds a reference to the owner, whose tables therefore outlive the map.
 */
#include "internal.h"

static bool pop(struct domain *d, struct maptrack_list *l, uint32_t *handle)
{
	bool ok;

	if (!read_once(&l->first))
		return false;
	lock_take(&l->lock);
	ok = l->first != 0;
	if (ok) {
		struct maptrack *mt = maptrack_at(d, l->first - 1);

		*handle = l->first - 1;
		write_once(&l->first, mt->next);
		mt->flags = 0;
	}
	lock_release(&l->lock);
	return ok;
}

void maptrack_give(struct domain *d, uint32_t vcpu, uint32_t handle)
{
	struct maptrack_list *l = &d->gnttab.list[vcpu % MAPTRACK_LISTS];
	struct maptrack *mt = maptrack_at(d, handle);

	lock_take(&l->lock);
	mt->next = l->first;
	write_once(&l->first, handle + 1);
	lock_release(&l->lock);
}

/* A frame of handles, all but the lowest onto list `l`, and that one to the caller. */
static bool grow(struct domain *d, struct maptrack_list *l, uint32_t *handle) HOLDS(d->gnttab.lock)
{
	struct gnttab *t = &d->gnttab;
	uint32_t n = t->nr_maptrack, first = n * MAPTRACK_PER_FRAME;
	struct maptrack ***dir = &t->maptrack[n / MAPTRACK_FRAMES_PER_DIR];
	struct maptrack *mt;
	mfn_t m;

	if (n == t->max_maptrack)
		return bad(false, refuse(R_NO_GRANT_HANDLE, d->id, n * MAPTRACK_PER_FRAME, 0));
	if (!*dir) {
		m = pool_alloc(&d->pool);
		if (!mfn_valid(m))
			return false;
		*dir = frame_va(m);
	}
	m = pool_alloc(&d->pool);
	if (!mfn_valid(m))
		return false;
	mt = frame_va(m);
	for (uint32_t i = 1; i < MAPTRACK_PER_FRAME - 1; i++)
		mt[i].next = first + i + 2;
	(*dir)[n % MAPTRACK_FRAMES_PER_DIR] = mt;
	store_release(&t->nr_maptrack, n + 1);

	lock_take(&l->lock);
	mt[MAPTRACK_PER_FRAME - 1].next = l->first;
	write_once(&l->first, first + 2);
	lock_release(&l->lock);
	*handle = first;
	return true;
}

static bool take_slowly(struct domain *d, uint32_t vcpu, uint32_t *handle)
{
	struct gnttab *t = &d->gnttab;
	bool ok = false;

	for (uint32_t i = 1; i < MAPTRACK_LISTS && !ok; i++)
		ok = pop(d, &t->list[(vcpu + i) % MAPTRACK_LISTS], handle);
	if (ok)
		return true;
	lock_take(&d->gnttab.lock);
	ok = grow(d, &t->list[vcpu % MAPTRACK_LISTS], handle);
	lock_release(&d->gnttab.lock);
	return ok;
}

bool maptrack_take(struct domain *d, uint32_t vcpu, uint32_t *handle)
{
	return likely(pop(d, &d->gnttab.list[vcpu % MAPTRACK_LISTS], handle)) ||
	       take_slowly(d, vcpu, handle);
}

NO_LOCK_CHECK struct grant_active *maptrack_lock(struct maptrack *mt, struct grant_frame **f)
{
	struct domain *owner = rcu_load(&mt->owner);
	uint32_t ref = read_once(&mt->ref);
	struct grant_active *a;

	if (unlikely(!owner))
		return NULL;
	/* The owner's structure stays while we look (RCU), even if the handle is given back under our feet. */
	*f = grant_frame_of(owner, ref);
	a = *f ? active_find(*f, ref) : NULL;
	if (unlikely(!a))
		return NULL;
	lock_take(&a->lock);
	/*
	 * The handle may be another map's by now, under another lock; its reference was written before its owner.
	 * When both are still ours, they stay.
	 */
	if (likely(rcu_load(&mt->owner) == owner && read_once(&mt->ref) == ref))
		return a;
	lock_release(&a->lock);
	return NULL;
}
