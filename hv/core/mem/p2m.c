/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One domain's second-stage tables: walking and editing radix trees of 512 entries. Which bits an entry
 * has is the architecture's (arch/memory.h); what may be there, and what it meant for the frame, is decided here.
 *
 * Every edit has the same shape: find the slot (making tables and splitting superpages with frames that are
 * allocated before anything changes), write it, flush, and only then drop what the old entry
 * held. A table that is unlinked goes to a retired list and is freed after a grace period, because look-ups
 * take no lock. Where the hardware wants an empty entry between two live ones, `breaking` is odd meanwhile, so that
 * a look-up (or the door) can tell that moment from a hole.
 *
 * Lock: p2m->lock (P2M). Called through hv/p2m.h by grants, foreign mapping, ballooning, the builder and the door.
 */
#include "mem.h"

#include <arch/cpu.h>
#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/iommu.h>
#include <hv/reason.h>

#define MAX_LEVELS    5u
#define BATCH         32u   /* leaves taken out between two flushes */
#define TEARDOWN_STEP 1024u /* frames or slots in one step of destruction */
#define GRACE_STEP    64u   /* table frames freed at once */

static inline unsigned top_of(const struct p2m *p)
{
	return p->view.levels - 1u;
}

static inline unsigned index_of(gfn_t g, unsigned level)
{
	return (unsigned)(g.n >> (9 * level)) & (PTES_PER_TABLE - 1);
}

static inline pte_t *slot_in(mfn_t table, gfn_t g, unsigned level)
{
	return (pte_t *)frame_va(table) + index_of(g, level);
}

/* Root tables lie side by side. */
static inline pte_t *root_slot(const struct p2m *p, gfn_t g)
{
	unsigned level = top_of(p);
	uint64_t table = (g.n >> (9 * level)) / PTES_PER_TABLE;

	return slot_in(mfn_add(p->view.root, table), g, level);
}

/* Where the walk for `g` ends: at *level, or above it at a leaf or a hole. `g` is below p->end; p->lock is held. */
pte_t *p2m_descend(const struct p2m *p, gfn_t g, unsigned *level)
{
	unsigned l = top_of(p), target = *level;
	pte_t *slot = root_slot(p, g);

	while (l > target && arch_pte_is_table(*slot, l)) {
		slot = slot_in(arch_pte_mfn(*slot), g, l - 1);
		l--;
	}
	*level = l;
	return slot;
}

/* What is there, without the lock: each entry is read once, for it may be something else the next moment. */
static pte_t peek(const struct p2m *p, gfn_t g, unsigned *level)
{
	unsigned l = top_of(p), target = *level;
	pte_t e = load_acquire(root_slot(p, g));

	while (l > target && arch_pte_is_table(e, l)) {
		l--;
		e = load_acquire(slot_in(arch_pte_mfn(e), g, l));
	}
	*level = l;
	return e;
}

/* ---- looking --------------------------------------------------------------------------------- */

static struct p2m_entry entry_of(pte_t e, gfn_t g, unsigned level)
{
	struct p2m_entry r = { .mfn = INVALID_MFN, .type = P2M_NONE, .order = 9 * level };

	if (e) {
		r.type = arch_pte_type(e, level);
		r.mfn = arch_pte_mfn(e);
		if (mfn_valid(r.mfn))
			r.mfn.n += g.n & (p2m_span(level) - 1);
	}
	return r;
}

struct p2m_entry p2m_lookup(const struct domain *d, gfn_t g)
{
	const struct p2m *p = &d->p2m;

	for (;;) {
		uint32_t breaking = load_acquire(&p->breaking);
		struct p2m_entry r = { .mfn = INVALID_MFN, .type = P2M_NONE };

		if (g.n < load_acquire(&p->end)) {
			unsigned level = 0;
			pte_t e = peek(p, g, &level);

			r = entry_of(e, g, level);
		}
		if (likely(r.type != P2M_NONE))
			return r;
		atomic_fence();
		if (!(breaking & 1) && read_once(&p->breaking) == breaking)
			return r;
		arch_cpu_relax();
	}
}

