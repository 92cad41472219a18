/* SPDX-License-Identifier: Apache-2.0 */
/* The whole store as bytes and back: for a new process after a crash, or a new version of the program. */
#ifndef STORED_UPGRADE_H
#define STORED_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

/* Everything in the store; the caller frees it. */
void *upgrade_save(size_t *len);
/* Into a store that store_init has just made. False: not a state, or of an unknown version. */
bool upgrade_load(const void *state, size_t len);

#endif
