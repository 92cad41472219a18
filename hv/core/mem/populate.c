/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory a domain may have, and frames going to it and coming back. `max` is the limit, `used` what it
 * has, `claimed` what it was promised of what is still free (hv/domain.h).
 *
 * What a domain gives up (balloon, decrease_reservation, something mapped over it) goes back to the heap, for
 * others. Two kinds stay: a direct-mapped domain can use a frame only at its own number, and devices may
 * have been told of it, so the frame is parked (owned, without mapping and not counted) until the domain
 * populates the same number again; and frames of a static domain wait on a list for it.
 *
 * Lock: mem->lock (POOL). Called by abi/memory.c, the builder, and p2m.c for RAM that was replaced.
 */
#include "mem.h"

#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/reason.h>

#define UNPARK_STEP 4096u /* entries looked at in one step */

/* ---- accounting ------------------------------------------------------------------------------ */

static uint64_t asked; /* [a] the sum of asked_of() over all domains */

/* What a toolstack was promised for it and has not come. */
static uint64_t asked_of(const struct domain_mem *mem)
{
	return mem->asked ? mem->claimed : 0;
}

uint64_t domain_mem_asked(void)
{
	return read_once(&asked);
}

/* What the domain was promised is `n` now, and whether a toolstack asked for it. */
static void set_claim(struct domain_mem *mem, uint64_t n, bool by_toolstack) HOLDS(mem->lock)
{
	uint64_t before = asked_of(mem);

	mem->claimed = n;
	write_once(&mem->asked, by_toolstack);
	if (asked_of(mem) != before)
		(void)atomic_add(&asked, asked_of(mem) - before);
}

int domain_mem_init(struct domain *d, uint64_t max_frames)
{
	if (!heap_claim(max_frames))
		return refuse(R_NO_MEMORY, d->id, heap_available(), max_frames);
	d->mem = (struct domain_mem){ .max = max_frames, .claimed = max_frames };
	d->mem.parked_list = INVALID_MFN;
	lock_init(&d->mem.lock, RANK_POOL);
	return 0;
}

void domain_mem_destroy(struct domain *d)
{
	assert_always(d->mem.used == d->mem.held && d->mem.parked == 0,
		      "a domain's memory is given up before the domain is");
	heap_unclaim(d->mem.claimed);
	lock_take(&d->mem.lock);
	set_claim(&d->mem, 0, false);
	lock_release(&d->mem.lock);
}

/* May `d` get `n` more frames? They count as used, and the caller has a claim on them: the domain's own first, *own says how much of it. */
static int take(struct domain *d, uint64_t n, uint64_t *own)
{
	struct domain_mem *mem = &d->mem;
	uint64_t has;
	int err = 0;

	lock_take(&mem->lock);
	/* Parked frames are the domain's as well: it must not get others beside them. */
	has = mem->used + mem->parked;
	*own = MIN(n, mem->claimed);
	if (has > mem->max || n > mem->max - has) {
		err = refuse(R_MEM_LIMIT, d->id, mem->max, n);
	} else if (n > *own && !heap_claim(n - *own)) {
		err = refuse(R_NO_MEMORY, d->id, heap_available() + *own, n);
	} else {
		set_claim(mem, mem->claimed - *own, mem->asked);
		mem->used += n;
	}
	lock_release(&mem->lock);
	return err;
}

/* `n` of what take() gave were not used: the claims go back to where they came from. */
static void untake(struct domain *d, uint64_t n, uint64_t own)
{
	own = MIN(n, own);
	lock_take(&d->mem.lock);
	d->mem.used -= n;
	set_claim(&d->mem, d->mem.claimed + own, d->mem.asked);
	lock_release(&d->mem.lock);
	heap_unclaim(n - own);
}

void domain_mem_limit(struct domain *d, uint64_t max)
{
	lock_take(&d->mem.lock);
	write_once(&d->mem.max, max);
	lock_release(&d->mem.lock);
}

int domain_mem_claim(struct domain *d, uint64_t total)
{
	struct domain_mem *mem = &d->mem;
	uint64_t more;
	int err = 0;

	lock_take(&mem->lock);
	if (total == 0) {
		heap_unclaim(mem->claimed);
		set_claim(mem, 0, false);
	} else if (total < mem->used || total > mem->max) {
		err = refuse(R_CLAIM_RANGE, d->id, mem->max, total);
	} else if (total - mem->used > mem->claimed) {
		more = total - mem->used - mem->claimed;
		if (heap_claim(more))
			set_claim(mem, mem->claimed + more, true);
		else
			err = refuse(R_NO_MEMORY, d->id, heap_available(), more);
	}
	if (!err && total)
		set_claim(mem, mem->claimed, true);
	lock_release(&mem->lock);
	return err;
}

