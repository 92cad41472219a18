/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a frame and how many references it has. hv/frame.h draws the states. Everything is one
 * compare-and-swap on the entry's first word (mem.h), so no lock exists here: a reference can be taken
 * only from a word that says USED and the expected owner at that very moment, and a frame leaves USED or HELD
 * only through the reference that was its last. Called from everywhere, with any lock below HEAP.
 */
#include "mem.h"

#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/string.h>

bool frame_valid(mfn_t m)
{
	return m.n < frame_max() && frame_covered(m) &&
	       FRAME_STATE(read_once(&frame_of(m)->state_flags)) != FRAME_NEVER;
}

/* ---- references ------------------------------------------------------------------------------ */

#define OWNED_MASK WORD(0xffff, 7u | FRAME_PARKED, 0)

bool frame_get(mfn_t m, const struct domain *d)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t want = WORD(d->id, FRAME_USED, 0);
	uint64_t w;

	if (unlikely(!frame_covered(m)))
		return false;
	w = read_once(word);
	do {
		if (unlikely((w & OWNED_MASK) != want || WORD_REFS(w) >= MAX_REFS))
			return false;
	} while (unlikely(!atomic_cas(word, &w, w + WORD_REF)));
	return true;
}

bool frame_get_any(mfn_t m, domid_t *owner)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w;

	if (unlikely(!frame_covered(m)))
		return false;
	w = read_once(word);
	do {
		if (unlikely(WORD_STATE(w) != FRAME_USED || WORD_REFS(w) >= MAX_REFS))
			return false;
	} while (unlikely(!atomic_cas(word, &w, w + WORD_REF)));
	*owner = WORD_OWNER(w);
	return true;
}

/* The last reference is gone; nothing maps the frame, for each mapping would hold one. */
static NOINLINE void last_put(mfn_t m, uint64_t w)
{
	struct frame *f = frame_of(m);

	if (WORD_STATE(w) == FRAME_HELD && (WORD_FLAGS(w) & FRAME_ALLOCATED))
		domain_mem_unhold(WORD_OWNER(w));
	if (WORD_FLAGS(w) & FRAME_STATIC) {
		store_release(frame_word(f), WORD(DOMID_XEN, FRAME_FIRMWARE | FRAME_STATIC, 0));
		return;
	}
	write_once(frame_word(f), WORD(DOMID_XEN, FRAME_FREE_TAIL, 0));
	heap_free(m, 1);
	heap_account_free(1);
}

void frame_put(mfn_t m)
{
	uint64_t w = atomic_sub(frame_word(frame_of(m)), WORD_REF);

	assert(WORD_STATE(w) == FRAME_USED || WORD_STATE(w) == FRAME_HELD,
	       "only a frame in use has references");
	assert(WORD_REFS(w) != ~0u, "a frame is put as often as it was got");
	if (unlikely(WORD_REFS(w) == 0))
		last_put(m, w);
}

/* ---- from and to the free lists -------------------------------------------------------------- */

void frame_begin(mfn_t m, unsigned order)
{
	struct frame *f = frame_of(m);

	for (struct frame *end = f + ((size_t)1 << order); f < end; f++) {
		write_once(&f->gfn_pins, NO_GFN_NO_PINS);
		store_release(frame_word(f), WORD(DOMID_XEN, FRAME_USED, 1));
	}
}

static void free_run(mfn_t m, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t *word = frame_word(frame_of(mfn_add(m, i)));
		uint64_t w = read_once(word);

		assert_always((w | WORD(0, FRAME_SHARED_INFO, 0)) ==
				  WORD(DOMID_XEN, FRAME_USED | FRAME_SHARED_INFO, 1),
			      "what is freed is ours and nobody else uses it");
		write_once(word, WORD(DOMID_XEN, FRAME_FREE_TAIL, 0));
	}
	heap_free(m, n);
}

void frame_free(mfn_t m, unsigned order)
{
	free_run(m, (uint64_t)1 << order);
	heap_account_free((uint64_t)1 << order);
}

void frame_free_run_claimed(mfn_t m, uint64_t n)
{
	if (n) {
		free_run(m, n);
		heap_account_claim(n);
	}
}

bool frame_free_claimed(mfn_t m)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w = read_once(word);

	for (;;) {
		assert_always(WORD_OWNER(w) == DOMID_XEN && WORD_STATE(w) == FRAME_USED,
			      "what is freed is ours");
		if (likely(WORD_REFS(w) == 1)) {
			if (!atomic_cas(word, &w, WORD(DOMID_XEN, FRAME_FREE_TAIL, 0)))
				continue;
			heap_free(m, 1);
			heap_account_claim(1);
			return true;
		}
		/* A guest that may (a tools domain, by acquire_resource) still maps it. */
		if (atomic_cas(word, &w, WORD(DOMID_XEN, FRAME_HELD, WORD_REFS(w) - 1)))
			return false;
	}
}

bool frame_take_static(mfn_t m)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w = WORD(DOMID_XEN, FRAME_FIRMWARE | FRAME_STATIC, 0);
	void *va;

	if (m.n >= frame_max() || !frame_covered(m) ||
	    !atomic_cas(word, &w, WORD(DOMID_XEN, FRAME_USED | FRAME_STATIC, 1)))
		return false;
	write_once(&frame_of(m)->gfn_pins, NO_GFN_NO_PINS);
	va = arch_frame_map(m);
	page_clear(va);
	arch_frame_unmap(va);
	return true;
}

/* ---- owners ---------------------------------------------------------------------------------- */

