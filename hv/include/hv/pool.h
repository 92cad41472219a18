/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a domain costs the hypervisor is charged to that domain. A pool has a ceiling, claimed from
 * free memory when the domain is created and not taken; frames arrive on use. When the ceiling is
 * reached only its owner's request fails. A static domain fills its pool at start and never
 * allocates again. A pool lies in its struct domain, whose id goes into its refusals.
 */
#ifndef HV_POOL_H
#define HV_POOL_H

#include <hv/frame.h>
#include <hv/lock.h>

struct pool {
	struct lock lock; /* rank POOL */
	uint32_t ceiling; /* [l] frames promised */
	uint32_t used;    /* [l] frames in use now */
	uint32_t peak;    /* [l] most ever in use */
	uint32_t kept;    /* [l] frames in the list below */
	mfn_t spare; /* [l] list of cleared frames kept for this domain (linked by frame->gfn_pins) */
	uint32_t node; /* [c] preferred NUMA node, ALLOC_ANY_NODE */
	bool fixed;    /* [c] static: filled at start, frames return here and not to the heap */
};

/* Claim `ceiling` frames. -ENOMEM: not that much memory is free and unpromised. */
MUST_USE int pool_init(struct pool *p, uint32_t ceiling, unsigned node);
/* Take the whole ceiling now (static domains). */
MUST_USE int pool_fill(struct pool *p);
/* Raise or lower the ceiling; not below what is used. */
MUST_USE int pool_resize(struct pool *p, uint32_t ceiling);
/* Return the claim. All frames must be back. */
void pool_destroy(struct pool *p);

/* One cleared frame, or INVALID_MFN with the reason refused (R_POOL_EXHAUSTED or R_NO_MEMORY). */
MUST_USE mfn_t pool_alloc(struct pool *p);
/* The same by its address (frame_va); NULL with the reason. */
MUST_USE void *pool_alloc_page(struct pool *p);
void pool_free(struct pool *p, mfn_t m);
/* 2^order frames side by side, aligned to their size; given back one by one. Creation only. */
MUST_USE mfn_t pool_alloc_block(struct pool *p, unsigned order);

#endif