#define GET_TRIES 64u

int p2m_get_frame(struct domain *d, gfn_t g, bool write, mfn_t *m)
{
	struct p2m_entry e, again;

	for (unsigned i = 0; i < GET_TRIES; i++) {
		e = p2m_lookup(d, g);
		if (!p2m_type_is_ram(e.type) || (write && e.type == P2M_RAM_RO))
			return refuse(R_GFN_NOT_RAM, g.n, 0, d->id);
		if (likely(frame_get(e.mfn, d))) {
			again = p2m_lookup(d, g);
			if (likely(mfn_eq(e.mfn, again.mfn) && e.type == again.type)) {
				if (write && unlikely(read_once(&d->p2m.log)))
					p2m_log_mark(d, g, 1);
				*m = e.mfn;
				return 0;
			}
			frame_put(e.mfn);
		}
	}
	return refuse(R_FRAME_BUSY, g.n, 0, d->id);
}

/* ---- tables come and go ---------------------------------------------------------------------- */

static mfn_t pop(mfn_t *list)
{
	mfn_t m = *list;

	*list = mfn(read_once(&frame_of(m)->gfn_pins));
	write_once(&frame_of(m)->gfn_pins, NO_GFN_NO_PINS);
	return m;
}

static void free_waiting(struct rcu_head *h);

void p2m_start_grace(struct domain *d) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;

	if (p->busy || !mfn_valid(p->retired))
		return;
	p->waiting = p->retired;
	p->retired = INVALID_MFN;
	p->busy = true;
	rcu_call(&p->rcu, free_waiting);
}

/* A grace period is over: nobody can be reading the waiting tables. */
static void free_waiting(struct rcu_head *h)
{
	struct p2m *p = container_of(h, struct p2m, rcu);
	struct domain *d = container_of(p, struct domain, p2m);

	lock_take(&d->p2m.lock);
	for (unsigned i = 0; i < GRACE_STEP && mfn_valid(p->waiting); i++)
		pool_free(&d->pool, pop(&p->waiting));
	if (mfn_valid(p->waiting)) {
		rcu_call(&p->rcu, free_waiting);
	} else {
		p->busy = false;
		p2m_start_grace(d);
	}
	lock_release(&d->p2m.lock);
}

/* The table is unlinked and flushed. */
void p2m_retire(struct domain *d, mfn_t table) HOLDS(d->p2m.lock)
{
	write_once(&frame_of(table)->gfn_pins, d->p2m.retired.n);
	d->p2m.retired = table;
}

/* Put `new` where `old` is; the leaves of both lie in the block of `g` at `level`. */
static bool replace(struct domain *d, pte_t *slot, pte_t old, pte_t new, gfn_t g, unsigned level)
    HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	uint64_t span = p2m_span(level);

	if (!arch_pte_must_break(old, new, level)) {
		arch_pte_write(slot, new);
		return false;
	}
	atomic_add(&p->breaking, 1u);
	arch_pte_write(slot, 0);
	arch_p2m_flush(&p->view, gfn(ROUND_DOWN(g.n, span)), span);
	arch_pte_write(slot, new);
	atomic_add(&p->breaking, 1u);
	return true;
}

/* `e` is a leaf of `level` + 1: what its part `i` is at `level`. */
static pte_t part_of(pte_t e, unsigned level, unsigned i)
{
	mfn_t m = arch_pte_mfn(e);

	if (mfn_valid(m))
		m = mfn_add(m, i * p2m_span(level));
	return arch_pte_leaf(m, arch_pte_type(e, level + 1), level);
}

static void fill_table(pte_t *t, pte_t block, unsigned level)
{
	for (unsigned i = 0; i < PTES_PER_TABLE; i++)
		write_once(&t[i], part_of(block, level, i));
}

