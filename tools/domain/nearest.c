/* SPDX-License-Identifier: Apache-2.0 */
/* Which known name was meant: the least number of bytes to insert, remove, change or swap with the next (optimal string alignment). */
#include "config.h"
#include <stdio.h>
#include <string.h>

#define MOST 40u

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b);
	unsigned row[3][MOST + 1]; /* of the last two bytes and of this one */

	if (m > MOST || n > MOST)
		return MOST;
	for (unsigned j = 0; j <= n; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= m; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			now[j] = least(least(last[j], now[j - 1]) + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return row[m % 3][n];
}

const char *nearest(const char *name, const char *const *list)
{
	unsigned best = (unsigned)strlen(name) / 3 + 2; /* that far or farther is not alike */
	const char *found = NULL;

	for (; *list; list++) {
		unsigned d = distance(name, *list);

		if (d < best) {
			best = d;
			found = *list;
		}
	}
	return found;
}

const char *nearest_hint(const char *name, const char *const *list, char *buf, size_t room)
{
	const char *found = nearest(name, list);

	buf[0] = 0;
	if (found)
		snprintf(buf, room, ": did you mean %s?", found);
	return buf;
}
