/* SPDX-License-Identifier: Apache-2.0 */
/* What a long command shows on a terminal, and how Ctrl-C ends it. */
#ifndef TOOLS_CTL_PROGRESS_H
#define TOOLS_CTL_PROGRESS_H

#include "lib/watch.h"

/*
 * From here on steps are shown, behind `name` (kept until the end), and a signal that is held back (system_lock()) stops the operation. The watch is for struct system; there is
 * one at a time.
 */
const struct watch *progress_begin(const char *name);
/* The line is gone. Without a beginning, nothing happens. */
void progress_end(void);

#endif