static int spare_tables(struct domain *d, mfn_t *spare, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		spare[i] = pool_alloc(&d->pool);
		if (!mfn_valid(spare[i])) {
			while (i > 0)
				pool_free(&d->pool, spare[--i]);
			return reason_err(R_POOL_EXHAUSTED);
		}
	}
	return 0;
}

/*
 * The slot of `g` at `level`, with tables down to it: a hole gets empty ones, a superpage is split. Nothing
 * that is mapped changes. R_POOL_EXHAUSTED: no table was made.
 */
int p2m_make_slot(struct domain *d, gfn_t g, unsigned level, pte_t **slot) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	unsigned at = level;
	pte_t *top = p2m_descend(p, g, &at), *table = NULL, block = *top, old = block;
	mfn_t spare[MAX_LEVELS];
	unsigned n = at - level;
	int err;

	*slot = top;
	err = spare_tables(d, spare, n);
	if (!err && unlikely(d->iommu)) {
		err = iommu_p2m_prepare(d, g, 9 * level);
		while (err && n > 0)
			pool_free(&d->pool, spare[--n]);
	}
	if (err || n == 0)
		return err;
	/* From above: spare[0] hangs at `top`, each next one in the table before. */
	for (unsigned i = 0, l = at - 1; i < n; i++, l--) {
		table = frame_va(spare[i]);
		if (block) {
			fill_table(table, block, l);
			block = table[index_of(g, l)];
			p->mapped[l] += PTES_PER_TABLE - (i + 1 < n);
		}
		if (i + 1 < n)
			write_once(&table[index_of(g, l)], arch_pte_table(spare[i + 1]));
	}
	if (old)
		p->mapped[at]--;
	(void)replace(d, top, old, arch_pte_table(spare[0]), g, at);
	*slot = &table[index_of(g, level)];
	return 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

static bool holds_reference(enum p2m_type t)
{
	return t == P2M_GRANT_RW || t == P2M_GRANT_RO || t == P2M_FOREIGN || t == P2M_SHARED;
}

void p2m_settle(struct domain *d, const struct leaf *l)
{
	if (holds_reference(l->type)) {
		for (uint64_t i = 0; i < (uint64_t)1 << l->order; i++)
			frame_put(mfn_add(l->mfn, i));
		atomic_sub(&d->mem.shared, (uint64_t)1 << l->order);
	} else if (p2m_type_is_ram(l->type)) {
		domain_mem_drop(d, l->mfn, l->order);
	}
}

/* What was in the slot, except RAM that is the same frame as before. After the flush. */
static void settle_old(struct domain *d, pte_t old, unsigned level, const struct leaf *new)
{
	struct leaf l = { arch_pte_mfn(old), arch_pte_type(old, level), 9 * level };

	d->p2m.mapped[level]--;
	if (p2m_type_is_ram(l.type) && p2m_type_is_ram(new->type) && mfn_eq(l.mfn, new->mfn))
		return;
	p2m_settle(d, &l);
}

/* A table of 4 KiB leaves went for one superpage. */
static void settle_table(struct domain *d, mfn_t table, const struct leaf *new) HOLDS(d->p2m.lock)
{
	pte_t *t = frame_va(table);

	for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
		struct leaf part = { mfn_add(new->mfn, i), new->type, 0 };

		if (t[i])
			settle_old(d, t[i], 0, &part);
	}
	p2m_retire(d, table);
	p2m_start_grace(d);
}

static void account_new(struct domain *d, gfn_t g, const struct leaf *l, unsigned level)
{
	struct p2m *p = &d->p2m;
	uint64_t last = g.n + p2m_span(level) - 1;

	p->mapped[level]++;
	if (p->max_gfn.n < last)
		write_once(&p->max_gfn.n, last);
	if (holds_reference(l->type))
		atomic_add(&d->mem.shared, (uint64_t)1);
	else if (unlikely(p->log) && p2m_type_is_ram(l->type))
		p2m_log_mark(d, g, p2m_span(level));
}

