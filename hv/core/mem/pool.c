/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one domain costs the hypervisor: a counter below a ceiling. The ceiling is a promise taken
 * from free memory at creation (frame_claim), so a frame within it is always there; when it is reached,
 * only this domain's request fails. A pool lies in its struct domain. Lock: pool->lock
 * (POOL), for the counters and the kept list; frames are cleared outside it. Called by everything that
 * grows with a domain.
 */
#include "mem.h"

#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/fault.h>
#include <hv/reason.h>
#include <hv/string.h>

static domid_t owner_of(const struct pool *p)
{
	return container_of(p, struct domain, pool)->id;
}

int pool_init(struct pool *p, uint32_t ceiling, unsigned node)
{
	if (!heap_claim(ceiling))
		return refuse(R_NO_MEMORY, owner_of(p), heap_available(), ceiling);
	*p = (struct pool){ .ceiling = ceiling, .spare = INVALID_MFN, .node = node };
	lock_init(&p->lock, RANK_POOL);
	return 0;
}

/* The kept list is linked by the second word of the entries, which says gfn and pins of frames in use. */
static void keep(struct pool *p, mfn_t m) HOLDS(p->lock)
{
	write_once(&frame_of(m)->gfn_pins, p->spare.n);
	p->spare = m;
	p->kept++;
}

static mfn_t unkeep(struct pool *p) HOLDS(p->lock)
{
	mfn_t m = p->spare;

	if (mfn_valid(m)) {
		p->spare = mfn(read_once(&frame_of(m)->gfn_pins));
		write_once(&frame_of(m)->gfn_pins, NO_GFN_NO_PINS);
		p->kept--;
	}
	return m;
}

int pool_fill(struct pool *p)
{
	while (p->used + p->kept < p->ceiling) {
		mfn_t m = frame_alloc(0, p->node, ALLOC_CLAIMED);

		if (!mfn_valid(m))
			return refuse(R_NO_MEMORY, owner_of(p), heap_available(), 1);
		lock_take(&p->lock);
		keep(p, m);
		lock_release(&p->lock);
	}
	p->fixed = true;
	return 0;
}

int pool_resize(struct pool *p, uint32_t ceiling)
{
	int err = 0;

	lock_take(&p->lock);
	if (ceiling < p->used + p->kept)
		err = refuse(R_POOL_SHRINK, owner_of(p), p->used + p->kept, ceiling);
	else if (ceiling > p->ceiling && !heap_claim(ceiling - p->ceiling))
		err = refuse(R_NO_MEMORY, owner_of(p), heap_available(), ceiling - p->ceiling);
	else if (ceiling < p->ceiling)
		heap_unclaim(p->ceiling - ceiling);
	if (!err)
		p->ceiling = ceiling;
	lock_release(&p->lock);
	return err;
}

void pool_destroy(struct pool *p)
{
	mfn_t m;

	assert_always(p->used == 0, "a pool is empty when it goes");
	lock_take(&p->lock);
	while (mfn_valid(m = unkeep(p)))
		if (!frame_free_claimed(m))
			p->ceiling--;
	lock_release(&p->lock);
	heap_unclaim(p->ceiling);
	p->ceiling = 0;
}

/*
 * Count `n` more frames, below the ceiling. A single kept frame comes in *m; a pool that keeps all its
 * frames gives some back first when it needs a block, for it holds no two side by side.
 */
static int reserve(struct pool *p, uint32_t n, mfn_t *m)
{
	bool full = fault_strikes(FAULT_POOL);
	int err = 0;

	*m = INVALID_MFN;
	lock_take(&p->lock);
	if (unlikely(full || n > p->ceiling - p->used)) {
		err = refuse(R_POOL_EXHAUSTED, owner_of(p), p->ceiling, p->used);
	} else {
		if (n == 1)
			*m = unkeep(p);
		while (n > 1 && p->used + p->kept + n > p->ceiling)
			if (!frame_free_claimed(unkeep(p)))
				p->ceiling--;
		p->used += n;
		p->peak = MAX(p->peak, p->used);
	}
	lock_release(&p->lock);
	return err;
}

static void unreserve(struct pool *p, uint32_t n)
{
	lock_take(&p->lock);
	p->used -= n;
	lock_release(&p->lock);
}

mfn_t pool_alloc_block(struct pool *p, unsigned order)
{
	uint32_t n = 1u << order;
	mfn_t m;
	int err;

	/* Why it failed is kept; this interface has no room for the number. */
	err = reserve(p, n, &m);
	if (unlikely(err) || mfn_valid(m))
		return m;
	m = frame_alloc(order, p->node, ALLOC_CLAIMED);
	if (likely(mfn_valid(m)))
		return m;
	unreserve(p, n);
	err = refuse(R_NO_MEMORY, owner_of(p), heap_available(), n);
	(void)err;
	return m;
}

mfn_t pool_alloc(struct pool *p)
{
	return pool_alloc_block(p, 0);
}

void *pool_alloc_page(struct pool *p)
{
	mfn_t m = pool_alloc(p);

	return mfn_valid(m) ? frame_va(m) : NULL;
}

void pool_free(struct pool *p, mfn_t m)
{
	/* A guest that may (a tools domain) can still map it: then it is not for keeping. */
	bool kept = p->fixed && WORD_REFS(read_once(frame_word(frame_of(m)))) == 1;
	bool claimed = true;

	if (kept)
		page_clear(frame_va(m));
	else
		claimed = frame_free_claimed(m);
	lock_take(&p->lock);
	assert(p->used > 0, "a frame goes back to the pool that gave it");
	p->used--;
	if (kept)
		keep(p, m);
	else if (!claimed)
		p->ceiling--; /* others still hold the frame: the promise went with it */
	lock_release(&p->lock);
}
