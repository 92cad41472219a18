/* SPDX-License-Identifier: Apache-2.0 */
/* kr dump-core: a domain's memory and vCPUs into a file. */
#include "ctl.h"
#include "domain/dump.h"
#include "progress.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static const struct option long_options[] = { { "force", no_argument, NULL, 'f' },
					      { NULL, 0, NULL, 0 } };

static void show(struct ctl *c, uint16_t domid, const char *file, const struct dump_result *r)
{
	char all[40], stored[40];

	json_object_update_new(c->object,
			       json_pack("{s:i, s:s, s:I, s:I, s:i}", "domid", domid, "file", file,
					 "pages", (json_int_t)r->pages, "stored_bytes",
					 (json_int_t)r->stored, "vcpus", (int)r->vcpus));
	if (!c->json)
		printf("%s: %s of memory, %s of it not zero, and %u vCPU%s\n", file,
		       ctl_size(r->pages * 4096, all, sizeof(all)),
		       ctl_size(r->stored, stored, sizeof(stored)), r->vcpus,
		       r->vcpus == 1 ? "" : "s");
}

static int dump(struct ctl *c, struct system *s, const char *who, const char *file, bool replace)
{
	struct dump_request r = { .file = file, .replace = replace };
	struct dump_result result;
	struct fault f;
	bool ok;

	if (!store_find(s, who, &r.domid, &f))
		return ctl_refuse(c, &f);
	system_hold_signals();
	s->watch = progress_begin(who);
	ok = domain_dump(s, &r, &result, &f);
	progress_end();
	if (!ok)
		return ctl_refuse(c, &f);
	show(c, r.domid, file, &result);
	return CTL_DONE;
}

int cmd_dump_core(struct ctl *c, int argc, char **argv)
{
	bool force = false;
	struct system s;
	struct fault f;
	int option, status;

	while ((option = ctl_option(c, argc, argv, "f", long_options)) != -1) {
		if (option == '?')
			return CTL_USAGE;
		force = true;
	}
	if (argc - optind != 2)
		return ctl_usage(c, "a domain and a file are expected");
	if (!system_open(&s, SYSTEM_ALL, &f))
		return ctl_refuse(c, &f);
	status = dump(c, &s, argv[optind], argv[optind + 1], force);
	system_close(&s);
	return status;
}
