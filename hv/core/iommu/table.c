/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of one IOMMU context: a radix tree whose entries the driver's format makes and reads. Units walk it at any moment,
 * so every change is one store of one entry, and a table is filled before it is linked. A table that a
 * large leaf replaces is kept until the flush, for a unit may be in it. Lock: the domain's p2m lock.
 */
#include "iommu.h"

#include <hv/assert.h>
#include <hv/atomic.h>
#include <hv/domain.h>
#include <hv/reason.h>

static uint64_t *slot_in(mfn_t table, gfn_t g, unsigned level)
{
	return (uint64_t *)frame_va(table) + ((g.n >> (9 * level)) & (IOMMU_ENTRIES - 1));
}

/* Where the walk for `g` ends: at *level, or above it at a leaf or a hole. */
static uint64_t *descend(const struct iommu_context *c, gfn_t g, unsigned *level)
{
	unsigned l = c->levels - 1u;
	uint64_t *slot = slot_in(c->root, g, l);

	while (l > *level && c->format->is_table(*slot, l)) {
		l--;
		slot = slot_in(c->format->mfn(*slot), g, l);
	}
	*level = l;
	return slot;
}

static void write_entry(const struct iommu_context *c, uint64_t *slot, uint64_t e)
{
	store_release(slot, e);
	if (c->format->clean)
		c->format->clean(slot, sizeof(*slot));
}

unsigned iommu_lookup(const struct iommu_context *c, gfn_t g, mfn_t *m, unsigned *level)
{
	uint64_t e;

	*level = 0;
	e = *descend(c, g, level);
	if (!e || c->format->is_table(e, *level))
		return 0;
	*m = mfn_add(c->format->mfn(e), g.n & (((uint64_t)1 << (9 * *level)) - 1));
	return c->format->access(e);
}

static void changed(struct iommu_context *c, gfn_t g, unsigned level)
{
	uint64_t span = (uint64_t)1 << (9 * level), first = ROUND_DOWN(g.n, span);

	if (!c->stale_end.n || first < c->stale.n)
		c->stale = gfn(first);
	c->stale_end = gfn(MAX(c->stale_end.n, first + span));
}

/* A table of `level` that maps what the leaf `block`, one level above, maps; or nothing. */
static void fill(struct iommu_context *c, mfn_t table, uint64_t block, gfn_t g, unsigned level)
{
	uint64_t *t = frame_va(table);

	if (block) {
		mfn_t m = c->format->mfn(block);
		unsigned access = c->format->access(block);

		for (unsigned i = 0; i < IOMMU_ENTRIES; i++)
			t[i] = c->format->leaf(mfn_add(m, (uint64_t)i << (9 * level)), access,
					       level);
		c->mapped[level] += IOMMU_ENTRIES;
		c->mapped[level + 1]--;
		changed(c, g, level + 1); /* a unit may keep the large one beside the small ones */
	}
	if (c->format->clean)
		c->format->clean(t, PAGE_SIZE);
}

/* All frames first: it happens whole or not at all, and leaves stay as large as in the second stage. */
int iommu_table_prepare(struct domain *d, struct iommu_context *c, gfn_t g, unsigned level)
{
	mfn_t spare[IOMMU_LEVELS];
	unsigned at = level, n = 0;
	uint64_t *slot = descend(c, g, &at);

	for (; n < at - level; n++) {
		spare[n] = pool_alloc(&d->pool);
		if (!mfn_valid(spare[n])) {
			while (n > 0)
				pool_free(&d->pool, spare[--n]);
			return reason_err(R_POOL_EXHAUSTED);
		}
	}
	while (n > 0) {
		mfn_t table = spare[--n];

		fill(c, table, *slot, g, at - 1);
		write_entry(c, slot, c->format->table(table, at));
		slot = slot_in(table, g, --at);
	}
	return 0;
}

void iommu_table_set(struct iommu_context *c, gfn_t g, mfn_t m, unsigned level, unsigned access)
{
	unsigned at = level;
	uint64_t *slot = descend(c, g, &at), old = *slot, e;

	/* Nothing to take away where there is not even a table. */
	if (at != level && !access && !old)
		return;
	assert_always(at == level, "tables were prepared before an entry is written");
	e = access ? c->format->leaf(m, access, level) : 0;
	if (old == e)
		return;
	write_entry(c, slot, e);
	if (e)
		c->mapped[level]++;
	if (old || c->caches_absent)
		changed(c, g, level);
	if (!old)
		return;
	if (c->format->is_table(old, level)) {
		const uint64_t *t = frame_va(c->format->mfn(old));

		assert_always(!mfn_valid(c->retired) && level == 1,
			      "one table of pages goes between two flushes");
		for (unsigned i = 0; i < IOMMU_ENTRIES; i++)
			c->mapped[0] -= t[i] != 0;
		c->retired = c->format->mfn(old);
	} else {
		c->mapped[level]--;
	}
}

/*
 * The next table below the places c->at[], lowest first, or INVALID_MFN when only the root is left. Looks at each entry of each table once in
 * the course of all calls.
 */
static mfn_t unlink_one(struct iommu_context *c)
{
	mfn_t path[IOMMU_LEVELS];
	unsigned top = c->levels - 1u, l = top;

	path[top] = c->root;
	for (;;) {
		uint64_t *t = frame_va(path[l]);

		while (c->at[l] < IOMMU_ENTRIES && !c->format->is_table(t[c->at[l]], l))
			c->at[l]++;
		if (c->at[l] < IOMMU_ENTRIES) {
			path[l - 1] = c->format->mfn(t[c->at[l]]);
			if (l > 1) {
				l--;
				continue;
			}
			t[c->at[l]++] = 0;
			return path[0];
		}
		if (l == top)
			return INVALID_MFN;
		/* All below is gone: the table itself. */
		c->at[l] = 0;
		((uint64_t *)frame_va(path[l + 1]))[c->at[l + 1]++] = 0;
		return path[l];
	}
}

bool iommu_table_free(struct domain *d, struct iommu_context *c, unsigned n)
{
	while (n--) {
		mfn_t m = unlink_one(c);

		if (!mfn_valid(m))
			return false;
		pool_free(&d->pool, m);
	}
	return true;
}
