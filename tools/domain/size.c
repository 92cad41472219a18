/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of memory as people write them. */
#include "change.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MOST_KIB (1ull << 40) /* 1 PiB */

/* KiB in a unit; 0: there is no such unit. */
static uint64_t unit_of(const char *text)
{
	static const struct {
		const char *name;
		uint64_t kib;
	} units[] = { { "", 1024 },      { "k", 1 },         { "kb", 1 },      { "kib", 1 },
		      { "m", 1024 },     { "mb", 1024 },     { "mib", 1024 },  { "g", 1 << 20 },
		      { "gb", 1 << 20 }, { "gib", 1 << 20 }, { "t", 1 << 30 }, { "tb", 1 << 30 },
		      { "tib", 1 << 30 } };

	while (*text == ' ')
		text++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcasecmp(text, units[i].name) == 0)
			return units[i].kib;
	return 0;
}

bool size_read(const char *text, uint64_t *kib)
{
	uint64_t whole = 0, tenths = 0, unit;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p) && whole <= MOST_KIB; p++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (*p == '.' && isdigit((unsigned char)p[1])) {
		tenths = (uint64_t)(p[1] - '0');
		p += 2;
	}
	unit = unit_of(p);
	if (!unit || whole > MOST_KIB / unit)
		return false;
	*kib = whole * unit + tenths * unit / 10;
	return *kib > 0;
}
