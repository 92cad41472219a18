/* SPDX-License-Identifier: Apache-2.0 */
/* kr block-list, kr network-list: a domain's devices, from the folders of their back ends. */
#include "ctl.h"
#include "domain/store_write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* enum xenbus_state (xen/io/xenbus.h). */
static const char *state_name(const char *number)
{
	static const char *const names[] = { "unknown",     "initialising",  "waiting",
					     "initialised", "connected",     "closing",
					     "closed",      "reconfiguring", "reconfigured" };
	unsigned long n = strtoul(number, NULL, 10);

	return names[n < sizeof(names) / sizeof(names[0]) ? n : 0];
}

/* The node `name` of the back end becomes `key`, if it is there. */
static void take(const struct system *s, json_t *to, const char *key, const char *folder,
		 const char *name)
{
	char text[STORE_PATH_MAX];

	if (store_get(s, text, sizeof(text), "%s/%s", folder, name))
		json_object_set_new(to, key, json_string(text));
}

static json_t *device(const struct system *s, uint16_t domid, const char *type, const char *id)
{
	json_t *d = json_pack("{s:i, s:i}", "domid", (int)domid, "id", atoi(id));
	char folder[STORE_PATH_MAX - 40], state[16];

	snprintf(folder, sizeof(folder), "/local/domain/0/backend/%s/%u/%.10s", type, domid, id);
	store_get(s, state, sizeof(state), "%s/state", folder);
	json_object_set_new(d, "state", json_string(state_name(state)));
	if (strcmp(type, "vbd") == 0) {
		take(s, d, "vdev", folder, "dev");
		take(s, d, "target", folder, "params");
		take(s, d, "mode", folder, "mode");
		take(s, d, "kind", folder, "device-type");
		take(s, d, "device", folder, "physical-device");
	} else {
		take(s, d, "mac", folder, "mac");
		take(s, d, "bridge", folder, "bridge");
		take(s, d, "ip", folder, "ip");
		take(s, d, "rate", folder, "rate");
	}
	return d;
}

json_t *ctl_devices(const struct system *s, uint16_t domid, const char *type)
{
	json_t *all = json_array();
	struct client_names list = { 0 };
	const char *one = NULL;
	char path[80];

	snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", type, domid);
	if (s->store && client_list(s->store, 0, path, &list) == 0)
		while ((one = client_next_name(&list, one)) != NULL)
			json_array_append_new(all, device(s, domid, type, one));
	client_names_free(&list);
	return all;
}

static const char *text_of(const json_t *d, const char *key)
{
	const char *text = json_string_value(json_object_get(d, key));

	return text && *text ? text : "-";
}

static int show(struct ctl *c, const struct system *s, const struct hcall_domain *d, void *all)
{
	bool disks = strcmp(c->command->name, "block-list") == 0;
	json_t *list = ctl_devices(s, d->id, disks ? "vbd" : "vif"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (!c->json)
			printf("%5u  %6lld  %-13s %-17s  %s\n", d->id,
			       (long long)json_integer_value(json_object_get(one, "id")),
			       text_of(one, "state"), text_of(one, disks ? "vdev" : "mac"),
			       text_of(one, disks ? "target" : "bridge"));
	}
	json_array_extend(all, list);
	json_decref(list);
	return 0;
}

int cmd_devices(struct ctl *c, int argc, char **argv)
{
	bool disks = strcmp(c->command->name, "block-list") == 0;
	json_t *list = json_array();

	json_object_set_new(c->object, "devices", list);
	return ctl_each_domain(c, argc, argv,
			       disks ? "domid  device  state         name               on"
				     : "domid  device  state         address            bridge",
			       show, list);
}
