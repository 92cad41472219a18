/* SPDX-License-Identifier: Apache-2.0 */
/* A reference count. It starts at one; the put that reaches zero destroys. */
#ifndef HV_REF_H
#define HV_REF_H

#include <hv/atomic.h>

struct ref {
	uint32_t n; /* [a] */
};

static inline void ref_init(struct ref *r)
{
	write_once(&r->n, 1u);
}

/* Takes a reference unless the object is already on its way out. */
MUST_USE static inline bool ref_get(struct ref *r)
{
	uint32_t n = read_once(&r->n);

	do {
		if (n == 0)
			return false;
	} while (!atomic_cas(&r->n, &n, n + 1));
	return true;
}

/* True when this was the last reference: the caller destroys the object. */
MUST_USE static inline bool ref_put(struct ref *r)
{
	return atomic_sub(&r->n, 1u) == 0;
}

#endif
