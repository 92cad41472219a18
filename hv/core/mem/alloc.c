/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free frames. Each NUMA node has a buddy allocator in two zones, below and above 4 GiB; a free block of
 * 2^order frames is aligned to its size and described by the entry of its first frame alone:
 *
 *	first word:  owner = node * 2 + zone, state FREE, DIRTY?, order; refs = first dirty / 4, prev 39..24
 *	second word: prev 23..0 in bits 63..40, next in bits 39..0
 *
 * Frames from "first dirty" on are not cleared. Entries inside a free block may hold anything but FREE.
 *
 * Memory that was never used stays outside, as a list of ranges without frame table ("wild"), and is cut off
 * from the top in pieces of 2 MiB or 1 GiB as it is needed. Frames for the table itself come off the
 * bottom of a range. So boot does nothing in proportion to RAM.
 *
 * `available` counts what is free and promised to nobody: the one number that makes promises safe. It is
 * moved before blocks are, so a promise can never be made of frames that an allocation is about to take.
 *
 * Locks: HEAP of the node for its lists; wild_lock (FRAMETABLE) for never-used ranges and the table's growth.
 */
#include "mem.h"

#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/err.h>
#include <hv/fault.h>
#include <hv/reason.h>
#include <hv/string.h>

#define MAX_NODES         8u
#define MAX_REGIONS       64u
#define MAX_WILD          96u
#define NO_FRAME          (((uint64_t)1 << 40) - 1)
#define LOW_FRAMES        ((uint64_t)1 << 20) /* below 4 GiB */
#define ENTRIES_PER_FRAME (PAGE_SIZE / sizeof(struct frame))
#define FRAMES_LIMIT      ((uint64_t)COVER_LEAVES << COVER_LEAF_SHIFT) /* 16 TiB */

enum { CLEAN, DIRTY };
enum { LOW, HIGH, ZONES };

struct zone {
	uint64_t head[2][MAX_ORDER + 1]; /* [l] first free block; meaningful when its bit below is set */
	uint32_t has[2];                 /* [l, a to read] orders with clean, with dirty blocks */
	uint64_t free;                   /* [l] frames in the lists */
	uint64_t dirty;                  /* [l] of these, not cleared */
};

struct node {
	struct lock lock;
	struct zone zone[ZONES];
};

struct range {
	uint64_t start, end; /* frames */
	uint32_t node;
};

static struct node nodes[MAX_NODES];
static unsigned nr_nodes;                /* [boot] */
static struct range region[MAX_REGIONS]; /* [boot] RAM and the node it is on */
static unsigned nr_regions;              /* [boot] */
static uint64_t max_frame;               /* [boot] */
static uint64_t total;                   /* [boot] frames that are or were ours to hand out */

uint64_t *frame_cover[COVER_LEAVES];
static struct lock wild_lock = LOCK_INIT(RANK_FRAMETABLE);
static struct range wild[MAX_WILD]; /* [wild_lock] never used, in no order */
static unsigned nr_wild;            /* [wild_lock] */
static uint64_t taken;              /* [wild_lock] frames that the frame table cost */

static int64_t available; /* [a] free and not promised; without what the table will cost */
static uint64_t claimed;  /* [a] promised and not yet taken */

uint64_t frame_max(void)
{
	return max_frame;
}

/* ---- promises -------------------------------------------------------------------------------- */

bool heap_claim(uint64_t n)
{
	int64_t have = read_once(&available);

	do {
		if (have < 0 || (uint64_t)have < n)
			return false;
	} while (!atomic_cas(&available, &have, have - (int64_t)n));
	atomic_add(&claimed, n);
	return true;
}

void heap_unclaim(uint64_t n)
{
	uint64_t left = atomic_sub(&claimed, n);

	assert(left + n >= n, "no more is given up than was promised");
	(void)left;
	atomic_add(&available, (int64_t)n);
}

void heap_account_free(uint64_t n)
{
	if (n)
		atomic_add(&available, (int64_t)n);
}

void heap_account_claim(uint64_t n)
{
	atomic_add(&claimed, n);
}

uint64_t heap_available(void)
{
	int64_t have = read_once(&available);

	return have > 0 ? (uint64_t)have : 0;
}

int frame_claim(int64_t frames)
{
	if (frames < 0)
		heap_unclaim((uint64_t)-frames);
	else if (!heap_claim((uint64_t)frames))
		return refuse(R_NO_MEMORY, DOMID_XEN, heap_available(), (uint64_t)frames);
	return 0;
}

