/* SPDX-License-Identifier: Apache-2.0 */
/* kr dmesg: what the hypervisor has printed. */
#include "ctl.h"
#include "domain/log_line.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

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
	status = ctl_result(c, &s, (int)log_read(s.hcall, &text), "dmesg");
	if (status == CTL_DONE && !c->json)
		fputs(text, stdout);
	for (char *p = text; p && *p; p++) /* JSON is UTF-8, which a log need not be */
		*p = *p & 0x80 ? '?' : *p;
	json_object_set_new(c->object, "text", json_string(text ? text : ""));
	free(text);
	system_close(&s);
	return status;
}
