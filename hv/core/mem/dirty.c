/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of writes to a domain's RAM, for migration and for whoever wants to know. What has not been written has
 * type LOGDIRTY and cannot be; the first write faults, sets the gfn's bit and makes the page (4 KiB of it, when it was part of a
 * superpage) writable again. Bits are in a tree of frames from the domain's pool: two levels of 512 addresses above frames
 * of 32,768 bits, made where there is RAM before it can be written.
 *
 * Who writes otherwise (the door, grants, foreign mappings, pins) takes a reference first and sets the bit then. Who takes a bit
 * clears it first and looks for references last: one of the two sees the other, and a bit whose frame somebody holds stays set.
 *
 * Lock: p2m->lock (P2M); bits are set without it. Called by the second-stage fault handlers, the door, p2m.c and abi/domctl_dirty.c.
 */
#include "mem.h"

#include <arch/memory.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/reason.h>

#define LEAF_SHIFT 15u /* bits in a frame */
#define NODE_SHIFT 9u  /* addresses in a frame */
#define LOG_SHIFT  (LEAF_SHIFT + 2 * NODE_SHIFT)
#define NODES      (1u << NODE_SHIFT)

/* Where in `root` the frame above the leaf of `g` is, and the leaf in that. */
static inline void **upper(void **root, uint64_t g)
{
	return &root[g >> (LEAF_SHIFT + NODE_SHIFT) & (NODES - 1)];
}

static inline void **lower(void **node, uint64_t g)
{
	return &node[g >> LEAF_SHIFT & (NODES - 1)];
}

/* The word with the bit of `g`; NULL: there is none. */
static uint64_t *word_of(void **root, uint64_t g)
{
	void **node = root && !(g >> LOG_SHIFT) ? load_acquire(upper(root, g)) : NULL;
	uint64_t *leaf = node ? load_acquire(lower(node, g)) : NULL;

	return leaf ? &leaf[(g & ((1u << LEAF_SHIFT) - 1)) / 64] : NULL;
}

void p2m_log_mark(struct domain *d, gfn_t g, uint64_t n)
{
	void **root = load_acquire(&d->p2m.log);

	for (uint64_t i = 0; root && i < n; i += 64) {
		uint64_t *w = word_of(root, g.n + i);

		/* None: its RAM has not been reached yet by p2m_log_start_step(). */
		if (w)
			(void)atomic_or(w, n < 64 ? ((1ull << n) - 1) << (g.n & 63) : ~0ull);
	}
}

/* The frame whose address is to be in *at. */
static int make_frame(struct domain *d, void **at)
{
	void *frame;

	if (*at)
		return 0;
	frame = pool_alloc_page(&d->pool);
	if (!frame)
		return reason_err(R_POOL_EXHAUSTED);
	store_release(at, frame);
	return 0;
}

int p2m_log_prepare(struct domain *d, gfn_t g, uint64_t n)
{
	uint64_t end = g.n + n;
	int err = 0;

	if ((end - 1) >> LOG_SHIFT)
		return refuse(R_GFN_OUT_OF_RANGE, g.n, 1ull << LOG_SHIFT, 0);
	for (uint64_t at = g.n; !err && at < end; at = (at | ((1u << LEAF_SHIFT) - 1)) + 1) {
		err = make_frame(d, upper(d->p2m.log, at));
		if (!err)
			err = make_frame(d, lower(*upper(d->p2m.log, at), at));
	}
	return err;
}

bool p2m_log_free_step(struct domain *d)
{
	void **root = d->p2m.log_old;
	unsigned i = 0;

	if (!root)
		return false;
	while (i < NODES && !root[i])
		i++;
	if (i < NODES) {
		void **node = root[i];

		for (unsigned j = 0; j < NODES; j++)
			if (node[j])
				p2m_retire(d, frame_from_va(node[j]));
		p2m_retire(d, frame_from_va(node));
		root[i] = NULL;
	} else {
		p2m_retire(d, frame_from_va(root));
		d->p2m.log_old = NULL;
	}
	p2m_start_grace(d);
	return d->p2m.log_old;
}