/* ---- blocks in the lists --------------------------------------------------------------------- */

struct block {
	uint64_t n;     /* first frame */
	uint64_t dirty; /* frames before this offset are cleared */
	unsigned order;
};

static inline uint64_t size_of(unsigned order)
{
	return (uint64_t)1 << order;
}

static void set_links(struct frame *f, uint64_t next, uint64_t prev)
{
	uint32_t refs = read_once(&f->refs) & 0xffff0000u;

	write_once(&f->refs, refs | (uint32_t)(prev >> 24));
	write_once(&f->gfn_pins, prev << 40 | next);
}

static uint64_t next_of(const struct frame *f)
{
	return read_once(&f->gfn_pins) & NO_FRAME;
}

static uint64_t prev_of(const struct frame *f)
{
	return (uint64_t)(read_once(&f->refs) & 0xffffu) << 24 | read_once(&f->gfn_pins) >> 40;
}

static void insert(struct zone *z, domid_t where, const struct block *b)
{
	struct frame *f = frame_of(mfn(b->n));
	unsigned kind = b->dirty < size_of(b->order) ? DIRTY : CLEAN;
	uint64_t next = z->has[kind] >> b->order & 1 ? z->head[kind][b->order] : NO_FRAME;
	uint16_t flags = (uint16_t)(FRAME_FREE | (kind == DIRTY ? FRAME_DIRTY : 0) |
				    b->order << FRAME_ORDER_SHIFT);

	write_once(&f->refs, kind == DIRTY ? (uint32_t)(b->dirty >> 2) << 16 : 0);
	set_links(f, next, NO_FRAME);
	if (next != NO_FRAME)
		set_links(frame_of(mfn(next)), next_of(frame_of(mfn(next))), b->n);
	write_once(frame_word(f), WORD(where, flags, read_once(&f->refs)));
	z->head[kind][b->order] = b->n;
	write_once(&z->has[kind], z->has[kind] | 1u << b->order);
	z->free += size_of(b->order);
	z->dirty += size_of(b->order) - b->dirty;
}

/* Take the block that starts at n out of the lists. */
static struct block take_out(struct zone *z, uint64_t n)
{
	struct frame *f = frame_of(mfn(n));
	uint16_t flags = read_once(&f->state_flags);
	unsigned kind = flags & FRAME_DIRTY ? DIRTY : CLEAN;
	struct block b = { .n = n, .order = flags >> FRAME_ORDER_SHIFT & 31 };
	uint64_t next = next_of(f), prev = prev_of(f);

	b.dirty = kind == DIRTY ? (uint64_t)(read_once(&f->refs) >> 16) << 2 : size_of(b.order);
	if (next != NO_FRAME)
		set_links(frame_of(mfn(next)), next_of(frame_of(mfn(next))), prev);
	if (prev != NO_FRAME)
		set_links(frame_of(mfn(prev)), next, prev_of(frame_of(mfn(prev))));
	else if (next != NO_FRAME)
		z->head[kind][b.order] = next;
	else
		write_once(&z->has[kind], z->has[kind] & ~(1u << b.order));
	write_once(frame_word(f), WORD(DOMID_XEN, FRAME_FREE_TAIL, 0));
	z->free -= size_of(b.order);
	z->dirty -= size_of(b.order) - b.dirty;
	return b;
}

/* Offset of the first dirty frame, in multiples of four as the entry keeps it. */
static uint64_t round_dirty(uint64_t dirty, unsigned order)
{
	return dirty < size_of(order) ? ROUND_DOWN(dirty, 4u) : size_of(order);
}

/* Cut `b` down to `order`, keeping the half where `keep` lies; the others go into the lists. */
static void split(struct zone *z, domid_t where, struct block *b, unsigned order, uint64_t keep)
{
	while (b->order > order) {
		unsigned o = --b->order;
		uint64_t half = size_of(o);
		struct block low = { b->n, MIN(b->dirty, half), o };
		struct block high = { b->n + half, b->dirty > half ? b->dirty - half : 0, o };

		high.dirty = round_dirty(high.dirty, o);
		if (keep >= high.n) {
			insert(z, where, &low);
			*b = high;
		} else {
			insert(z, where, &high);
			*b = low;
		}
	}
}

