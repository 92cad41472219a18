/* SPDX-License-Identifier: Apache-2.0 */
/* kr info: the machine and its hypervisor. */
#include "ctl.h"
#include "lib/hcall/sysctl.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static void show(struct ctl *c, long version, const char *extra, const struct xen_sysctl_physinfo *p)
{
	const uint64_t total = p->total_pages * 4 / 1024, free = p->free_pages * 4 / 1024;
	const uint64_t promised = p->outstanding_pages * 4 / 1024;

	json_object_update_new(c->object,
			       json_pack("{s:i, s:i, s:s, s:i, s:i, s:i, s:I, s:I, s:I}", "major",
					 (int)(version >> 16), "minor", (int)(version & 0xffff),
					 "extra", extra, "cpus", (int)p->nr_cpus, "nodes",
					 (int)p->nr_nodes, "cpu_khz", (int)p->cpu_khz, "memory_mib",
					 (json_int_t)total, "free_mib", (json_int_t)free,
					 "promised_mib", (json_int_t)promised));
	if (c->json)
		return;
	printf("hypervisor  %ld.%ld%s\n", version >> 16, version & 0xffff, extra);
	printf("CPUs        %u at %u kHz, on %u nodes\n", p->nr_cpus, p->cpu_khz, p->nr_nodes);
	printf("memory      %" PRIu64 " MiB, %" PRIu64 " free, %" PRIu64 " of it promised\n", total,
	       free, promised);
}

int cmd_info(struct ctl *c, int argc, char **argv)
{
	struct xen_sysctl_physinfo p;
	char extra[20];
	struct system s;
	struct fault f;
	int err;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (optind < argc)
		return ctl_usage(c, "there are no arguments");
	if (!system_open(&s, SYSTEM_CALLS, &f))
		return ctl_refuse(c, &f);
	err = hcall_extraversion(s.hcall, extra, sizeof(extra));
	if (!err)
		err = hcall_physinfo(s.hcall, &p);
	if (!err)
		show(c, hcall_version(s.hcall), extra, &p);
	err = ctl_result(c, &s, err, "info");
	system_close(&s);
	return err;
}