void frame_assign(mfn_t m, const struct domain *d, gfn_t g)
{
	struct frame *f = frame_of(m);
	uint64_t w = read_once(frame_word(f));

	write_once(&f->gfn_pins, g.n << 24);
	do {
		assert(WORD_OWNER(w) == DOMID_XEN && WORD_STATE(w) == FRAME_USED,
		       "only a frame of ours is handed to a domain");
	} while (!atomic_cas(frame_word(f), &w,
			     ((w & ~(uint64_t)0xffff) | d->id | WORD(0, FRAME_ALLOCATED, 0))));
}

void frame_deassign(mfn_t m, const struct domain *d)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w = read_once(word);

	assert_always((w & ~WORD(0, FRAME_STATIC, 0)) ==
			  WORD(d->id, FRAME_USED | FRAME_ALLOCATED, 1),
		      "a frame without a mapping has no other holders");
	write_once(word, WORD(DOMID_XEN, WORD_FLAGS(w) & ~FRAME_ALLOCATED, 1));
}

void frame_set_gfn(mfn_t m, gfn_t g)
{
	uint64_t *p = &frame_of(m)->gfn_pins;
	uint64_t old = read_once(p);

	while (!atomic_cas(p, &old, g.n << 24 | (old & 0xffffff)))
		;
}

enum given_up { FREED_NOW, FREED_STATIC, KEPT_BY_OTHERS, KEPT_OF_DYING };

/* Take the allocation reference of one frame away. A freed frame is marked and not yet on the lists. */
static enum given_up give_up(mfn_t m, struct domain *d)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w = read_once(word);

	for (;;) {
		bool is_static = WORD_FLAGS(w) & FRAME_STATIC;

		assert(WORD_OWNER(w) == d->id && WORD_STATE(w) == FRAME_USED &&
			   (WORD_FLAGS(w) & FRAME_ALLOCATED),
		       "a domain gives up what it owns, once");
		if (likely(WORD_REFS(w) == 1)) {
			uint64_t end = is_static ? WORD(DOMID_XEN, FRAME_FIRMWARE | FRAME_STATIC, 0)
						 : WORD(DOMID_XEN, FRAME_FREE_TAIL, 0);

			if (atomic_cas(word, &w, end))
				return is_static ? FREED_STATIC : FREED_NOW;
		} else {
			bool dying = read_once(&d->dying);
			uint16_t flags = FRAME_HELD | (is_static ? FRAME_STATIC : 0) |
					 (dying ? 0 : FRAME_ALLOCATED);

			/*
			 * It stays charged until the others let go. A dying domain cannot wait for that: its
			 * id may be another domain's by then.
			 */
			if (!dying)
				d->mem.held++;
			if (atomic_cas(word, &w, WORD(d->id, flags, WORD_REFS(w) - 1)))
				return dying ? KEPT_OF_DYING : KEPT_BY_OTHERS;
			if (!dying)
				d->mem.held--;
		}
	}
}

void frame_unassign(mfn_t m, unsigned order, struct domain *d)
{
	uint64_t n = (uint64_t)1 << order, run = 0, freed = 0, given = 0;

	/* mem.lock: `held` is raised before the last holder can look at it. */
	lock_take(&d->mem.lock);
	for (uint64_t i = 0; i < n; i++) {
		enum given_up how = give_up(mfn_add(m, i), d);

		given += how != KEPT_BY_OTHERS;
		if (how == FREED_NOW) {
			run++;
			continue;
		}
		if (run)
			heap_free(mfn_add(m, i - run), run);
		freed += run;
		run = 0;
	}
	if (run)
		heap_free(mfn_add(m, n - run), run);
	freed += run;
	assert_always(d->mem.used >= given, "what a domain gives up was counted");
	d->mem.used -= given;
	lock_release(&d->mem.lock);
	heap_account_free(freed);
}

void frame_park(mfn_t m, const struct domain *d)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w = read_once(word);

	do {
		assert((w & OWNED_MASK) == WORD(d->id, FRAME_USED, 0),
		       "a domain parks what it uses");
	} while (!atomic_cas(word, &w, w | WORD(0, FRAME_PARKED, 0)));
}

bool frame_parked(mfn_t m, const struct domain *d)
{
	return m.n < frame_max() && frame_covered(m) &&
	       (read_once(frame_word(frame_of(m))) & OWNED_MASK) ==
		   WORD(d->id, FRAME_USED | FRAME_PARKED, 0);
}

bool frame_unpark(mfn_t m, const struct domain *d)
{
	uint64_t *word = frame_word(frame_of(m));
	uint64_t w;

	if (m.n >= frame_max() || !frame_covered(m))
		return false;
	w = read_once(word);
	do {
		if ((w & OWNED_MASK) != WORD(d->id, FRAME_USED | FRAME_PARKED, 0))
			return false;
	} while (!atomic_cas(word, &w, w & ~WORD(0, FRAME_PARKED, 0)));
	return true;
}

/* ---- pins ------------------------------------------------------------------------------------ */

void frame_pin(mfn_t m)
{
	uint64_t n = atomic_add(&frame_of(m)->gfn_pins, (uint64_t)1);

	assert_always(n & 0xffffff, "no frame is pinned 16 million times");
}

void frame_unpin(mfn_t m)
{
	uint64_t *p = &frame_of(m)->gfn_pins;

	assert(read_once(p) & 0xffffff, "a frame is unpinned as often as it was pinned");
	atomic_sub(p, (uint64_t)1);
}