/* Put a block into the lists, joined with its free buddies. */
static void put_block(struct zone *z, domid_t where, struct block b)
{
	while (b.order < MAX_ORDER) {
		mfn_t buddy = mfn(b.n ^ size_of(b.order));
		struct block low, high;
		uint64_t w;

		if (buddy.n >= max_frame || !frame_covered(buddy))
			break;
		w = read_once(frame_word(frame_of(buddy)));
		if (WORD_STATE(w) != FRAME_FREE || WORD_OWNER(w) != where ||
		    (WORD_FLAGS(w) >> FRAME_ORDER_SHIFT & 31) != b.order)
			break;
		low = high = take_out(z, buddy.n);
		*(b.n < buddy.n ? &low : &high) = b;
		b.n = low.n;
		b.dirty = low.dirty < size_of(b.order) ? low.dirty : size_of(b.order) + high.dirty;
		b.order++;
		b.dirty = round_dirty(b.dirty, b.order);
	}
	insert(z, where, &b);
}

/* A run of dirty frames, as the largest blocks that fit. */
static void put_run(struct zone *z, domid_t where, uint64_t n, uint64_t end)
{
	while (n < end) {
		unsigned order = n ? (unsigned)__builtin_ctzll(n) : MAX_ORDER;

		order = MIN(order, MAX_ORDER);
		while (order && n + size_of(order) > end)
			order--;
		put_block(z, where, (struct block){ n, 0, order });
		n += size_of(order);
	}
}

static unsigned node_of(uint64_t n)
{
	if (likely(nr_nodes == 1))
		return 0;
	for (unsigned i = 0; i < nr_regions; i++)
		if (n >= region[i].start && n < region[i].end)
			return region[i].node;
	return 0;
}

static inline unsigned zone_of(uint64_t n)
{
	return n < LOW_FRAMES ? LOW : HIGH;
}

static inline domid_t where_of(unsigned node, unsigned zone)
{
	return (domid_t)(node * ZONES + zone);
}

/* The run lies in one piece of RAM: it was one allocation, or a range given at boot. */
void heap_free(mfn_t m, uint64_t n)
{
	unsigned i = node_of(m.n), zone = zone_of(m.n);
	struct node *node = &nodes[i];

	frames_forbid(m.n, n);
	lock_take(&node->lock);
	put_run(&node->zone[zone], where_of(i, zone), m.n, m.n + n);
	lock_release(&node->lock);
}

/* ---- never-used memory ----------------------------------------------------------------------- */

static bool wild_add(uint64_t start, uint64_t end, uint32_t node) HOLDS(wild_lock)
{
	if (start == end)
		return true;
	if (nr_wild == MAX_WILD)
		return false;
	wild[nr_wild++] = (struct range){ start, end, node };
	return true;
}

static void wild_drop(struct range *r) HOLDS(wild_lock)
{
	*r = wild[--nr_wild];
}

/* A cleared frame for the frame table, from a range's ragged lower end if there is one. */
static mfn_t take_for_table(void) NO_LOCK_CHECK
{
	struct range *best = NULL;
	mfn_t m;
	void *va;

	for (unsigned i = 0; i < nr_wild; i++) {
		struct range *r = &wild[i];

		if (!best || (IS_ALIGNED(best->start, size_of(ORDER_2M)) &&
			      (!IS_ALIGNED(r->start, size_of(ORDER_2M)) ||
			       r->end - r->start < best->end - best->start)))
			best = r;
	}
	if (!best)
		return INVALID_MFN;
	m = mfn(best->start++);
	if (best->start == best->end)
		wild_drop(best);
	taken++;
	va = arch_frame_map(m);
	page_clear(va);
	arch_frame_unmap(va);
	return m;
}

/* Table entries for [n, n + count), and the note that they exist. */
static bool extend_table(uint64_t n, uint64_t count) HOLDS(wild_lock)
{
	uint64_t last = (n + count - 1) >> COVER_BIT_SHIFT;

	if (!arch_frame_table_extend(mfn(n), count, take_for_table))
		return false;
	for (uint64_t bit = n >> COVER_BIT_SHIFT; bit <= last; bit++) {
		uint64_t **leaf = &frame_cover[bit >> (COVER_LEAF_SHIFT - COVER_BIT_SHIFT)];
		uint64_t *word;

		if (!*leaf) {
			mfn_t m = take_for_table();

			if (!mfn_valid(m))
				return false;
			store_release(leaf, (uint64_t *)frame_va(m));
		}
		word = &(*leaf)[bit >> 6 & 511];
		store_release(word, *word | (uint64_t)1 << (bit & 63));
	}
	return true;
}

