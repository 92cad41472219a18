/* SPDX-License-Identifier: Apache-2.0 */
/* kr list: the domains that there are; with -l all that is known of each. */
#include "ctl.h"
#include "domain/store_write.h"
#include "lib/uuid.h"
#include <getopt.h>
#include <stdio.h>

#define PAGES_A_MIB 256u

static const struct option long_options[] = { { "long", no_argument, NULL, 'l' },
					      { NULL, 0, NULL, 0 } };

const char *ctl_state(const struct hcall_domain *d)
{
	static const char *const shutdown[] = { "shut down", "rebooting", "suspended",
						"crashed",   "watchdog",  "soft reset" };

	if (d->dying)
		return "dying";
	if (d->shutdown)
		return d->shutdown_code < 6 ? shutdown[d->shutdown_code] : "shut down";
	return d->paused ? "paused" : "running";
}

static json_t *short_form(const struct hcall_domain *d, const char *name)
{
	return json_pack("{s:i, s:s, s:s, s:I, s:I}", "domid", (int)d->id, "name", name, "state",
			 ctl_state(d), "memory_kib", (json_int_t)d->pages * 4, "maxmem_kib",
			 (json_int_t)d->max_pages * 4);
}

static int show_short(struct ctl *c, const struct system *s, const struct hcall_domain *d,
		      void *list)
{
	char name[CONFIG_NAME_MAX + 1];

	store_name(s, d->id, name, sizeof(name));
	json_array_append_new(list, short_form(d, name));
	if (!c->json)
		printf("%5u  %-24s %-10s %8llu\n", d->id, *name ? name : "-", ctl_state(d),
		       (unsigned long long)(d->pages / PAGES_A_MIB));
	return 0;
}

/* ---- the long form ----------------------------------------------------------------------------------- */

static void add_text(const struct system *s, json_t *to, const char *key, uint16_t domid,
		     const char *node)
{
	char text[STORE_PATH_MAX];

	if (store_get(s, text, sizeof(text), "/local/domain/%u/%s", domid, node) && *text)
		json_object_set_new(to, key, json_string(text));
}

static void add_vm(const struct system *s, json_t *to, uint16_t domid)
{
	char vm[STORE_PATH_MAX], text[STORE_PATH_MAX];

	if (!store_get(s, vm, sizeof(vm), "/local/domain/%u/vm", domid))
		return;
	if (store_get(s, text, sizeof(text), "%.64s/image/kernel", vm))
		json_object_set_new(to, "kernel", json_string(text));
	if (store_get(s, text, sizeof(text), "%.64s/image/cmdline", vm))
		json_object_set_new(to, "cmdline", json_string(text));
	if (store_get(s, text, sizeof(text), "%.64s/start_time", vm))
		json_object_set_new(to, "started", json_string(text));
}

static json_t *long_form(const struct system *s, const struct hcall_domain *d)
{
	char name[CONFIG_NAME_MAX + 1], uuid[UUID_TEXT];
	json_t *o;

	o = short_form(d, store_name(s, d->id, name, sizeof(name)));
	uuid_text(d->uuid, uuid);
	json_object_update_new(o, json_pack("{s:s, s:i, s:i, s:I, s:i}", "uuid", uuid, "vcpus",
					    (int)d->vcpus, "online", (int)d->online, "cpu_ns",
					    (json_int_t)d->cpu_ns, "pool", (int)d->pool));
	add_text(s, o, "target_kib", d->id, "memory/target");
	add_text(s, o, "console", d->id, "console/tty");
	add_vm(s, o, d->id);
	json_object_set_new(o, "disks", ctl_devices(s, d->id, "vbd"));
	json_object_set_new(o, "networks", ctl_devices(s, d->id, "vif"));
	return o;
}

/* A value, or below it what it consists of: objects of a list under their number. */
static void print_tree(const char *key, const json_t *value, int depth)
{
	const char *name;
	json_t *part;
	size_t i;

	if (json_is_string(value))
		printf("%*s%-11s %s\n", depth * 2, "", key, json_string_value(value));
	else if (json_is_integer(value))
		printf("%*s%-11s %lld\n", depth * 2, "", key, (long long)json_integer_value(value));
	else if (json_is_array(value))
		json_array_foreach(value, i, part) print_tree(key, part, depth);
	else {
		printf("%*s%s\n", depth * 2, "", key);
		json_object_foreach((json_t *)value, name, part) print_tree(name, part, depth + 1);
	}
}

static int show_long(struct ctl *c, const struct system *s, const struct hcall_domain *d, void *list)
{
	json_t *o = long_form(s, d);

	json_array_append_new(list, o);
	if (!c->json)
		print_tree("domain", o, 0);
	return 0;
}

int cmd_list(struct ctl *c, int argc, char **argv)
{
	json_t *list = json_array();
	bool detailed = false;
	int option;

	json_object_set_new(c->object, "domains", list);
	while ((option = ctl_option(c, argc, argv, "l", long_options)) != -1) {
		if (option == '?')
			return CTL_USAGE;
		detailed = true;
	}
	return ctl_each_domain(c, argc, argv,
			       detailed ? "" : "   id  name                     state           MiB",
			       detailed ? show_long : show_short, list);
}
