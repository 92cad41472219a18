/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One grant in use. The guest's entry says who may do what and is read and marked (GTF_reading, GTF_writing) by
 * one compare-and-swap of flags and domid together, so that the guest cannot take back what is being
 * given and cannot change for whom. The frame is looked up once, at the first use, and held from then until
 * the last use ends: what the guest writes into the entry meanwhile has no effect.
 *
 * The lock of the active entry covers both. Called by map, unmap and copy.
 */
#include "internal.h"

#include <hv/assert.h>
#include <hv/guest_atomic.h>

#define ENTRY_TRIES 4u

_Static_assert(offsetof(struct grant_entry_v1, flags) == 0 &&
		   offsetof(struct grant_entry_v1, domid) == 2,
	       "xen/grant_table.h: flags and domid share a word");

static uint16_t use_flags(bool write)
{
	return write ? GTF_reading | GTF_writing : GTF_reading;
}

/* Check that the entry permits it and mark it as in use. */
static int16_t entry_mark(struct domain *owner, struct grant_entry_v1 *e, uint32_t ref,
			  domid_t user, bool write)
{
	uint32_t *word = (uint32_t *)e;
	uint32_t w = read_once(word);

	for (unsigned tries = 0; tries < ENTRY_TRIES; tries++) {
		uint16_t flags = (uint16_t)w;

		if ((flags & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access || w >> 16 != user)
			return bad(GNTST_general_error, refuse(R_NOT_GRANTED, ref, w >> 16, flags));
		if (write && (flags & GTF_readonly))
			return bad(GNTST_general_error, refuse(R_GRANT_READONLY, ref, user, flags));
		if (guest_cas(owner, word, &w, w | use_flags(write)))
			return GNTST_okay;
	}
	return bad(GNTST_eagain, refuse(R_GRANT_UNSTABLE, ref, ENTRY_TRIES, user));
}

static void entry_unmark(struct domain *owner, struct grant_entry_v1 *e, uint16_t flags)
{
	(void)guest_and(owner, &e->flags, (uint16_t)~flags);
}

/* First use: which frame it is. */
static int16_t hold_frame(struct domain *owner, struct grant_entry_v1 *e, struct grant_active *a,
			  bool write) HOLDS(a->lock)
{
	if (p2m_get_frame(owner, gfn(read_once(&e->frame)), write, &a->frame))
		return GNTST_bad_page;
	return GNTST_okay;
}

/* So far it was read only: the frame must be one that may be written. */
static int16_t check_writable(struct domain *owner, uint32_t ref, const struct grant_active *a)
    HOLDS(a->lock)
{
	mfn_t m;
	bool same;

	if (p2m_get_frame(owner, frame_gfn(frame_of(a->frame)), true, &m))
		return GNTST_bad_page;
	same = mfn_eq(m, a->frame);
	frame_put(m);
	return same ? GNTST_okay
		    : bad(GNTST_bad_page, refuse(R_GRANT_FRAME_MOVED, ref, a->frame.n, m.n));
}

int16_t active_pin(struct domain *owner, struct grant_frame *f, uint32_t ref,
		   struct grant_active *a, const struct domain *user, bool write)
{
	struct grant_entry_v1 *e = grant_entry_of(f, ref);
	bool first = !(a->maps_rw | a->maps_ro);
	int16_t status;

	if (!first && a->user != user->id)
		return bad(GNTST_general_error, refuse(R_GRANT_BUSY, ref, user->id, a->user));
	if (first || (write && !a->maps_rw)) {
		status = entry_mark(owner, e, ref, user->id, write);
		if (status != GNTST_okay)
			return status;
		status = first ? hold_frame(owner, e, a, write) : check_writable(owner, ref, a);
		if (status != GNTST_okay) {
			entry_unmark(owner, e, first ? use_flags(write) : GTF_writing);
			return status;
		}
		a->user = user->id;
	}
	if (write)
		a->maps_rw++;
	else
		a->maps_ro++;
	return GNTST_okay;
}

void active_unpin(struct domain *owner, struct grant_frame *f, uint32_t ref, struct grant_active *a,
		  bool write)
{
	uint32_t *count = write ? &a->maps_rw : &a->maps_ro;
	uint16_t over = 0;

	assert(*count != 0, "a grant's use ends as often as it began");
	--*count;
	if (a->maps_rw == 0)
		over |= GTF_writing;
	if ((a->maps_rw | a->maps_ro) == 0)
		over |= GTF_reading;
	if (!over || (over == GTF_writing && !write))
		return;
	entry_unmark(owner, grant_entry_of(f, ref), over);
	if (over & GTF_reading)
		frame_put(a->frame);
}
