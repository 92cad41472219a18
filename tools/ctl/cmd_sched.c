/* SPDX-License-Identifier: Apache-2.0 */
/* kr sched, kr cpupool: which scheduler there is, what shares domains have, which CPUs are in which pool. */
#include "ctl.h"
#include "lib/hcall/domctl.h"
#include "lib/hcall/sysctl.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char *scheduler_name(uint32_t id)
{
	switch (id) {
	case XEN_SCHEDULER_CREDIT: return "credit";
	case XEN_SCHEDULER_CREDIT2: return "credit2";
	case XEN_SCHEDULER_ARINC653: return "arinc653";
	case XEN_SCHEDULER_RTDS: return "rtds";
	case XEN_SCHEDULER_NULL: return "null";
	default: return "unknown";
	}
}

/* ---- sched ------------------------------------------------------------------------------------------- */

static int show_weight(struct ctl *c, const struct system *s, const struct hcall_domain *d,
		       void *list)
{
	char name[CONFIG_NAME_MAX + 1];
	uint16_t weight;
	int err = hcall_weight(s->hcall, d->id, &weight);

	if (err)
		return err;
	store_name(s, d->id, name, sizeof(name));
	json_array_append_new(list, json_pack("{s:i, s:s, s:i}", "domid", (int)d->id, "name", name,
					      "weight", (int)weight));
	if (!c->json)
		printf("%5u  %-24s %6u\n", d->id, *name ? name : "-", weight);
	return 0;
}

/* The scheduler alone; its domains follow, if it has weights. */
static int show_scheduler(struct ctl *c, const struct system *s, bool *weights)
{
	uint32_t id, us = 0;
	int err = hcall_scheduler(s->hcall, &id);

	*weights = id == XEN_SCHEDULER_CREDIT2;
	if (!err && *weights)
		err = hcall_ratelimit(s->hcall, &us);
	if (err)
		return ctl_result(c, s, err, "sched");
	json_object_set_new(c->object, "scheduler", json_string(scheduler_name(id)));
	if (*weights)
		json_object_set_new(c->object, "ratelimit_us", json_integer(us));
	if (!c->json) {
		printf("scheduler %s\n", scheduler_name(id));
		if (*weights)
			printf("decides again after %u us at the soonest\n", us);
	}
	return CTL_DONE;
}

static int show_all(struct ctl *c, int argc, char **argv)
{
	json_t *list = json_array();
	struct system s;
	struct fault f;
	bool weights;
	int status;

	json_object_set_new(c->object, "domains", list);
	if (!system_open(&s, SYSTEM_CALLS, &f))
		return ctl_refuse(c, &f);
	status = show_scheduler(c, &s, &weights);
	system_close(&s);
	if (status || !weights)
		return status;
	optind = 1;
	return ctl_each_domain(c, argc, argv, "   id  name                     weight", show_weight,
			       list);
}

int cmd_sched(struct ctl *c, int argc, char **argv)
{
	struct system s;
	uint16_t domid;
	uint32_t weight;
	int status;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (argc - optind < 2)
		return show_all(c, argc, argv);
	optind = 1;
	status = ctl_domain_and(c, argc, argv, 1, 1, &s, &domid);
	if (status)
		return status;
	if (!ctl_number(argv[optind + 1], 1, 65535, &weight))
		status = ctl_usage(c, "%s is no weight: 1 to 65535", argv[optind + 1]);
	else
		status = ctl_result(c, &s, hcall_set_weight(s.hcall, domid, (uint16_t)weight),
				    "sched");
	system_close(&s);
	return status;
}

/* ---- cpupool ----------------------------------------------------------------------------------------- */

static int show_pools(struct ctl *c, const struct system *s, json_t *list)
{
	struct hcall_pool p;
	char cpus[200];
	int err;

	if (!c->json)
		printf("%4s  %-10s %7s  %s\n", "pool", "scheduler", "domains", "CPUs");
	for (uint32_t next = 0; (err = hcall_pool(s->hcall, next, &p)) == 0; next = p.id + 1) {
		ctl_cpus(p.cpus, 64 * 4, cpus, sizeof(cpus));
		json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:s}", "pool", (int)p.id,
						      "scheduler", scheduler_name(p.scheduler),
						      "domains", (int)p.domains, "cpus", cpus));
		if (!c->json)
			printf("%4u  %-10s %7u  %s\n", p.id, scheduler_name(p.scheduler), p.domains,
			       cpus);
	}
	return err == -ENOENT ? 0 : err;
}

int cmd_cpupool(struct ctl *c, int argc, char **argv)
{
	json_t *list = json_array();
	struct system s;
	struct fault f;
	int status;

	json_object_set_new(c->object, "pools", list);
	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (optind < argc)
		return ctl_usage(c, "there are no arguments");
	if (!system_open(&s, SYSTEM_CALLS, &f))
		return ctl_refuse(c, &f);
	status = ctl_result(c, &s, show_pools(c, &s, list), "cpupool");
	system_close(&s);
	return status;
}