static int change(struct domain *d, gfn_t g, const struct leaf *l) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	unsigned level = l->order / 9, at = level;
	pte_t new = arch_pte_leaf(l->mfn, l->type, level), old, *slot;
	int err;

	slot = p2m_descend(p, g, &at);
	if (at == level && level > 1 && arch_pte_is_table(*slot, level))
		return refuse(R_P2M_OCCUPIED, g.n, 0, p2m_span(level));
	if (unlikely(p->log) && p2m_type_is_ram(l->type)) {
		err = p2m_log_prepare(d, g, p2m_span(level));
		if (err)
			return err;
	}
	err = p2m_make_slot(d, g, level, &slot);
	if (err)
		return err;
	old = *slot;
	if (!replace(d, slot, old, new, g, level) && old && old != new)
		arch_p2m_flush(&p->view, g, p2m_span(level));
	if (unlikely(d->iommu)) {
		iommu_p2m_set(d, g, l->mfn, l->order, l->type);
		iommu_p2m_flush(d);
	}
	account_new(d, g, l, level);
	if (!old)
		return 0;
	if (arch_pte_is_table(old, level))
		settle_table(d, arch_pte_mfn(old), l);
	else
		settle_old(d, old, level, l);
	return 0;
}

int p2m_change(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type t)
{
	struct leaf l = { m, t, order };
	struct p2m *p = &d->p2m;
	int err;

	if (t == P2M_NONE)
		return p2m_remove(d, g, order);
	assert_always(order % 9 == 0 && order <= ORDER_1G, "pages come in three sizes");
	assert_always(!(g.n & (p2m_span(order / 9) - 1)) &&
			  (!mfn_valid(m) || !(m.n & (p2m_span(order / 9) - 1))),
		      "a page lies at a multiple of its size");
	assert_always(order == 0 || !holds_reference(t), "references are kept page by page");
	lock_take(&d->p2m.lock);
	if (unlikely(p->dying))
		err = refuse(R_DOMAIN_DYING, d->id, 0, 0);
	else if (unlikely(g.n >= p->end))
		err = refuse(R_GFN_OUT_OF_RANGE, g.n, p->end, 0);
	else
		err = change(d, g, &l);
	lock_release(&d->p2m.lock);
	return err;
}

/* Take the leaf in `slot` out; flushing is the caller's. */
static void clear_leaf(struct domain *d, pte_t *slot, gfn_t g, unsigned level, struct leaf *l)
    HOLDS(d->p2m.lock)
{
	struct p2m_entry e = entry_of(*slot, g, level);

	*l = (struct leaf){ e.mfn, e.type, 9 * level };
	arch_pte_write(slot, 0);
	d->p2m.mapped[level]--;
	if (unlikely(d->iommu))
		iommu_p2m_set(d, g, INVALID_MFN, 9 * level, P2M_NONE);
}

static int take(struct domain *d, gfn_t g, uint64_t n, struct leaf *out, unsigned max, unsigned *nr,
		uint64_t *covered) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	uint64_t pos = 0;
	int err = 0;

	for (unsigned visits = 0; pos < n && *nr < max && visits < PTES_PER_TABLE; visits++) {
		gfn_t at = gfn_add(g, pos);
		unsigned level = 0;
		pte_t *slot = p2m_descend(p, at, &level);
		uint64_t span = p2m_span(level), left = span - (at.n & (span - 1));

		if (!*slot) {
			pos += MIN(left, n - pos);
		} else if (left == span && span <= n - pos) {
			clear_leaf(d, slot, at, level, &out[(*nr)++]);
			pos += span;
		} else {
			err = p2m_make_slot(d, at, level - 1, &slot);
			if (err)
				break;
		}
	}
	if (*nr) {
		arch_p2m_flush(&p->view, g, pos);
		if (unlikely(d->iommu))
			iommu_p2m_flush(d);
		err = 0; /* this much is done; the next call will say it again */
	}
	*covered = pos;
	return err;
}

