/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of the hypervisor's own messages since boot, the newest 16 KiB of it, for dom0 to read
 * (sysctl readconsole, `xl dmesg`). Indices run freely; under console_lock.
 */
#include "console.h"
#include <hv/string.h>

static char text[CONSOLE_RING_SIZE];
static uint32_t produced; /* [console_lock] bytes ever */
static uint32_t cleared;  /* [console_lock] older ones were cleared away */

void ring_append(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text[produced++ % CONSOLE_RING_SIZE] = s[i];
	if (produced - cleared > CONSOLE_RING_SIZE)
		cleared = produced - CONSOLE_RING_SIZE;
}

size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear, bool incremental)
{
	size_t done = 0;
	uint32_t at;

	lock_take(&console_lock);
	at = cleared;
	/* Continue where the reader was, unless that is gone or never was. */
	if (incremental && *index - cleared <= produced - cleared)
		at = *index;
	while (done < n && at != produced)
		buf[done++] = text[at++ % CONSOLE_RING_SIZE];
	if (clear)
		cleared = at;
	*index = at;
	lock_release(&console_lock);
	return done;
}
