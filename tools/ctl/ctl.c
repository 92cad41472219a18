/* SPDX-License-Identifier: Apache-2.0 */
/* What all commands share: options, faults, sizes. */
#include "ctl.h"
#include "progress.h"
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

static void add_fault(struct ctl *c, const struct fault *f)
{
	json_t *list = json_object_get(c->object, "faults");

	if (!list) {
		list = json_array();
		json_object_set_new(c->object, "faults", list);
	}
	json_array_append_new(list, fault_object(f));
}

int ctl_refuse(struct ctl *c, const struct fault *f)
{
	progress_end();
	if (c->json)
		add_fault(c, f);
	fprintf(stderr, "kr: %s [%s]\n", f->text, fault_name(f->id));
	return CTL_REFUSED;
}

int ctl_usage(struct ctl *c, const char *format, ...)
{
	struct fault f = { .id = F_USAGE };
	va_list args;

	va_start(args, format);
	vsnprintf(f.text, sizeof(f.text), format, args);
	va_end(args);
	if (c->json)
		add_fault(c, &f);
	fprintf(stderr, "kr %s: %s\nusage: kr %s %s\n", c->command->name, f.text, c->command->name,
		c->command->arguments);
	return CTL_USAGE;
}

void ctl_help(const struct command *command)
{
	printf("usage: kr %s %s\n\n%s.\n", command->name, command->arguments, command->summary);
	if (command->details)
		printf("\n%s", command->details);
}

/* What getopt_long() has refused: a long option in whole, a short one as its letter, for it may stand among others. */
static int refused_option(struct ctl *c, const char *word)
{
	if (optopt == 0)
		return ctl_usage(c, "there is no option %s", word);
	if (strncmp(word, "--", 2) == 0 && strchr(word, '='))
		return ctl_usage(c, "%.*s takes no argument", (int)strcspn(word, "="), word);
	return ctl_usage(c, "there is no option -%c", optopt);
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
			refused_option(c, argv[optind - 1]);
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
