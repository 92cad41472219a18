/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log that is kept in pieces: NAME.log is written, NAME.log.1 is the one before it, and so on up to `keep`. Where a write fails (a full disk,
 * say), the bytes are lost and counted; the next write tries again.
 */
#ifndef TOOLS_CONSOLED_LOGFILE_H
#define TOOLS_CONSOLED_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_policy {
	int folder;     /* descriptor of the folder; -1: no logs */
	uint64_t limit; /* bytes, after which a new piece is begun */
	unsigned keep;  /* pieces that are kept besides the one that is written */
};

struct logfile {
	const struct log_policy *policy;
	char name[128]; /* of the file, without folder */
	int fd;         /* -1: not open */
	uint64_t size, lost;
};

/* "guest-" NAME ".log"; what cannot be in a file's name becomes _. Nothing is opened yet. */
void log_init(struct logfile *l, const struct log_policy *policy, const char *prefix,
	      const char *name);
void log_write(struct logfile *l, const char *bytes, size_t n);
void log_close(struct logfile *l);
/* Begin a new piece, or if somebody else (logrotate) has moved the file, open what has its name now. */
void log_reopen(struct logfile *l);

#endif
