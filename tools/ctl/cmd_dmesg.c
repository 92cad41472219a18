/* SPDX-License-Identifier: Apache-2.0 */
/* kr dmesg: what the hypervisor has printed. */
#include "ctl.h"
#include "lib/hcall/sysctl.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK 16384u

long ctl_read_log(const struct system *s, char **text)
{
	uint32_t index = 0;
	size_t n = 0;
	long got;

	*text = NULL;
	do {
		char *more = realloc(*text, n + CHUNK + 1);

		if (!more)
			return -1;
		*text = more;
		got = hcall_readconsole(s->hcall, &index, more + n, CHUNK);
		if (got > 0)
			n += (size_t)got;
		more[n] = 0;
	} while (got > 0);
	return got;
}

int cmd_dmesg(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	char *text;
	int status;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (optind < argc)
		return ctl_usage(c, "there are no arguments");
	if (!system_open(&s, SYSTEM_CALLS, &f))
		return ctl_refuse(c, &f);
	status = ctl_result(c, &s, (int)ctl_read_log(&s, &text), "dmesg");
	if (status == CTL_DONE && !c->json)
		fputs(text, stdout);
	for (char *p = text; p && *p; p++) /* JSON is UTF-8, which a log need not be */
		*p = *p & 0x80 ? '?' : *p;
	json_object_set_new(c->object, "text", json_string(text ? text : ""));
	free(text);
	system_close(&s);
	return status;
}