/* The highest aligned 2^order never-used frames of this node and zone. */
static struct range *wild_find(unsigned node, unsigned zone, unsigned order, uint64_t *at)
    HOLDS(wild_lock)
{
	struct range *best = NULL;

	for (unsigned i = 0; i < nr_wild; i++) {
		struct range *r = &wild[i];
		uint64_t n = ROUND_DOWN(r->end, size_of(order)) - size_of(order);

		if (r->node != node || zone_of(r->start) != zone || r->end < size_of(order) ||
		    n < r->start || n >= r->end)
			continue;
		if (!best || n > *at) {
			best = r;
			*at = n;
		}
	}
	return best;
}

/*
 * Cut 2^order frames with table entries out of the never-used ranges. The table is made first, because its
 * frames may come out of the very piece that was found.
 */
static bool wild_cut(unsigned node, unsigned zone, unsigned order, struct block *b) HOLDS(wild_lock)
{
	struct range *r;
	uint64_t at = 0, end;

	for (;;) {
		uint64_t before = taken;

		r = wild_find(node, zone, order, &at);
		if (!r || !extend_table(at, size_of(order)))
			return false;
		if (taken == before)
			break;
	}
	end = r->end;
	/* What lies above an aligned 1 GiB needs a slot of its own. */
	if (at != r->start && end != at + size_of(order) && nr_wild == MAX_WILD)
		return false;
	r->end = at;
	if (r->start == at)
		wild_drop(r);
	*b = (struct block){ at, 0, order };
	return wild_add(at + size_of(order), end, node);
}

