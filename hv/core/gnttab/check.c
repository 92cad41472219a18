/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of one domain's grants while nobody works on them; part of domain_check_invariants(). */
#include "internal.h"

#include <hv/assert.h>

#ifdef HV_DEBUG

/* How many handles of `user` use reference `ref` of `owner`, writable or read-only. */
static uint32_t handles_of(const struct domain *user, const struct domain *owner, uint32_t ref,
			   bool write)
{
	uint32_t n = 0;

	for (uint32_t h = 0; h < user->gnttab.nr_maptrack * MAPTRACK_PER_FRAME; h++) {
		const struct maptrack *mt = maptrack_at(user, h);

		n += mt->owner == owner && mt->ref == ref && write == !(mt->flags & GNTMAP_readonly);
	}
	return n;
}

static void check_active(const struct domain *owner, uint32_t ref, const struct grant_active *a)
{
	const struct domain *user;

	if (!(a->maps_rw | a->maps_ro))
		return;
	user = domain_find(a->user);
	assert_always(user, "who uses a grant exists");
	assert_always(a->maps_rw == handles_of(user, owner, ref, true) &&
			  a->maps_ro == handles_of(user, owner, ref, false),
		      "a grant counts its handles");
	assert_always(frame_of(a->frame)->refs > 0, "a grant in use holds its frame");
}

static void check_handle(const struct domain *d, const struct maptrack *mt)
{
	const struct grant_frame *f = grant_frame_of(mt->owner, mt->ref);
	const struct grant_active *a = f ? active_find(f, mt->ref) : NULL;

	assert_always(mt->flags & MAP_KINDS, "a handle in use maps something");
	assert_always(a && a->user == d->id && mfn_eq(a->frame, mt->frame),
		      "a handle and its grant name each other");
	assert_always(mt->flags & GNTMAP_readonly ? a->maps_ro > 0 : a->maps_rw > 0,
		      "a handle is counted");
}

void gnttab_check(struct domain *d)
{
	const struct gnttab *t = &d->gnttab;
	uint32_t total = t->nr_maptrack * MAPTRACK_PER_FRAME, nr_free = 0, used = 0;

	for (uint32_t ref = 0; ref < t->nr_frames * GRANTS_PER_FRAME; ref++) {
		const struct grant_frame *f = grant_frame_of(d, ref);
		const struct grant_active *a = active_find(f, ref);

		if (a)
			check_active(d, ref, a);
		else /* nothing near it was ever used */
			ref |= ACTIVE_PER_FRAME - 1;
	}
	for (uint32_t h = 0; h < total; h++) {
		const struct maptrack *mt = maptrack_at(d, h);

		if (!mt->owner)
			continue;
		used++;
		check_handle(d, mt);
	}
	for (unsigned i = 0; i < MAPTRACK_LISTS; i++)
		for (uint32_t h = t->list[i].first; h; h = maptrack_at(d, h - 1)->next) {
			assert_always(h <= total && !maptrack_at(d, h - 1)->owner,
				      "what is on a free list is free");
			assert_always(++nr_free <= total, "free lists end");
		}
	assert_always(used + nr_free == total, "each handle is in use or on a list");
}

#endif
