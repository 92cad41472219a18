/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Broken invariants of our own. Never for what a guest, a tool, firmware or a file can cause:
 * those are refusals. `why` states the invariant in words.
 */
#ifndef HV_ASSERT_H
#define HV_ASSERT_H

#include <hv/compiler.h>

/* Print, with a symbolised backtrace, and stop or reboot as the command line says. */
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

#define assert_always(cond, why)                                                      \
	do {                                                                          \
		if (unlikely(!(cond)))                                                \
			panic("%s:%d: %s (%s)", __FILE_NAME__, __LINE__, why, #cond); \
	} while (0)

#ifdef HV_DEBUG
#define assert(cond, why) assert_always(cond, why)
#else
#define assert(cond, why) ((void)sizeof(cond))
#endif

/* gcc 12 and clang 14 both have it; the fallback keeps odd compilers building. */
#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

#endif