/* Memory for 2^order frames: 2 MiB at a time for small ones, as long as there are such pieces. */
static bool grow(unsigned node, unsigned zone, unsigned order, struct block *b)
{
	bool ok = false;

	lock_take(&wild_lock);
	for (unsigned o = MAX(order, ORDER_2M); !ok && nr_wild; o--) {
		ok = wild_cut(node, zone, o, b);
		if (o == order)
			break;
	}
	lock_release(&wild_lock);
	return ok;
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* The smallest block that does; of one size, a clean one unless the caller overwrites it anyway. */
static bool find_block(struct zone *z, unsigned order, unsigned flags, struct block *b)
{
	uint32_t fits = (z->has[CLEAN] | z->has[DIRTY]) >> order << order;
	unsigned o, kind;

	if (!fits)
		return false;
	o = (unsigned)__builtin_ctz(fits);
	kind = flags & ALLOC_DIRTY ? DIRTY : CLEAN;
	if (!(z->has[kind] >> o & 1))
		kind ^= 1;
	*b = take_out(z, z->head[kind][o]);
	return true;
}

static bool take_from(unsigned i, unsigned zone, unsigned order, unsigned flags, struct block *b)
{
	struct node *node = &nodes[i];
	struct zone *z = &node->zone[zone];
	bool ok;

	lock_take(&node->lock);
	ok = find_block(z, order, flags, b) || grow(i, zone, order, b);
	if (ok)
		split(z, where_of(i, zone), b, order, b->n);
	lock_release(&node->lock);
	return ok;
}

static bool take_anywhere(unsigned first, unsigned order, unsigned flags, struct block *b)
{
	for (unsigned i = 0; i < nr_nodes; i++) {
		unsigned node = (first + i) % nr_nodes;

		if (!(flags & ALLOC_LOW4G) && take_from(node, HIGH, order, flags, b))
			return true;
		if (take_from(node, LOW, order, flags, b))
			return true;
		if (flags & ALLOC_EXACT)
			break;
	}
	return false;
}

static void clear_frames(uint64_t n, uint64_t end)
{
	for (; n < end; n++) {
		void *va = arch_frame_map(mfn(n));

		page_clear(va);
		arch_frame_unmap(va);
	}
}

static unsigned first_node(unsigned node)
{
	if (likely(nr_nodes <= 1))
		return 0;
	return (node == ALLOC_ANY_NODE ? this_cpu()->node : node) % nr_nodes;
}

mfn_t frame_alloc(unsigned order, unsigned node, unsigned flags)
{
	uint64_t n = size_of(order);
	struct block b;

	if (order > MAX_ORDER || fault_strikes(FAULT_ALLOC))
		return INVALID_MFN;
	if (!(flags & ALLOC_CLAIMED) && !heap_claim(n))
		return INVALID_MFN;
	if (!take_anywhere(first_node(node), order, flags, &b)) {
		if (!(flags & ALLOC_CLAIMED))
			heap_unclaim(n);
		return INVALID_MFN;
	}
	atomic_sub(&claimed, n);
	frames_permit(b.n, n);
	if (!(flags & ALLOC_DIRTY))
		clear_frames(b.n + b.dirty, b.n + n);
	frame_begin(mfn(b.n), order);
	return mfn(b.n);
}

/* ---- scrubbing ------------------------------------------------------------------------------- */

/* The largest dirty block of the zone, cut down to 2 MiB around its first dirty frame. */
static bool take_dirty(unsigned i, unsigned zone, struct block *b)
{
	struct node *node = &nodes[i];
	struct zone *z = &node->zone[zone];
	uint64_t first;
	bool ok = false;

	lock_take(&node->lock);
	if (z->has[DIRTY]) {
		unsigned order = 31u - (unsigned)__builtin_clz(z->has[DIRTY]);

		/* Out of reach for a moment: only if nobody was promised it. */
		ok = heap_claim(size_of(MIN(order, ORDER_2M)));
		if (ok) {
			*b = take_out(z, z->head[DIRTY][order]);
			first = b->n + b->dirty;
			split(z, where_of(i, zone), b, MIN(order, ORDER_2M), first);
		}
	}
	lock_release(&node->lock);
	return ok;
}

bool frame_scrub_step(unsigned node)
{
	unsigned i = first_node(node);
	struct zone *z = nodes[i].zone;
	bool more;
	struct block b;

	for (unsigned zone = ZONES; zone-- > 0;) {
		if (!read_once(&z[zone].has[DIRTY]) || !take_dirty(i, zone, &b))
			continue;
		frames_permit(b.n, size_of(b.order));
		clear_frames(b.n + b.dirty, b.n + size_of(b.order));
		frames_forbid(b.n, size_of(b.order));
		b.dirty = size_of(b.order);
		lock_take(&nodes[i].lock);
		put_block(&z[zone], where_of(i, zone), b);
		more = read_once(&z[LOW].has[DIRTY]) | read_once(&z[HIGH].has[DIRTY]);
		lock_release(&nodes[i].lock);
		heap_unclaim(size_of(b.order));
		return more;
	}
	return false;
}

/* ---- boot ------------------------------------------------------------------------------------ */

static void nodes_init(unsigned upto)
{
	for (; nr_nodes <= upto; nr_nodes++)
		lock_init(&nodes[nr_nodes].lock, RANK_HEAP);
}

/* What the entries of `n` frames will cost at most: the entries themselves and tables to map them. */
static uint64_t table_cost(uint64_t n)
{
	uint64_t frames = n / ENTRIES_PER_FRAME + 2;

	return frames + frames / PTES_PER_TABLE + 4;
}

static void BOOT_TEXT add_part(uint64_t start, uint64_t end, uint32_t node)
{
	uint64_t n = end - start, cost = table_cost(n);
	bool ok;

	if (start >= end)
		return;
	lock_take(&wild_lock);
	ok = wild_add(start, end, node);
	lock_release(&wild_lock);
	if (!ok)
		return;
	total += n;
	if (n > cost)
		heap_account_free(n - cost);
}

void BOOT_TEXT frame_add_region(paddr_t start, paddr_t end, unsigned node)
{
	uint64_t s = frames_for(start.a), e = end.a >> PAGE_SHIFT;

	node %= MAX_NODES;
	e = MIN(e, FRAMES_LIMIT);
	if (s >= e)
		return;
	nodes_init(node);
	if (nr_regions < MAX_REGIONS)
		region[nr_regions++] = (struct range){ s, e, node };
	max_frame = MAX(max_frame, e);
	add_part(s, MIN(e, MAX(s, LOW_FRAMES)), node);
	add_part(MAX(s, LOW_FRAMES), e, node);
}

/* Free in the lists, and if so in which block? */
static bool BOOT_TEXT in_free_block(uint64_t n)
{
	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		uint64_t head = ROUND_DOWN(n, size_of(order));
		uint16_t flags;

		if (!frame_covered(mfn(head)))
			continue;
		flags = read_once(&frame_of(mfn(head))->state_flags);
		if (FRAME_STATE(flags) == FRAME_FREE &&
		    n - head < size_of(flags >> FRAME_ORDER_SHIFT & 31))
			return true;
	}
	return false;
}

