/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's console: all that core writes is kept for the test to read. Input is what the test types. */
#include "internal.h"

#include <hv/console.h>
#include <string.h>

static char *text;
static size_t used, size;
static char typed[1024];
static size_t typed_n, typed_at;
static bool echo;

static size_t console_write(struct console_device *dev, const char *s, size_t n)
{
	console_capture(s, n);
	return n;
}

static int console_read(struct console_device *dev)
{
	return typed_at < typed_n ? (unsigned char)typed[typed_at++] : -1;
}

struct console_device sim_console_device = {
	.name = "sim",
	.write = console_write,
	.read = console_read,
};

void console_capture(const char *s, size_t n)
{
	if (echo)
		fwrite(s, 1, n, stderr);
	if (used + n + 1 > size) {
		size = (used + n + 1) * 2;
		text = realloc(text, size);
		if (!text)
			abort();
	}
	memcpy(text + used, s, n);
	used += n;
	text[used] = '\0';
}

void console_reset(void)
{
	echo = getenv("SIM_CONSOLE") != NULL;
	free(text);
	text = NULL;
	used = size = typed_n = typed_at = 0;
}

const char *sim_console(void)
{
	return text ? text : "";
}

bool sim_console_has(const char *s)
{
	return strstr(sim_console(), s) != NULL;
}

void console_type(const char *s)
{
	size_t n = strlen(s);

	if (typed_at == typed_n)
		typed_at = typed_n = 0;
	if (typed_n + n > sizeof(typed))
		sim_fail("too much is typed");
	while (*s)
		typed[typed_n++] = *s++;
}