void domain_mem_unhold(domid_t id)
{
	struct domain *d = domain_find(id);

	if (!d)
		return;
	lock_take(&d->mem.lock);
	/* None: the id went to another domain in the meantime, and the one that gave it up is gone. */
	if (d->mem.held) {
		d->mem.held--;
		d->mem.used--;
	}
	lock_release(&d->mem.lock);
}

/* ---- parking --------------------------------------------------------------------------------- */

static bool is_static(mfn_t m)
{
	return read_once(&frame_of(m)->state_flags) & FRAME_STATIC;
}

static void park(struct domain *d, mfn_t m, uint64_t n)
{
	struct domain_mem *mem = &d->mem;

	lock_take(&mem->lock);
	for (uint64_t i = 0; i < n; i++) {
		mfn_t f = mfn_add(m, i);

		frame_park(f, d);
		/* A direct-mapped domain's are found by number; the others are linked where the gfn was. */
		if (!d->direct_map) {
			frame_set_gfn(f, gfn(mem->parked_list.n));
			mem->parked_list = f;
		}
	}
	mem->parked += n;
	mem->used -= n;
	lock_release(&mem->lock);
}

/* Count frames that come back, if they may. */
static int unpark_count(struct domain *d, uint64_t n)
{
	struct domain_mem *mem = &d->mem;
	int err = 0;

	lock_take(&mem->lock);
	if (mem->used > mem->max || n > mem->max - mem->used) {
		err = refuse(R_MEM_LIMIT, d->id, mem->max, n);
	} else {
		mem->parked -= n;
		mem->used += n;
	}
	lock_release(&mem->lock);
	return err;
}

/* One from the list, counted. */
static mfn_t unpark_any(struct domain *d)
{
	struct domain_mem *mem = &d->mem;
	mfn_t m;

	lock_take(&mem->lock);
	m = mem->parked_list;
	if (mfn_valid(m)) {
		gfn_t next = frame_gfn(frame_of(m));

		mem->parked_list = gfn_valid(next) ? mfn(next.n) : INVALID_MFN;
		mem->parked--;
		mem->used++;
	}
	lock_release(&mem->lock);
	if (mfn_valid(m) && !frame_unpark(m, d))
		panic("a parked frame belongs to its domain");
	return m;
}

void domain_mem_drop(struct domain *d, mfn_t m, unsigned order)
{
	if (likely(!d->direct_map && !is_static(m)) || read_once(&d->dying))
		frame_unassign(m, order, d);
	else
		park(d, m, (uint64_t)1 << order);
}

/* Entries are looked at in order of number: a parked frame has no mapping that would name it. */
static bool unpark_scan(struct domain *d)
{
	struct domain_mem *mem = &d->mem;
	uint64_t n = mem->scan, end = frame_max();

	for (unsigned i = 0; i < UNPARK_STEP && mem->parked && n < end; i++, n++) {
		if (!frame_covered(mfn(n))) {
			n |= PAGE_SIZE / sizeof(struct frame) - 1;
			continue;
		}
		if (!frame_unpark(mfn(n), d))
			continue;
		lock_take(&mem->lock);
		mem->parked--;
		mem->used++;
		lock_release(&mem->lock);
		frame_unassign(mfn(n), 0, d);
	}
	mem->scan = n;
	assert(mem->parked == 0 || n < end, "every parked frame has an entry");
	return mem->parked != 0 && n < end;
}

bool domain_mem_unpark_step(struct domain *d)
{
	if (!d->mem.parked)
		return false;
	if (d->direct_map)
		return unpark_scan(d);
	for (unsigned i = 0; i < UNPARK_STEP / 4 && d->mem.parked; i++)
		frame_unassign(unpark_any(d), 0, d);
	return d->mem.parked != 0;
}

/* ---- frames for a domain --------------------------------------------------------------------- */

static void assign(struct domain *d, mfn_t m, uint64_t n, gfn_t g)
{
	for (uint64_t i = 0; i < n; i++)
		frame_assign(mfn_add(m, i), d, gfn_add(g, i));
}

static int depopulate(struct domain *d, gfn_t g, uint64_t n);

