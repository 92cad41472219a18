/* SPDX-License-Identifier: Apache-2.0 */
/* kr help: from the table of commands. */
#include "ctl.h"
#include <getopt.h>
#include <stdio.h>

int cmd_help(struct ctl *c, int argc, char **argv)
{
	const struct command *k;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (optind < argc) {
		k = command_find(argv[optind]);
		if (!k)
			return ctl_usage(c, "there is no command %s", argv[optind]);
		if (!c->json)
			ctl_help(k);
		json_object_set_new(c->object, k->name, json_string(k->summary));
		return CTL_DONE;
	}
	if (!c->json)
		puts("usage: kr COMMAND [OPTION]... [ARGUMENT]...\n");
	for (k = commands; k->name; k++) {
		if (!c->json)
			printf("  %-14s %s\n", k->name, k->summary);
		json_object_set_new(c->object, k->name, json_string(k->summary));
	}
	if (!c->json)
		puts("\nkr help COMMAND or kr COMMAND --help says more, with examples.");
	return CTL_DONE;
}