/* ---- pages ------------------------------------------------------------------------------------------ */

static bool retype(pte_t *slot, unsigned level, enum p2m_type from, enum p2m_type to)
{
	pte_t e = *slot;

	if (!e || arch_pte_type(e, level) != from)
		return false;
	arch_pte_write(slot, arch_pte_leaf(arch_pte_mfn(e), to, level));
	return true;
}

/* Those of the chunk at `g` (of `only`, if given) whose frames somebody holds: they may be written without our seeing it. */
static void mark_held(struct domain *d, gfn_t g, const uint64_t *only)
{
	for (unsigned i = 0; i < P2M_LOG_CHUNK; i++) {
		struct p2m_entry e;

		if (only && !(only[i / 64] >> i % 64 & 1))
			continue;
		e = p2m_lookup(d, gfn_add(g, i));
		if (p2m_type_is_ram(e.type) && read_once(&frame_of(e.mfn)->refs) > 1)
			p2m_log_mark(d, gfn_add(g, i), 1);
	}
}

void p2m_log_fault(struct domain *d, gfn_t g)
{
	struct p2m *p = &d->p2m;
	unsigned level = 0;
	pte_t *slot;

	lock_take(&d->p2m.lock);
	slot = g.n < p->end ? p2m_descend(p, g, &level) : NULL;
	/* Another vCPU may have been here just before. */
	if (slot && *slot && arch_pte_type(*slot, level) == P2M_LOGDIRTY) {
		/* A superpage that cannot be split counts as written whole. */
		if (level && p->log && !p2m_make_slot(d, g, 0, &slot))
			level = 0;
		g = gfn(ROUND_DOWN(g.n, p2m_span(level)));
		p2m_log_mark(d, g, p2m_span(level));
		(void)retype(slot, level, P2M_LOGDIRTY, P2M_RAM_RW);
		arch_p2m_widened(&p->view, g, p2m_span(level));
	}
	lock_release(&d->p2m.lock);
}

/* ---- beginning and end ---------------------------------------------------------------------------------- */

/*
 * RAM of the chunk at *next becomes `to`: the leaves of one table, or all of one superpage at its first chunk; then *next is the next
 * chunk that is worth a look.
 */
static int walk_chunk(struct domain *d, enum p2m_type from, enum p2m_type to, uint64_t *next)
    HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	gfn_t g = gfn(*next);
	unsigned level = 1, n = 1;
	pte_t *slot = p2m_descend(p, g, &level);
	uint64_t span = p2m_span(level);
	bool changed = false;
	int err = 0;

	*next = ROUND_DOWN(g.n, span) + (*slot ? P2M_LOG_CHUNK : span);
	if (!*slot)
		return 0;
	if (arch_pte_is_table(*slot, level)) {
		slot = frame_va(arch_pte_mfn(*slot));
		n = PTES_PER_TABLE;
		level = 0;
	} else if (p2m_type_is_ram(arch_pte_type(*slot, level))) {
		*next = g.n + P2M_LOG_CHUNK;
	} else {
		*next = ROUND_DOWN(g.n, span) + span;
		return 0;
	}
	g = gfn(ROUND_DOWN(g.n, span));
	if (to == P2M_LOGDIRTY)
		err = p2m_log_prepare(d, g, span);
	if (err)
		return err;
	for (unsigned i = 0; i < n; i++)
		changed |= retype(&slot[i], level, from, to);
	if (changed)
		arch_p2m_flush(&p->view, g, span);
	if (to == P2M_LOGDIRTY)
		mark_held(d, gfn(*next - P2M_LOG_CHUNK), NULL);
	return 0;
}

