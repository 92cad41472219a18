/* SPDX-License-Identifier: Apache-2.0 */
/* kr COMMAND ...: finds the command's row, runs it, prints the JSON object if one was asked for. */
#include "ctl.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_HELP 0x100
#define OPTION_JSON 0x101
#define MAX_OPTIONS 16

static json_t *fault_object(const struct fault *f)
{
	return json_pack("{s:s, s:s, s:s}", "reason", fault_name(f->id), "message", f->text,
			 "advice", fault_advice(f->id));
}

int ctl_refuse(struct ctl *c, const struct fault *f)
{
	if (c->json) {
		json_t *list = json_object_get(c->object, "faults");

		if (!list) {
			list = json_array();
			json_object_set_new(c->object, "faults", list);
		}
		json_array_append_new(list, fault_object(f));
	}
	fprintf(stderr, "kr: %s [%s]\n", f->text, fault_name(f->id));
	return CTL_REFUSED;
}

int ctl_usage(struct ctl *c, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kr %s: ", c->command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nusage: kr %s %s\n", c->command->name, c->command->arguments);
	return CTL_USAGE;
}

void ctl_help(const struct command *command)
{
	printf("usage: kr %s %s\n\n%s.\n", command->name, command->arguments, command->summary);
	if (command->details)
		printf("\n%s", command->details);
}

int ctl_option(struct ctl *c, int argc, char **argv, const char *letters, const struct option *longs)
{
	struct option all[MAX_OPTIONS] = { { "help", no_argument, NULL, OPTION_HELP },
					   { "json", no_argument, NULL, OPTION_JSON } };
	char list[64];
	int got;

	for (unsigned n = 2; longs && longs->name && n < MAX_OPTIONS - 1; n++)
		all[n] = *longs++;
	snprintf(list, sizeof(list), ":h%s", letters);
	opterr = 0;
	for (;;) {
		got = getopt_long(argc, argv, list, all, NULL);
		if (got == OPTION_JSON) {
			c->json = true;
			continue;
		}
		if (got == OPTION_HELP || got == 'h') {
			ctl_help(c->command);
			exit(CTL_DONE);
		}
		if (got == ':')
			ctl_usage(c, "%s needs an argument", argv[optind - 1]);
		else if (got == '?')
			ctl_usage(c, "there is no option %s", argv[optind - 1]);
		return got == ':' ? '?' : got;
	}
}

const char *ctl_size(uint64_t bytes, char *buf, size_t room)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0, tenths = 0;

	/* A whole number of units, or four digits of one with a tenth. */
	while (unit < 4 && (bytes >= 10240 || (bytes >= 1024 && bytes % 1024 == 0))) {
		tenths = (unsigned)(bytes % 1024 * 10 / 1024);
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, room, tenths ? "%" PRIu64 ".%u %s" : "%" PRIu64 "%.0u %s", bytes, tenths,
		 units[unit]);
	return buf;
}

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
	if (c.json && status != CTL_USAGE) {
		json_dumpf(c.object, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(c.object);
	/* A full disk or a closed pipe must not look like success. */
	if (fflush(stdout) || ferror(stdout)) {
		perror("kr: standard output");
		return CTL_REFUSED;
	}
	return status;
}
