/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Atomic operations on words shared with guests (hv/guest_atomic.h): exclusive loads and stores, so that they
 * are the same on CPUs with and without single-instruction atomics. No guest can make so many attempts in a row fail
 * by accident; the time they take is a few milliseconds at most.
 */
#ifndef ASM_GUEST_ATOMIC_H
#define ASM_GUEST_ATOMIC_H

#include <hv/atomic.h>

#define GUEST_ATOMIC_TRIES 10000u

/* `insn` makes the new value %0 of the old one %1 and of %5. `s`: suffix of the size, `r`: kind of register. */
#define GUEST_RMW(name, type, s, r, insn)                                                       \
	static inline type guest_##name(type *p, type v, bool *ok)                              \
	{                                                                                       \
		uint32_t failed, tries = GUEST_ATOMIC_TRIES;                                    \
		type old, new;                                                                  \
                                                                                                \
		__asm__ volatile("1:	ldaxr" s " %" r "1, %4\n"                               \
				 "	" insn "\n"                                             \
				 "	stlxr" s " %w2, %" r "0, %4\n"                          \
				 "	cbz	%w2, 2f\n"                                               \
				 "	subs	%w3, %w3, #1\n"                                         \
				 "	b.ne	1b\n"                                                   \
				 "2:"                                                           \
				 : "=&r"(new), "=&r"(old), "=&r"(failed), "+r"(tries), "+Q"(*p) \
				 : "r"(v)                                                       \
				 : "cc", "memory");                                             \
		*ok = !failed;                                                                  \
		return old;                                                                     \
	}

GUEST_RMW(or_64, uint64_t, "", "", "orr %0, %1, %5")
GUEST_RMW(and_64, uint64_t, "", "", "and %0, %1, %5")
GUEST_RMW(or_32, uint32_t, "", "w", "orr %w0, %w1, %w5")
GUEST_RMW(and_32, uint32_t, "", "w", "and %w0, %w1, %w5")
GUEST_RMW(and_16, uint16_t, "h", "w", "and %w0, %w1, %w5")
GUEST_RMW(xchg_8, uint8_t, "b", "w", "mov %w0, %w5")

static inline bool guest_cas_32(uint32_t *p, uint32_t *expected, uint32_t v, bool *ok)
{
	uint32_t failed = 0, tries = GUEST_ATOMIC_TRIES, old, want = *expected;

	__asm__ volatile("1:	ldaxr	%w0, %3\n"
			 "	cmp	%w0, %w4\n"
			 "	b.ne	2f\n"
			 "	stlxr	%w1, %w5, %3\n"
			 "	cbz	%w1, 2f\n"
			 "	subs	%w2, %w2, #1\n"
			 "	b.ne	1b\n"
			 "2:"
			 : "=&r"(old), "+&r"(failed), "+&r"(tries), "+Q"(*p)
			 : "r"(want), "r"(v)
			 : "cc", "memory");
	*expected = old;
	/* A value that differs ends it as well, whatever the attempt before came to. */
	*ok = !failed || old != want;
	return old == want && !failed;
}

#define arch_guest_or(p, v, ok) \
	_Generic((p), uint64_t * : guest_or_64, uint32_t * : guest_or_32)((p), (v), (ok))
#define arch_guest_and(p, v, ok)            \
	_Generic((p), uint64_t *            \
		 : guest_and_64, uint32_t * \
		 : guest_and_32, uint16_t * \
		 : guest_and_16)((p), (v), (ok))
#define arch_guest_xchg(p, v, ok)     _Generic((p), uint8_t * : guest_xchg_8)((p), (v), (ok))
#define arch_guest_cas(p, old, v, ok) guest_cas_32((p), (old), (v), (ok))

#endif
