/* SPDX-License-Identifier: Apache-2.0 */
/* kr block-attach, block-detach, network-attach, network-detach: devices of a guest that runs. */
#include "ctl.h"
#include "domain/device.h"
#include "progress.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define MOST_SPEC 2000

static bool is_disk(const char *command)
{
	return strncmp(command, "block", 5) == 0;
}

/* Operands, with commas between them, are one specification. */
static bool join(char *spec, size_t room, int n, char **part)
{
	size_t used = 0;

	spec[0] = 0;
	for (int i = 0; i < n && used < room; i++)
		used += (size_t)snprintf(spec + used, room - used, "%s%s", i ? "," : "", part[i]);
	return used < room;
}

int cmd_attach(struct ctl *c, int argc, char **argv)
{
	const bool disk = is_disk(argv[0]);
	char spec[MOST_SPEC];
	uint16_t domid;
	struct system s;
	struct fault f;
	uint32_t id;
	bool ok;
	int status = ctl_domain_and(c, argc, argv, disk ? 1 : 0, 100, &s, &domid);

	if (status)
		return status;
	if (!join(spec, sizeof(spec), argc - optind - 1, argv + optind + 1)) {
		system_close(&s);
		return ctl_usage(c, "a specification of more than %u bytes", MOST_SPEC - 1);
	}
	s.watch = progress_begin(argv[optind]);
	ok = disk ? disk_attach(&s, domid, spec, &id, &f) : card_attach(&s, domid, spec, &id, &f);
	progress_end();
	system_close(&s);
	if (!ok)
		return ctl_refuse(c, &f);
	json_object_set_new(c->object, "id", json_integer(id));
	if (!c->json)
		printf("%s %u\n", disk ? "disk" : "network card", id);
	return CTL_DONE;
}

int cmd_detach(struct ctl *c, int argc, char **argv)
{
	static const struct option longs[] = { { "force", no_argument, NULL, 'f' },
					       { NULL, 0, NULL, 0 } };
	const bool disk = is_disk(argv[0]);
	bool force = false, ok;
	uint16_t domid;
	struct system s;
	struct fault f;
	int option;

	while ((option = ctl_option(c, argc, argv, "f", longs)) != -1) {
		if (option == '?')
			return CTL_USAGE;
		force = true;
	}
	if (argc - optind != 2)
		return ctl_usage(c, "a domain and one of its devices are expected");
	if (!system_open(&s, SYSTEM_STORE, &f))
		return ctl_refuse(c, &f);
	s.watch = progress_begin(argv[optind]);
	ok = store_find(&s, argv[optind], &domid, &f) &&
	     (disk ? disk_detach(&s, domid, argv[optind + 1], force, &f)
		   : card_detach(&s, domid, argv[optind + 1], force, &f));
	progress_end();
	system_close(&s);
	return ok ? CTL_DONE : ctl_refuse(c, &f);
}