int p2m_take(struct domain *d, gfn_t g, uint64_t n, struct leaf *out, unsigned max, unsigned *nr,
	     uint64_t *covered)
{
	struct p2m *p = &d->p2m;
	int err;

	*nr = 0;
	*covered = 0;
	lock_take(&d->p2m.lock);
	if (unlikely(p->dying))
		err = refuse(R_DOMAIN_DYING, d->id, 0, 0);
	else if (unlikely(g.n >= p->end || n > p->end - g.n))
		err = refuse(R_GFN_OUT_OF_RANGE, g.n, p->end, 0);
	else
		err = take(d, g, n, out, max, nr, covered);
	lock_release(&d->p2m.lock);
	return err;
}

int p2m_remove(struct domain *d, gfn_t g, unsigned order)
{
	uint64_t n = (uint64_t)1 << order, done = 0, covered;
	struct leaf l[BATCH];
	unsigned nr;
	int err;

	do {
		err = p2m_take(d, gfn_add(g, done), n - done, l, BATCH, &nr, &covered);
		if (err)
			return err;
		for (unsigned i = 0; i < nr; i++)
			if (!p2m_type_is_ram(l[i].type))
				p2m_settle(d, &l[i]);
		done += covered;
	} while (done < n);
	return 0;
}

bool p2m_remove_exact(struct domain *d, gfn_t g, mfn_t m, enum p2m_type t)
{
	struct p2m *p = &d->p2m;
	bool found = false;
	unsigned level = 0;
	struct leaf l;
	pte_t *slot;

	lock_take(&d->p2m.lock);
	if (g.n < p->end) {
		slot = p2m_descend(p, g, &level);
		found = level == 0 && *slot && arch_pte_type(*slot, 0) == t &&
			mfn_eq(arch_pte_mfn(*slot), m);
	}
	if (found) {
		clear_leaf(d, slot, g, 0, &l);
		arch_p2m_flush(&p->view, g, 1);
		if (unlikely(d->iommu))
			iommu_p2m_flush(d);
		p2m_settle(d, &l);
	}
	lock_release(&d->p2m.lock);
	return found;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* Somebody waits for this CPU; not while booting, when nobody does. */
static bool should_stop(void)
{
	return current_vcpu() && softirq_pending();
}

/* The largest page that fits. A 1 GiB page does not replace tables: freeing them all is no small step. */
static unsigned best_order(struct p2m *p, gfn_t g, mfn_t m, uint64_t left)
{
	uint64_t both = g.n | m.n;
	unsigned level = 2;

	if (!(both & (p2m_span(2) - 1)) && left >= p2m_span(2) && g.n < read_once(&p->end)) {
		pte_t e = peek(p, g, &level);

		if (level != 2 || !arch_pte_is_table(e, 2))
			return ORDER_1G;
	}
	return !(both & (p2m_span(1) - 1)) && left >= p2m_span(1) ? ORDER_2M : ORDER_4K;
}

int p2m_map_range(struct domain *d, gfn_t g, mfn_t m, uint64_t n, enum p2m_type t, uint64_t *done)
{
	while (*done < n) {
		unsigned order = best_order(&d->p2m, gfn_add(g, *done), mfn_add(m, *done),
					    n - *done);
		int err = p2m_change(d, gfn_add(g, *done), mfn_add(m, *done), order, t);

		if (err)
			return err;
		*done += (uint64_t)1 << order;
		if (*done < n && should_stop())
			return -ERR_RESTART;
	}
	return 0;
}

int p2m_unmap_range(struct domain *d, gfn_t g, uint64_t n, uint64_t *done)
{
	struct leaf l[BATCH];
	uint64_t covered;
	unsigned nr;

	while (*done < n) {
		int err = p2m_take(d, gfn_add(g, *done), n - *done, l, BATCH, &nr, &covered);

		if (err)
			return err;
		for (unsigned i = 0; i < nr; i++)
			p2m_settle(d, &l[i]);
		*done += covered;
		if (*done < n && should_stop())
			return -ERR_RESTART;
	}
	return 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int p2m_init(struct domain *d)
{
	struct p2m *p = &d->p2m;
	int err;

	*p = (struct p2m){ .retired = INVALID_MFN, .waiting = INVALID_MFN };
	p->view.root = INVALID_MFN;
	lock_init(&p->lock, RANK_P2M);
	err = arch_view_init(&p->view);
	if (err)
		return err;
	p->view.root = pool_alloc_block(&d->pool, p->view.root_order);
	if (!mfn_valid(p->view.root)) {
		arch_view_free(&p->view);
		return reason_err(R_POOL_EXHAUSTED);
	}
	p->end = (uint64_t)1 << (9 * p->view.levels + p->view.root_order);
	return 0;
}

/*
 * The leaf or hole at the cursor. At most 2 MiB of a larger page at once: it stays in its slot until all of it is
 * gone; nothing of the domain runs, and frame_get() refuses what is no longer the domain's.
 */
static unsigned tear_leaf(struct domain *d, unsigned *level) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	gfn_t g = gfn(p->cursor);
	pte_t *slot;
	struct p2m_entry e;
	uint64_t span, chunk;

	*level = 0;
	slot = p2m_descend(p, g, level);
	span = p2m_span(*level);
	if (!*slot) {
		p->cursor = ROUND_DOWN(g.n, span) + span;
		return 1;
	}
	e = entry_of(*slot, g, *level);
	chunk = MIN(span, p2m_span(1));
	p2m_settle(d, &(struct leaf){ e.mfn, e.type, chunk == 1 ? ORDER_4K : ORDER_2M });
	p->cursor += chunk;
	if (!(p->cursor & (span - 1))) {
		arch_pte_write(slot, 0);
		p->mapped[*level]--;
	}
	return (unsigned)chunk;
}

/* The cursor has left tables behind it: unlink them, lowest first. */
static void tear_tables(struct domain *d, unsigned level) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;

	while (level < top_of(p) && !(p->cursor & (p2m_span(level + 1) - 1))) {
		unsigned parent = level + 1;
		pte_t *slot = p2m_descend(p, gfn(p->cursor - 1), &parent);
		mfn_t table = arch_pte_mfn(*slot);

		arch_pte_write(slot, 0);
		p2m_retire(d, table);
		level = parent;
	}
}

