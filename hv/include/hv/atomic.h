/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot and atomic accesses, as thin names over the compiler's builtins so that ThreadSanitizer
 * understands them. read_once/write_once: exactly one access, no ordering. Everything else says
 * its ordering in its name; without one it is sequentially consistent.
 */
#ifndef HV_ATOMIC_H
#define HV_ATOMIC_H

#include <hv/compiler.h>
#include <hv/copy.h>

#define read_once(p)        __atomic_load_n((p), __ATOMIC_RELAXED)
#define write_once(p, v)    __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* In the simulator another CPU may run before each read-modify-write, and after each load that others rely on. */
#ifdef HV_HOST
void sim_switch_point(void);
#define ATOMIC_STEP(op)             \
	({                          \
		sim_switch_point(); \
		op;                 \
	})
#define ATOMIC_LOAD(op)                   \
	({                                \
		__auto_type loaded_ = op; \
		sim_switch_point();       \
		loaded_;                  \
	})
#else
#define ATOMIC_STEP(op) op
#define ATOMIC_LOAD(op) op
#endif

#define load_acquire(p)   ATOMIC_LOAD(__atomic_load_n((p), __ATOMIC_ACQUIRE))
#define atomic_load(p)    ATOMIC_LOAD(__atomic_load_n((p), __ATOMIC_SEQ_CST))
#define atomic_add(p, v)  ATOMIC_STEP(__atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST))
#define atomic_sub(p, v)  ATOMIC_STEP(__atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST))
#define atomic_or(p, v)   ATOMIC_STEP(__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define atomic_and(p, v)  ATOMIC_STEP(__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))
#define atomic_xchg(p, v) ATOMIC_STEP(__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
/* True when *p held *old and now holds `v`; otherwise *old is what was found. */
#define atomic_cas(p, old, v)                                                             \
	ATOMIC_STEP(__atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_SEQ_CST, \
						__ATOMIC_SEQ_CST))
#ifdef HV_TSAN /* it knows no fences: this orders as one and pairs nobody, so that no race hides */
#define atomic_fence()                                                \
	({                                                            \
		int own_ = 0;                                         \
		(void)__atomic_fetch_add(&own_, 1, __ATOMIC_SEQ_CST); \
	})
#else
#define atomic_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/*
 * memmove() of bytes that a guest may write or read at the same moment: what arrives is any mixture of old and new.
 * ThreadSanitizer is told byte by byte that this is meant.
 */
static inline void copy_racing(void *dst, const void *src, unsigned long n)
{
#ifdef HV_TSAN
	const char *s = src;
	char *d = dst;

	for (unsigned long i = 0; i < n; i++) {
		unsigned long at = d <= s ? i : n - 1 - i;

		write_once(&d[at], read_once(&s[at]));
	}
#else
	copy_normal(dst, src, n);
#endif
}

/* Bit `nr` of an array of unsigned long shared with a guest or another CPU; old value returned. */
#define BITS_PER_LONG (8u * (unsigned)sizeof(unsigned long))

static inline bool atomic_test_and_set_bit(unsigned nr, unsigned long *word)
{
	unsigned long mask = 1ul << (nr % BITS_PER_LONG);

	return atomic_or(&word[nr / BITS_PER_LONG], mask) & mask;
}

static inline bool atomic_test_and_clear_bit(unsigned nr, unsigned long *word)
{
	unsigned long mask = 1ul << (nr % BITS_PER_LONG);

	return atomic_and(&word[nr / BITS_PER_LONG], ~mask) & mask;
}

#endif