static bool BOOT_TEXT reservable(uint64_t start, uint64_t end)
{
	for (uint64_t n = start; n < end; n++) {
		if (!frame_covered(mfn(n))) {
			n |= ENTRIES_PER_FRAME - 1;
			continue;
		}
		if (FRAME_STATE(read_once(&frame_of(mfn(n))->state_flags)) != FRAME_NEVER ||
		    in_free_block(n))
			return false;
	}
	return true;
}

/* Cut [start, end) out of the never-used ranges; how much of it lay there. */
static bool BOOT_TEXT wild_remove(uint64_t start, uint64_t end, uint64_t *removed) NO_LOCK_CHECK
{
	for (unsigned i = 0; i < nr_wild;) {
		struct range r = wild[i];
		uint64_t s = MAX(start, r.start), e = MIN(end, r.end);

		if (s >= e) {
			i++;
			continue;
		}
		if (nr_wild == MAX_WILD)
			return false;
		*removed += e - s;
		wild_drop(&wild[i]);
		if (!wild_add(r.start, s, r.node) || !wild_add(e, r.end, r.node))
			return false;
	}
	return true;
}

int BOOT_TEXT frame_reserve(paddr_t start, paddr_t end, uint16_t state_flags)
{
	uint64_t s = start.a >> PAGE_SHIFT, e = frames_for(end.a), removed = 0, before;
	bool ok;

	if (s >= e)
		return 0;
	if (e > FRAMES_LIMIT || !reservable(s, e))
		return refuse(R_FRAME_RESERVED, s, 0, 0);
	lock_take(&wild_lock);
	before = taken;
	ok = wild_remove(s, e, &removed) && extend_table(s, e - s);
	removed += taken - before;
	lock_release(&wild_lock);
	total -= removed - (taken - before);
	heap_account_free(0 - removed);
	if (!ok)
		return refuse(R_TOO_MANY_REGIONS, s, MAX_WILD, 0);
	max_frame = MAX(max_frame, e);
	if (FRAME_STATE(state_flags) == FRAME_NEVER)
		state_flags |= FRAME_FIRMWARE;
	for (uint64_t n = s; n < e; n++) {
		write_once(&frame_of(mfn(n))->gfn_pins, NO_GFN_NO_PINS);
		store_release(frame_word(frame_of(mfn(n))),
			      WORD(DOMID_XEN, state_flags, FRAME_STATE(state_flags) == FRAME_USED));
	}
	return 0;
}

void frame_release_reserved(paddr_t start, paddr_t end)
{
	uint64_t n = frames_for(start.a), e = end.a >> PAGE_SHIFT;

	while (n < e) {
		uint64_t run = n;

		while (run < e && zone_of(run) == zone_of(n) && frame_covered(mfn(run)) &&
		       read_once(frame_word(frame_of(mfn(run)))) ==
			   WORD(DOMID_XEN, FRAME_FIRMWARE, 0)) {
			write_once(frame_word(frame_of(mfn(run))),
				   WORD(DOMID_XEN, FRAME_FREE_TAIL, 0));
			run++;
		}
		if (run > n) {
			nodes_init(0);
			heap_free(mfn(n), run - n);
			total += run - n;
			heap_account_free(run - n);
		}
		n = MAX(run, n + 1);
	}
}

void frame_stats(struct mem_stats *s)
{
	*s = (struct mem_stats){ .total = total, .claimed = read_once(&claimed) };
	for (unsigned i = 0; i < nr_nodes; i++) {
		lock_take(&nodes[i].lock);
		for (unsigned zone = 0; zone < ZONES; zone++) {
			s->free += nodes[i].zone[zone].free;
			s->dirty += nodes[i].zone[zone].dirty;
		}
		lock_release(&nodes[i].lock);
	}
	lock_take(&wild_lock);
	s->table = taken;
	for (unsigned i = 0; i < nr_wild; i++)
		s->never += wild[i].end - wild[i].start;
	lock_release(&wild_lock);
}