static bool tear_step(struct domain *d) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	unsigned work = 0, level;

	while (p->cursor < p->end && work < TEARDOWN_STEP) {
		work += tear_leaf(d, &level);
		tear_tables(d, level);
	}
	return p->cursor < p->end;
}

/* The tree is empty: no look-up finds it any more, the tag is free, the root goes last. */
static void close_view(struct domain *d) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	mfn_t root = p->view.root;

	arch_p2m_flush(&p->view, gfn(0), 0);
	store_release(&p->end, (uint64_t)0);
	arch_view_free(&p->view);
	for (unsigned i = 0; i < 1u << p->view.root_order; i++)
		p2m_retire(d, mfn_add(root, i));
}

static int destroy_step(struct domain *d) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;

	if (!p->dying) {
		p->dying = true;
		arch_p2m_flush(&p->view, gfn(0), 0);
	}
	if (p->log) {
		p->log_old = p->log;
		store_release(&p->log, NULL);
	}
	if (p2m_log_free_step(d))
		return -ERR_RESTART;
	if (p->end) {
		if (tear_step(d))
			return -ERR_RESTART;
		close_view(d);
	}
	/* A domain that was never listed has no readers to wait for. */
	if (domain_find(d->id) == d)
		p2m_start_grace(d);
	else
		while (mfn_valid(p->retired))
			pool_free(&d->pool, pop(&p->retired));
	return p->busy ? -ERR_RESTART : 0;
}

int p2m_destroy_step(struct domain *d)
{
	int err;

	lock_take(&d->p2m.lock);
	err = destroy_step(d);
	lock_release(&d->p2m.lock);
	/* After the grace period: nobody is parking any more what he unmapped before. */
	return err ? err : domain_mem_unpark_step(d) ? -ERR_RESTART : 0;
}
