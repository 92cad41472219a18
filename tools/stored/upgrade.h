/* SPDX-License-Identifier: Apache-2.0 */
/* The whole store as bytes and back: for a new process after a crash, or a new version of the program. */
#ifndef STORED_UPGRADE_H
#define STORED_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a state is written. */
struct sink {
	uint8_t *bytes;
	size_t len, size;                          /* what is written, and what there is room for */
	bool (*grow)(struct sink *sink, size_t n); /* make room for n bytes more, or fail */
	bool failed;                               /* set by grow */
};

/*
 * Write the store of this moment, in steps between which it may be used; one at a time. The sink stays until
 * upgrade_end(), which gives up what is not written, if anything; the caller frees its bytes.
 */
void upgrade_begin(struct sink *sink);
/* Write so many bytes and the rest of what was begun. True: that was all. */
bool upgrade_step(size_t bytes);
void upgrade_end(void);

/* Everything at once; the caller frees it. Not while there are steps to do. */
void *upgrade_save(size_t *len);
/* Into a store that store_init has just made. False: not a state, a damaged one, or of an unknown version. */
bool upgrade_load(const void *state, size_t len);

/*
 * At a state's end: the sum of all before it. What `sum` was before these bytes becomes what it is behind them; it begins as 0, and only
 * the last bytes may be other than whole words of eight.
 */
uint64_t state_sum(uint64_t sum, const void *bytes, size_t n);

/* The parts of a state behind its beginning. */
enum state_part { STATE_END, STATE_NODE, STATE_TRIE, STATE_ROOT, STATE_CONN };
extern const char state_magic[8];

#endif
