/* SPDX-License-Identifier: Apache-2.0 */
/* kr vcpu-list, vcpu-set, vcpu-pin: where a domain's vCPUs are, how many are up, where they may run. */
#include "ctl.h"
#include "domain/change.h"
#include "lib/hcall/domctl.h"
#include "lib/hcall/sysctl.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAP_BITS 256u

static const char *state_of(const struct xen_domctl_getvcpuinfo *v)
{
	return !v->online ? "offline" : v->running ? "running" : v->blocked ? "blocked" : "ready";
}

/* "all", or which of the machine's CPUs. */
static const char *affinity(const uint64_t *map, uint32_t nr_cpus, char *buf, size_t room)
{
	uint32_t n = 0;

	nr_cpus = nr_cpus < MAP_BITS ? nr_cpus : MAP_BITS;
	for (uint32_t i = 0; i < nr_cpus; i++)
		n += map[i / 64] >> i % 64 & 1;
	if (n == nr_cpus)
		snprintf(buf, room, "all");
	else
		ctl_cpus(map, nr_cpus, buf, room);
	return buf;
}

/* One vCPU; an error of the hypervisor. */
static int show_vcpu(struct ctl *c, const struct system *s, const struct hcall_domain *d,
		     const char *name, uint32_t id, uint32_t nr_cpus, json_t *list)
{
	struct xen_domctl_getvcpuinfo v;
	uint64_t map[MAP_BITS / 64] = { 0 };
	char cpus[200];
	int err = hcall_vcpu(s->hcall, d->id, id, &v);

	if (!err)
		err = hcall_get_affinity(s->hcall, d->id, id, map, MAP_BITS);
	if (err)
		return err;
	affinity(map, nr_cpus, cpus, sizeof(cpus));
	json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:s, s:i, s:I, s:s}", "domid",
					      (int)d->id, "name", name, "vcpu", (int)id, "state",
					      state_of(&v), "cpu", (int)v.cpu, "time_ns",
					      (json_int_t)v.cpu_time, "may_run_on", cpus));
	if (!c->json)
		printf("%5u  %-24s %4u %4u  %-8s %10" PRIu64 ".%u  %s\n", d->id, *name ? name : "-",
		       id, v.cpu, state_of(&v), (uint64_t)v.cpu_time / 1000000000u,
		       (unsigned)(v.cpu_time / 100000000u % 10), cpus);
	return 0;
}

static int show_domain(struct ctl *c, const struct system *s, const struct hcall_domain *d,
		       void *list)
{
	char name[CONFIG_NAME_MAX + 1];
	struct xen_sysctl_physinfo p;
	int err = hcall_physinfo(s->hcall, &p);

	store_name(s, d->id, name, sizeof(name));
	for (uint32_t i = 0; i < d->vcpus && !err; i++)
		err = show_vcpu(c, s, d, name, i, p.nr_cpus, list);
	return err;
}

static int set_online(struct ctl *c, const struct system *s, uint16_t domid, const char *number)
{
	struct fault f;
	uint32_t n;

	if (!ctl_number(number, 1, CONFIG_MAX_VCPUS, &n))
		return ctl_usage(c, "%s is no number of vCPUs", number);
	return domain_set_vcpus(s, domid, n, &f) ? CTL_DONE : ctl_refuse(c, &f);
}

/* Those that `which` names: one, or "all". */
static int pin(struct ctl *c, const struct system *s, uint16_t domid, const char *which,
	       const char *cpus)
{
	const struct place at = { "", 0, 0 };
	struct config_cpus list = { 0 };
	uint64_t map[CONFIG_MAX_CPUS / 64];
	struct xen_domctl_getdomaininfo info;
	uint32_t first = 0, last;
	struct fault f;
	int err = hcall_info(s->hcall, domid, &info);

	if (err)
		return ctl_result(c, s, err, "vcpu-pin");
	last = info.max_vcpu_id;
	if (strcmp(which, "all") != 0) {
		if (!ctl_number(which, 0, CONFIG_MAX_VCPUS, &first))
			return ctl_usage(c, "%s is no vCPU: a number, or all", which);
		last = first;
	}
	if (!cpulist_read(&at, cpus, &list, &f))
		return ctl_refuse(c, &f);
	for (size_t i = 0; i < CONFIG_MAX_CPUS / 64; i++)
		map[i] = list.all ? ~list.bit[i] : list.bit[i];
	for (uint32_t i = first; i <= last && !err; i++)
		err = hcall_set_affinity(s->hcall, domid, i, map, CONFIG_MAX_CPUS);
	return ctl_result(c, s, err, "vcpu-pin");
}

int cmd_vcpu_list(struct ctl *c, int argc, char **argv)
{
	json_t *list = json_array();

	json_object_set_new(c->object, "vcpus", list);
	return ctl_each_domain(c, argc, argv,
			       "   id  name                     vCPU  CPU  state        seconds  "
			       "may run on",
			       show_domain, list);
}

int cmd_vcpu(struct ctl *c, int argc, char **argv)
{
	bool set = strcmp(c->command->name, "vcpu-set") == 0;
	struct system s;
	uint16_t domid;
	int status = ctl_domain_and(c, argc, argv, set ? 1 : 2, set ? 1 : 2, &s, &domid);

	if (status)
		return status;
	status = set ? set_online(c, &s, domid, argv[optind + 1])
		     : pin(c, &s, domid, argv[optind + 1], argv[optind + 2]);
	system_close(&s);
	return status;
}
