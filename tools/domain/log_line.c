/* SPDX-License-Identifier: Apache-2.0 */
/* See log_line.h. */
#include "log_line.h"
#include "lib/hcall/sysctl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK  "(KR) "
#define CHUNK 16384u

const char *log_line_text(const char *line, char *when, size_t room)
{
	const char *end;

	when[0] = 0;
	if (strncmp(line, MARK, strlen(MARK)) != 0)
		return NULL;
	line += strlen(MARK);
	if (*line != '[')
		return line;
	end = line + 1 + strspn(line + 1, " 0123456789.");
	if (*end != ']') /* text of its own that begins so */
		return line;
	line += 1 + strspn(line + 1, " ");
	snprintf(when, room, "%.*s s", (int)(end - line), line);
	return end + 1 + strspn(end + 1, " ");
}

const char *log_line_of(const char *text, uint16_t domid, const char *after)
{
	char who[8];
	size_t n = (size_t)snprintf(who, sizeof(who), "d%u", domid);

	if (strncmp(text, who, n) != 0 || strncmp(text + n, after, strlen(after)) != 0)
		return NULL;
	return text + n + strlen(after);
}

bool log_last(const char *log, uint16_t domid, const char *after, char *rest, size_t room)
{
	char when[40];
	bool found = false;

	while (log && *log) {
		const char *text = log_line_text(log, when, sizeof(when));
		const char *said = text ? log_line_of(text, domid, after) : NULL;

		if (said) {
			snprintf(rest, room, "%.*s", (int)strcspn(said, "\n"), said);
			found = true;
		}
		log = strchr(log, '\n');
		if (log)
			log++;
	}
	return found;
}

long log_read(struct hcall *h, char **text)
{
	uint32_t index = 0;
	size_t n = 0;
	long got;

	*text = NULL;
	do {
		char *more = realloc(*text, n + CHUNK + 1);

		if (!more)
			return -ENOMEM;
		*text = more;
		got = hcall_readconsole(h, &index, more + n, CHUNK);
		if (got > 0)
			n += (size_t)got;
		more[n] = 0;
	} while (got > 0);
	return got;
}

bool log_last_said(struct hcall *h, uint16_t domid, const char *after, char *rest, size_t room)
{
	char *log;
	bool found;

	(void)log_read(h, &log); /* what was read until it failed */
	found = log_last(log, domid, after, rest, room);
	free(log);
	return found;
}
