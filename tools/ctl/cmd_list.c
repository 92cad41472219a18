/* SPDX-License-Identifier: Apache-2.0 */
/* kr list: the domains that there are. */
#include "build/fill.h"
#include "ctl.h"
#include <getopt.h>
#include <stdio.h>

#define BATCH       64u
#define PAGES_A_MIB 256u

static const char *state_of(const struct hcall_domain *d)
{
	static const char *const shutdown[] = { "shut down", "rebooting", "suspended",
						"crashed",   "watchdog",  "soft reset" };

	if (d->dying)
		return "dying";
	if (d->shutdown)
		return d->shutdown_code < 6 ? shutdown[d->shutdown_code] : "shut down";
	return d->paused ? "paused" : "running";
}

static void show(struct ctl *c, const struct system *s, const struct hcall_domain *d, json_t *list)
{
	char name[CONFIG_NAME_MAX + 1];

	store_name(s, d->id, name, sizeof(name));
	json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:I, s:I}", "domid", (int)d->id,
					      "name", name, "state", state_of(d), "memory_kib",
					      (json_int_t)d->pages * 4, "maxmem_kib",
					      (json_int_t)d->max_pages * 4));
	if (!c->json)
		printf("%5u  %-24s %-10s %8llu\n", d->id, *name ? name : "-", state_of(d),
		       (unsigned long long)(d->pages / PAGES_A_MIB));
}

static int list_all(struct ctl *c, const struct system *s)
{
	struct hcall_domain d[BATCH];
	json_t *list = json_array();
	unsigned next = 0;
	int n;

	json_object_set_new(c->object, "domains", list);
	if (!c->json)
		printf("%5s  %-24s %-10s %8s\n", "id", "name", "state", "MiB");
	while ((n = hcall_domains(s->hcall, next, d, BATCH)) > 0) {
		for (int i = 0; i < n; i++)
			show(c, s, &d[i], list);
		next = d[n - 1].id + 1u;
	}
	return ctl_result(c, s, n, "list");
}

int cmd_list(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	int status;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (optind < argc)
		return ctl_usage(c, "there are no arguments");
	/* Without a store there are no names, but still domains. */
	if (!system_open(&s, SYSTEM_STORE, &f) &&
	    (f.id != F_NO_STORE || !system_open(&s, SYSTEM_CALLS, &f)))
		return ctl_refuse(c, &f);
	status = list_all(c, &s);
	system_close(&s);
	return status;
}
