/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/mem share: the first eight bytes of a frame's entry as one atomic word, the
 * doors between frame.c (who owns a frame) and alloc.c (which are free), and leaves taken
 * out of second-stage tables.
 *
 *	63           32 31        16 15       0
 *	+--------------+------------+---------+
 *	|  references  | state,flags|  owner  |
 *	+--------------+------------+---------+
 */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/p2m.h>

#define WORD_REF ((uint64_t)1 << 32)
#define WORD(owner, flags, refs) \
	((uint64_t)(refs) << 32 | (uint64_t)(flags) << 16 | (uint64_t)(uint16_t)(owner))
#define WORD_OWNER(w)  ((domid_t)(w))
#define WORD_FLAGS(w)  ((uint16_t)((w) >> 16))
#define WORD_STATE(w)  FRAME_STATE(WORD_FLAGS(w))
#define WORD_REFS(w)   ((uint32_t)((w) >> 32))
/* No guest can make so many references; one that seems to is refused another. */
#define MAX_REFS       0xffff0000u

#define NO_GFN_NO_PINS (~(uint64_t)0 << 24)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && offsetof(struct frame, owner) == 0 &&
		   offsetof(struct frame, state_flags) == 2 && offsetof(struct frame, refs) == 4,
	       "owner, state and references are one word");

static inline uint64_t *frame_word(struct frame *f)
{
	return (uint64_t *)f;
}

/* ---- alloc.c ---- */

/*
 * Which entries of the frame table exist: a bit for each page of the table (256 frames), in leaves of one frame for
 * each 32 GiB, as the table grows. The architecture could say so too, at the price of a walk.
 */
#define COVER_LEAVES     512u
#define COVER_LEAF_SHIFT 23
#define COVER_BIT_SHIFT  8
extern uint64_t *frame_cover[COVER_LEAVES]; /* [wild_lock to write] */

static inline bool frame_covered(mfn_t m)
{
	const uint64_t *leaf;

	if (unlikely(m.n >> COVER_LEAF_SHIFT >= COVER_LEAVES))
		return false;
	leaf = load_acquire(&frame_cover[m.n >> COVER_LEAF_SHIFT]);
	return likely(leaf) && (load_acquire(&leaf[m.n >> (COVER_BIT_SHIFT + 6) & 511]) >>
				    (m.n >> COVER_BIT_SHIFT & 63) &
				1);
}

/* Put n frames, already marked FREE_TAIL and dirty, on the free lists. No accounting. */
void heap_free(mfn_t m, uint64_t n);
/* That many frames are available to everybody again. */
void heap_account_free(uint64_t n);
/* The claim of `n` frames is (again) the caller's. */
void heap_account_claim(uint64_t n);
/* Take `n` from what is free and unpromised, or give it up again. False: not so many. */
MUST_USE bool heap_claim(uint64_t n);
void heap_unclaim(uint64_t n);
/* Frames that are free and not promised. */
uint64_t heap_available(void);

/* ---- frame.c ---- */

/* 2^order frames that were just taken from the free lists become USED frames of our own. */
void frame_begin(mfn_t m, unsigned order);
/* Undo frame_assign of a frame that was never mapped. */
void frame_deassign(mfn_t m, const struct domain *d);
/* Give back a run of one allocation, with the claim on it to the caller. */
void frame_free_run_claimed(mfn_t m, uint64_t n);
/* A direct-mapped domain's frame: kept without a mapping; and back. False: it was not kept. */
void frame_park(mfn_t m, const struct domain *d);
MUST_USE bool frame_unpark(mfn_t m, const struct domain *d);
bool frame_parked(mfn_t m, const struct domain *d);

/* ---- populate.c ---- */

/* A frame that `id` gave up is free at last. */
void domain_mem_unhold(domid_t id);
/* Give up some of what a dying direct-mapped domain has parked; true when there is more. */
MUST_USE bool domain_mem_unpark_step(struct domain *d);

/* ---- p2m.c ---- */

/* A mapping that was taken out. */
struct leaf {
	mfn_t mfn;
	enum p2m_type type;
	unsigned order;
};

/*
 * Take out what is mapped in [g, g + n), from the front: at most `max` leaves, splitting at both ends. On
 * return nothing can use them; *nr says how many there were, *covered how far it came. Their
 * references are the caller's to drop. R_POOL_EXHAUSTED: nothing changed.
 */
MUST_USE int p2m_take(struct domain *d, gfn_t g, uint64_t n, struct leaf *out, unsigned max,
		      unsigned *nr, uint64_t *covered);
/*
 * The walk and its doors for dirty.c. The slot where the walk for `g` ends: at *level, or above it at a leaf or a hole; and the slot at `level`, with
 * superpages split and tables made down to it. `g` is below p2m.end.
 */
typedef uint64_t pte_t; /* arch/memory.h */
pte_t *p2m_descend(const struct p2m *p, gfn_t g, unsigned *level);
MUST_USE int p2m_make_slot(struct domain *d, gfn_t g, unsigned level, pte_t **slot)
    HOLDS(d->p2m.lock);
/* Give a frame of the tree back after a grace period, which p2m_start_grace() begins. */
void p2m_retire(struct domain *d, mfn_t table) HOLDS(d->p2m.lock);
void p2m_start_grace(struct domain *d) HOLDS(d->p2m.lock);

static inline uint64_t p2m_span(unsigned level)
{
	return (uint64_t)1 << (9 * level);
}

/* Drop what a mapping of `d` meant: its reference, or the RAM itself. */
void p2m_settle(struct domain *d, const struct leaf *l);

/* ---- dirty.c ---- */

/* Make sure that there are bits for [g, g + n). R_POOL_EXHAUSTED, R_GFN_OUT_OF_RANGE. */
MUST_USE int p2m_log_prepare(struct domain *d, gfn_t g, uint64_t n) HOLDS(d->p2m.lock);
/* Nobody looks at the log any more. Some of its frames are given back; true when there are more. */
MUST_USE bool p2m_log_free_step(struct domain *d) HOLDS(d->p2m.lock);

#endif
