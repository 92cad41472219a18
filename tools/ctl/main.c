/* SPDX-License-Identifier: Apache-2.0 */
/* kr COMMAND ...: finds the command's row, runs it, prints the JSON object if one was asked for. */
#include "ctl.h"
#include <stdio.h>
#include <string.h>

static int unknown_command(const char *name)
{
	const char *names[64];
	char hint[100];
	unsigned n = 0;

	for (const struct command *k = commands; k->name && n < 63; k++)
		names[n++] = k->name;
	names[n] = NULL;
	fprintf(stderr, "kr: there is no command %s%s; kr help lists them\n", name,
		nearest_hint(name, names, hint, sizeof(hint)));
	return CTL_USAGE;
}

int main(int argc, char **argv)
{
	struct ctl c = { 0 };
	bool help = argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
	int status;

	c.command = command_find(help ? "help" : argv[1]);
	if (!c.command)
		return unknown_command(argv[1]);
	if (argc >= 2) {
		argc--;
		argv++;
	}
	c.object = json_object();
	status = c.command->run(&c, help ? 1 : argc, argv);
	if (c.json) {
		json_dumpf(c.object, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(c.object);
	/* A full disk or a closed pipe must not look like success. */
	if (fflush(stdout) || ferror(stdout)) {
		perror("kr: standard output");
		return CTL_REFUSED;
	}
	system_let_signals(); /* all is said: Ctrl-C may end it now, for a shell to see */
	return status;
}