/* The largest page that begins at both and fits. */
static unsigned piece_of(gfn_t g, mfn_t m, uint64_t left)
{
	unsigned order = ORDER_1G;

	while (order && (((g.n | m.n) & (((uint64_t)1 << order) - 1)) || left >> order == 0))
		order -= ORDER_2M;
	return order;
}

/*
 * Map frames of `d`. Where the extent lies at a multiple of its size all pieces lie in one table, and only the first
 * can need memory. What was mapped before a refusal is given up; returns how much that was.
 */
static uint64_t map_ram(struct domain *d, gfn_t g, mfn_t m, unsigned order, int *err)
{
	uint64_t n = (uint64_t)1 << order, done = 0;

	*err = 0;
	while (done < n) {
		unsigned piece = piece_of(gfn_add(g, done), mfn_add(m, done), n - done);

		*err = p2m_change(d, gfn_add(g, done), mfn_add(m, done), piece, P2M_RAM_RW);
		if (*err)
			break;
		done += (uint64_t)1 << piece;
	}
	if (*err && done && depopulate(d, g, done))
		log_warning("d%u changed guest frame %llx while it was populated", d->id,
			    (unsigned long long)g.n);
	return done;
}

static int check_place(const struct domain *d, gfn_t g)
{
	uint64_t end = read_once(&d->p2m.end);

	return g.n < end ? 0 : refuse(R_GFN_OUT_OF_RANGE, g.n, end, 0);
}

/* Frames that took no mapping go back, with the claim on them. */
static void give_back(struct domain *d, mfn_t m, uint64_t n, uint64_t own)
{
	for (uint64_t i = 0; i < n; i++)
		frame_deassign(mfn_add(m, i), d);
	frame_free_run_claimed(m, n);
	untake(d, n, own);
}

static int populate_new(struct domain *d, gfn_t *g, unsigned order, unsigned flags)
{
	uint64_t n = (uint64_t)1 << order, own, done;
	mfn_t m;
	int err;

	err = take(d, n, &own);
	if (err)
		return err;
	m = frame_alloc(order, d->pool.node, flags | ALLOC_CLAIMED);
	if (!mfn_valid(m)) {
		untake(d, n, own);
		return refuse(R_NO_MEMORY, d->id, heap_available(), n);
	}
	if (d->direct_map)
		*g = gfn(m.n);
	assign(d, m, n, *g);
	done = map_ram(d, *g, m, order, &err);
	if (err)
		give_back(d, mfn_add(m, done), n - done, own);
	return err;
}

/* A direct-mapped domain gets what it gave up, where it was; devices may have stale ideas of no other. */
static int populate_parked(struct domain *d, gfn_t g, unsigned order)
{
	uint64_t n = (uint64_t)1 << order, i, done;
	mfn_t m = mfn(g.n);
	int err;

	for (i = 0; i < n; i++)
		if (!frame_parked(mfn_add(m, i), d))
			return refuse(R_NOT_PARKED, g.n + i, 0, d->id);
	err = unpark_count(d, n);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		if (!frame_unpark(mfn_add(m, i), d))
			break;
	done = i == n ? map_ram(d, g, m, order, &err) : 0;
	if (i == n && !err)
		return 0;
	/* Another vCPU was faster, or no table could be had. */
	lock_take(&d->mem.lock);
	d->mem.used -= n - i;
	d->mem.parked += n - i;
	lock_release(&d->mem.lock);
	park(d, mfn_add(m, done), i - done);
	return err ? err : refuse(R_NOT_PARKED, g.n + i, 0, d->id);
}

/* One frame from the list of a domain with static memory. */
static int populate_listed(struct domain *d, gfn_t g)
{
	mfn_t m = unpark_any(d);
	int err;

	if (!mfn_valid(m))
		return refuse(R_NO_MEMORY, d->id, 0, 1);
	frame_set_gfn(m, g);
	(void)map_ram(d, g, m, 0, &err);
	if (err)
		park(d, m, 1);
	return err;
}

int domain_populate(struct domain *d, gfn_t *g, unsigned order, unsigned alloc_flags)
{
	bool building = read_once(&d->state) == DOMAIN_BUILDING;
	int err;

	if (order > MAX_ORDER)
		return refuse(R_NO_MEMORY, d->id, 0, (uint64_t)1 << MIN(order, 63u));
	if (d->direct_map && building)
		return populate_new(d, g, order, alloc_flags);
	err = check_place(d, *g);
	if (err)
		return err;
	if (d->direct_map)
		return populate_parked(d, *g, order);
	if (order == 0 && mfn_valid(d->mem.parked_list))
		return populate_listed(d, *g);
	return populate_new(d, g, order, alloc_flags);
}

