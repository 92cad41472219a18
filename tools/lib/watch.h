/* SPDX-License-Identifier: Apache-2.0 */
/* Who looks on at a long operation: told between its steps how far it is, and asked whether it is to go on. */
#ifndef TOOLS_LIB_WATCH_H
#define TOOLS_LIB_WATCH_H

#include "fault.h"
#include <stdbool.h>
#include <stdint.h>

struct watch {
	/*
	 * `done` of `total` bytes of `what` are finished; total 0: it is waited for `what`, nobody knows how long; what NULL: only asked. False: stop, *f (F_INTERRUPTED) is filled;
	 * what was done is to be undone, and while it is, step() is only told. It may be called at any rate.
	 */
	bool (*step)(const char *what, uint64_t done, uint64_t total, struct fault *f);
};

/* The same of a watch that may be NULL: nobody looks, it goes on. */
static inline bool watch_step(const struct watch *w, const char *what, uint64_t done,
			      uint64_t total, struct fault *f)
{
	return !w || w->step(what, done, total, f);
}

/* For what goes on in any case. */
static inline void watch_tell(const struct watch *w, const char *what)
{
	struct fault ignored;

	(void)!watch_step(w, what, 0, 0, &ignored);
}

#endif
