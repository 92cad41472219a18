/* SPDX-License-Identifier: Apache-2.0 */
/* The few names for compiler features and arithmetic that every file uses. */
#ifndef HV_COMPILER_H
#define HV_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE                      __attribute__((warn_unused_result))
#define NORETURN                      __attribute__((noreturn))
#define PRINTF(f, a)                  __attribute__((format(printf, f, a)))
#define PACKED                        __attribute__((packed))
#define ALIGNED(n)                    __attribute__((aligned(n)))
#define SECTION(s)                    __attribute__((section(s)))
#define NOINLINE                      __attribute__((noinline))
#define ALWAYS_INLINE                 inline __attribute__((always_inline))
#define UNUSED                        __attribute__((unused))

/* Code and data used only while booting. Arm gives the memory back before dom0 runs (arch_boot_done). */
#define BOOT_TEXT                     SECTION(".boot.text") __attribute__((cold))
#define BOOT_DATA                     SECTION(".boot.data")

#define likely(x)                     __builtin_expect(!!(x), 1)
#define unlikely(x)                   __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define MIN(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ < b_ ? a_ : b_;      \
	})
#define MAX(a, b)                       \
	({                              \
		__typeof__(a) a_ = (a); \
		__typeof__(b) b_ = (b); \
		a_ > b_ ? a_ : b_;      \
	})

/* Powers of two only. */
#define ROUND_UP(x, n)   (((x) + ((__typeof__(x))(n)-1)) & ~((__typeof__(x))(n)-1))
#define ROUND_DOWN(x, n) ((x) & ~((__typeof__(x))(n)-1))
#define IS_ALIGNED(x, n) (((x) & ((__typeof__(x))(n)-1)) == 0)

#define BIT(n)           ((uint64_t)1 << (n))

/* clang -Wthread-safety: what a function needs of a lock (style-guide, 7). */
#ifdef __clang__
#define CAPABILITY(n) __attribute__((capability(n)))
#define HOLDS(...)    __attribute__((requires_capability(__VA_ARGS__)))
#define ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define NO_LOCK_CHECK __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(n)
#define HOLDS(...)
#define ACQUIRES(...)
#define RELEASES(...)
#define NO_LOCK_CHECK
#endif

#endif
