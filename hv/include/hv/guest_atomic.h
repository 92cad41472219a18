/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-modify-write of words that a guest writes too: event words, grant entries. Where that is a loop (Arm: load-exclusive,
 * store-exclusive), a guest that keeps storing into the same line could keep the loop from ending. So it is tried a bounded number of times;
 * then `d`, whose memory it is, is crashed as soon as the caller is through, and the operation has not
 * happened. Sequentially consistent. Any context.
 */
#ifndef HV_GUEST_ATOMIC_H
#define HV_GUEST_ATOMIC_H

#include <asm/guest_atomic.h> /* arch_guest_or, _and, _xchg: the old value; _cas; each sets *ok */
#include <hv/compiler.h>

struct domain;

/* core/domain/lifecycle.c: crash `d` from work, so that any lock may be held here. Once. */
void domain_starves_us(struct domain *d);

#define GUEST_ATOMIC_(d, op, p, v)                     \
	({                                             \
		bool ok_;                              \
		__auto_type old_ = op((p), (v), &ok_); \
		if (unlikely(!ok_))                    \
			domain_starves_us(d);          \
		old_;                                  \
	})

/* The value before; any value when it did not happen. */
#define guest_or(d, p, v)   GUEST_ATOMIC_(d, arch_guest_or, p, v)
#define guest_and(d, p, v)  GUEST_ATOMIC_(d, arch_guest_and, p, v)
#define guest_xchg(d, p, v) GUEST_ATOMIC_(d, arch_guest_xchg, p, v)
/* 32 bits. True when *p held *old and now holds `v`; otherwise *old is what was found. */
static inline bool guest_cas(struct domain *d, uint32_t *p, uint32_t *old, uint32_t v)
{
	bool ok, same = arch_guest_cas(p, old, v, &ok);

	if (unlikely(!ok))
		domain_starves_us(d);
	return same;
}

#endif