int domain_populate_static(struct domain *d, gfn_t g, mfn_t m, unsigned order)
{
	uint64_t n = (uint64_t)1 << order, i, done = 0;
	int err = check_place(d, g);

	if (err)
		return err;
	for (i = 0; i < n; i++)
		if (!frame_take_static(mfn_add(m, i))) {
			err = refuse(R_STATIC_IN_USE, m.n + i, 0, 0);
			break;
		}
	if (!err) {
		lock_take(&d->mem.lock);
		d->mem.max += n;
		d->mem.used += n;
		lock_release(&d->mem.lock);
		assign(d, m, n, g);
		done = map_ram(d, g, m, order, &err);
		if (!err)
			return 0;
		lock_take(&d->mem.lock);
		d->mem.max -= n - done;
		d->mem.used -= n - done;
		lock_release(&d->mem.lock);
		for (uint64_t j = done; j < n; j++)
			frame_deassign(mfn_add(m, j), d);
	}
	while (i > done)
		frame_put(mfn_add(m, --i));
	return err;
}

/* ---- and back -------------------------------------------------------------------------------- */

#define BATCH 32u

static int all_ram(const struct domain *d, gfn_t g, uint64_t n)
{
	for (uint64_t pos = 0; pos < n;) {
		struct p2m_entry e = p2m_lookup(d, gfn_add(g, pos));
		uint64_t span = (uint64_t)1 << e.order;

		if (!p2m_type_is_ram(e.type))
			return refuse(R_GFN_NOT_RAM, g.n + pos, 0, d->id);
		pos += span - ((g.n + pos) & (span - 1));
	}
	return 0;
}

static int depopulate(struct domain *d, gfn_t g, uint64_t n)
{
	uint64_t done = 0, covered;
	struct leaf l[BATCH];
	unsigned nr;
	int err;

	err = all_ram(d, g, n);
	while (!err && done < n) {
		err = p2m_take(d, gfn_add(g, done), n - done, l, BATCH, &nr, &covered);
		for (unsigned i = 0; i < nr; i++)
			p2m_settle(d, &l[i]);
		done += covered;
	}
	return err;
}

int domain_depopulate(struct domain *d, gfn_t g, unsigned order)
{
	uint64_t n = (uint64_t)1 << order, step = MIN(n, (uint64_t)1 << ORDER_2M);
	int err = 0;

	for (uint64_t done = 0; !err && done < n; done += step)
		err = depopulate(d, gfn_add(g, done), step);
	return err;
}

/* ---- invariants ------------------------------------------------------------------------------ */

#ifdef HV_DEBUG
void domain_mem_check(struct domain *d)
{
	uint64_t ram = 0, shared = 0, mapped[3] = { 0 }, end = d->p2m.end;

	for (uint64_t g = 0; g < end;) {
		struct p2m_entry e = p2m_lookup(d, gfn(g));
		uint64_t span = (uint64_t)1 << e.order;

		if (e.type != P2M_NONE)
			mapped[e.order / 9]++;
		if (p2m_type_is_ram(e.type)) {
			ram += span;
			for (uint64_t i = 0; i < span; i++) {
				const struct frame *f = frame_of(mfn_add(e.mfn, i));

				assert_always(f->owner == d->id &&
						  FRAME_STATE(f->state_flags) == FRAME_USED &&
						  !(f->state_flags & FRAME_PARKED) && f->refs > 0,
					      "mapped RAM is the domain's own and in use");
			}
		} else if (e.type == P2M_GRANT_RW || e.type == P2M_GRANT_RO ||
			   e.type == P2M_FOREIGN || e.type == P2M_SHARED) {
			shared += span;
			assert_always(frame_of(e.mfn)->refs > 0, "a mapping holds a reference");
		}
		g += span;
	}
	assert_always(d->p2m.dying || ram + d->mem.held == d->mem.used, "what is used is mapped");
	assert_always(d->p2m.dying || shared == d->mem.shared, "foreign mappings are counted");
	for (unsigned i = 0; i < 3; i++)
		assert_always(d->p2m.dying || mapped[i] == d->p2m.mapped[i], "leaves are counted");
	assert_always(d->mem.used <= d->mem.max, "a domain keeps to its limit");
	assert_always(d->pool.used + d->pool.kept <= d->pool.ceiling,
		      "a pool keeps to its ceiling");
}
#endif
