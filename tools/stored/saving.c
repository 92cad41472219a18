/* SPDX-License-Identifier: Apache-2.0 */
/* Saving the state in pieces: see saving.h. */
#include "saving.h"

#include <stddef.h>
#include <stdint.h>
#include "journal.h"
#include "upgrade.h"

#define PIECE 8192 /* bytes of a state between two inputs: more than an input is long */

static enum { NOT_SAVING, SAVING_STATE, SAVING_RECORDS } saving;
static struct sink *sink;

static void begin(void)
{
	sink = journal_save_begin();
	upgrade_begin(sink);
	saving = SAVING_STATE;
}

static void save(size_t bytes)
{
	if (saving == SAVING_STATE) {
		if (!upgrade_step(bytes) && !sink->failed && journal_is_kept())
			return;
		upgrade_end();
		saving = SAVING_RECORDS;
	} else if (saving == SAVING_RECORDS && journal_save_end(bytes)) {
		saving = NOT_SAVING;
	}
}

bool saving_turn(void)
{
	if (!saving && journal_is_long())
		begin();
	save(PIECE);
	return saving;
}

void saving_all(void)
{
	while (saving)
		save(SIZE_MAX / 2);
	begin();
	while (saving)
		save(SIZE_MAX / 2);
}
