/* SPDX-License-Identifier: Apache-2.0 */
/* See uuid.h. */
#include "uuid.h"
#include <ctype.h>
#include <stdio.h>

/* Is there a hyphen before byte i? */
static bool hyphen(unsigned i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

const char *uuid_text(const uint8_t uuid[UUID_BYTES], char text[UUID_TEXT])
{
	char *to = text;

	for (unsigned i = 0; i < UUID_BYTES; i++)
		to += sprintf(to, hyphen(i) ? "-%02x" : "%02x", uuid[i]);
	return text;
}

bool uuid_read(const char *text, uint8_t uuid[UUID_BYTES])
{
	for (unsigned i = 0; i < UUID_BYTES; i++) {
		unsigned byte;

		if (hyphen(i) && *text++ != '-')
			return false;
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return false;
		sscanf(text, "%2x", &byte);
		uuid[i] = (uint8_t)byte;
		text += 2;
	}
	return *text == 0;
}