static int start(struct domain *d, uint64_t *next) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	int err;

	if (p->dying)
		return refuse(R_DOMAIN_DYING, d->id, 0, 0);
	if (d->iommu)
		return refuse(R_LOG_DEVICES, d->id, 0, 0);
	if (p->log_state == P2M_LOG_ON)
		return *next ? 0 : refuse(R_LOG_ON, d->id, 0, 0);
	if (p->log_state == P2M_LOG_STOPPING)
		return refuse(R_LOG_STOPPING, d->id, 0, 0);
	if (!p->log) {
		err = make_frame(d, (void **)&p->log);
		if (err)
			return err;
		p->log_state = P2M_LOG_STARTING;
	}
	*next = ROUND_DOWN(*next, P2M_LOG_CHUNK);
	if (*next < p->end && *next <= p->max_gfn.n) {
		err = walk_chunk(d, P2M_RAM_RW, P2M_LOGDIRTY, next);
		return err ? err : -ERR_RESTART;
	}
	p->log_state = P2M_LOG_ON;
	return 0;
}

static int stop(struct domain *d, uint64_t *next) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;

	if (p->log_state == P2M_LOG_OFF || p->dying)
		return 0;
	p->log_state = P2M_LOG_STOPPING;
	*next = ROUND_DOWN(*next, P2M_LOG_CHUNK);
	if (*next < p->end && *next <= p->max_gfn.n) {
		int err = walk_chunk(d, P2M_LOGDIRTY, P2M_RAM_RW, next);

		return err ? err : -ERR_RESTART;
	}
	if (p->log) {
		p->log_old = p->log;
		store_release(&p->log, NULL);
	}
	if (p2m_log_free_step(d))
		return -ERR_RESTART;
	p->log_state = P2M_LOG_OFF;
	return 0;
}

int p2m_log_start_step(struct domain *d, uint64_t *next)
{
	int err;

	lock_take(&d->p2m.lock);
	err = start(d, next);
	lock_release(&d->p2m.lock);
	return err;
}

int p2m_log_stop_step(struct domain *d, uint64_t *next)
{
	int err;

	lock_take(&d->p2m.lock);
	err = stop(d, next);
	lock_release(&d->p2m.lock);
	return err;
}

/* ---- taking ---------------------------------------------------------------------------------------------- */

/* What `bits` says was written is logged again. */
static void protect(struct domain *d, gfn_t g, const uint64_t *bits) HOLDS(d->p2m.lock)
{
	struct p2m *p = &d->p2m;
	bool changed = false;
	unsigned level;

	for (unsigned i = 0; i < P2M_LOG_CHUNK; i++) {
		pte_t *slot;

		if (!(bits[i / 64] >> i % 64 & 1) || g.n + i >= p->end)
			continue;
		level = 0;
		slot = p2m_descend(p, gfn_add(g, i), &level);
		changed |= retype(slot, level, P2M_RAM_RW, P2M_LOGDIRTY);
	}
	if (changed)
		arch_p2m_flush(&p->view, g, 0);
	mark_held(d, g, bits);
}

int p2m_log_take(struct domain *d, gfn_t g, unsigned n, bool clear, uint64_t *bits)
{
	struct p2m *p = &d->p2m;
	uint64_t *w;
	int err = 0;

	lock_take(&d->p2m.lock);
	w = word_of(p->log, g.n);
	/* Where nothing is logged nothing was written: as Xen says it. */
	if (p->log_state != P2M_LOG_ON && p->log_state != P2M_LOG_OFF)
		err = refuse(R_LOG_HALF, d->id, 0, p->log_state);
	for (unsigned i = 0; !err && i < P2M_LOG_CHUNK; i += 64) {
		uint64_t want = i >= n ? 0 : n - i < 64 ? (1ull << (n - i)) - 1 : ~0ull;

		bits[i / 64] = !w ? 0 : clear ? atomic_and(w, ~want) & want : read_once(w) & want;
		if (w)
			w++;
	}
	if (!err && clear)
		protect(d, g, bits);
	lock_release(&d->p2m.lock);
	return err;
}
