/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: what the store was told, in shared memory that outlives the process.
 *
 * Two files take turns. Each begins with a saved state (upgrade_save.c); behind it stand records, one for each input of
 * the store. A process that finds them loads the state and plays the records again (journal_replay): the store is then as
 * it was when its predecessor ended, however that ended. When there are more records than they are
 * worth the state is saved in the other file, in steps; that becomes the valid one by a single store.
 *
 * A record is there once its length is. Bytes that the kernel moves at the same time (recv, send) are moved with
 * the kernel writing their number into the file as well (struct in_flight), so there is no moment at which
 * they are gone from the socket and not yet known here.
 */
#ifndef STORED_JOURNAL_H
#define STORED_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum record_type {
	REC_INPUT = 1, /* conn, its bytes */
	REC_OUTPUT,    /* conn: n bytes of its output are sent */
	REC_ACCEPT,    /* conn: a new socket */
	REC_CLOSE,     /* conn: a socket is gone */
	REC_FORGIVE,   /* conn */
	REC_RESET,     /* conn, struct ring_restart: a ring begins anew, or ends by an error */
	REC_GONE,      /* conn: the domain's number */
	REC_SHUT_DOWN, /* the same */
	REC_RESULT,    /* what the surroundings answered */
};

struct record {
	uint32_t len; /* with this header, a multiple of 16; 0: not there (yet) */
	uint32_t type;
	uint32_t conn;
	uint32_t n; /* bytes that follow; of REC_OUTPUT: bytes sent, none follow */
};

/*
 * Take two empty or earlier used files. True when they hold a state: then load and replay. Else the caller
 * saves the first one.
 */
bool journal_open(const int fd[2]);
/* The saved state. */
const void *journal_state(size_t *len);
/* Play the records; `apply` is called for each. Afterwards new ones are appended. */
void journal_replay(void (*apply)(const struct record *r, const void *bytes));
/* Is this a replay? */
bool journal_replaying(void);
/* Leave out the last input, with what it was answered: it is what ended three processes. Returns its connection; -1: there is none. */
long journal_drop_last(void);

/* Append. */
void journal_append(enum record_type type, uint32_t conn, const void *bytes, size_t n);
/* Bytes from a socket into a record: their number and place, 0 at the end, -1 with errno. */
ssize_t journal_recv(uint32_t conn, int fd, size_t max, const void **bytes);
/* Send bytes and append that they are sent: as send(). */
ssize_t journal_send(uint32_t conn, int fd, const void *bytes, size_t n);
/*
 * The same for a ring, whose counter the caller moves to `to` between the two; in_flight says after a crash
 * whether that still happened.
 */
void journal_before_ring(uint32_t conn, size_t n, uint32_t to);
void journal_after_ring(uint32_t conn, size_t n);
/* What a crash left undecided about a ring: n bytes are sent if its counter is at `to`. */
bool journal_undecided(uint32_t *conn, size_t *n, uint32_t *to);

/*
 * An answer of the surroundings: from the record when replaying (true), else the caller makes it and appends it
 * as REC_RESULT.
 */
bool journal_result(void *answer, size_t size);

/* Is it time to save the state? */
bool journal_is_long(void);
/*
 * Save the state of this moment: write it into the sink (upgrade.h), meanwhile records are appended as ever; then call
 * journal_save_end() until it is true. Each call copies so many bytes of the records that were appended since; the last one makes the new
 * file the valid one, or says that there is no space and keeps nothing any more.
 */
struct sink *journal_save_begin(void);
bool journal_save_end(size_t bytes);
bool journal_is_kept(void);
/* Bytes in use. */
size_t journal_size(void);

#endif
