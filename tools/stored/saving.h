/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the state is saved (upgrade.h) and takes the place of a journal that has become long (journal.h): a piece between two
 * inputs, so that nobody waits for a large store.
 */
#ifndef STORED_SAVING_H
#define STORED_SAVING_H

#include <stdbool.h>

/* At the end of each turn of the loop: begin if it is time, and save a piece. True: more is to be saved. */
bool saving_turn(void);
/* All at once: nobody is served yet, or not any more. */
void saving_all(void);

#endif
