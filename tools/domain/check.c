/* SPDX-License-Identifier: Apache-2.0 */
/* What the running system has against a new guest. Looking changes nothing. */
#include "device_parts.h"
#include "host.h"
#include "lib/hcall/sysctl.h"
#include <stdio.h>
#include <string.h>

#define BATCH       64
#define PAGES_A_MIB 256ull

/* Records and domains are told apart by their UUIDs. */
static bool uuid_free(const struct system *s, const uint8_t *uuid, struct fault *f)
{
	struct hcall_domain list[BATCH];
	int n;

	for (unsigned first = 1; (n = hcall_domains(s->hcall, first, list, BATCH)) > 0;
	     first = list[n - 1].id + 1u)
		for (int i = 0; i < n; i++)
			if (memcmp(list[i].uuid, uuid, sizeof(list[i].uuid)) == 0)
				return fault_set(f, F_UUID_TAKEN, "domain %u has this UUID",
						 list[i].id);
	return true;
}

/* "Domain-0 has 512, web has 96" into `buf`; of many, the first. */
static void holders(const struct system *s, char *buf, size_t room)
{
	struct hcall_domain list[BATCH];
	int n = hcall_domains(s->hcall, 0, list, BATCH);
	char name[STORE_PATH_MAX];
	size_t used = 0;

	buf[0] = 0;
	for (int i = 0; i < n && used + CONFIG_NAME_MAX + 40 < room; i++) {
		store_name(s, list[i].id, name, sizeof(name));
		used += (size_t)snprintf(buf + used, room - used, "%s%.*s has %llu", i ? ", " : "",
					 (int)CONFIG_NAME_MAX, name[0] ? name : "?",
					 (unsigned long long)(list[i].pages / PAGES_A_MIB));
	}
}

/* The guest's own memory alone: what comes on top is little, and the hypervisor's to judge. */
static bool memory_free(const struct system *s, const struct config *c, struct fault *f)
{
	struct xen_sysctl_physinfo info;
	unsigned long long left;
	char who[300];

	if (hcall_physinfo(s->hcall, &info) != 0)
		return true;
	left = info.free_pages > info.outstanding_pages
		   ? (info.free_pages - info.outstanding_pages) / PAGES_A_MIB
		   : 0;
	if (c->memory <= left)
		return true;
	holders(s, who, sizeof(who));
	return fault_set(f, F_HOST_MEMORY, "not enough free memory: %llu MiB wanted, %llu free; %s",
			 (unsigned long long)c->memory, left, who);
}

/* F_NO_STORE and its like are for whoever opened the system. */
void guest_check(const struct system *s, const struct config *c, const uint8_t *uuid,
		 struct config_faults *faults)
{
	struct fault f;

	if (!store_name_free(s, c->name, &f))
		config_report(faults, &f);
	if (uuid && !uuid_free(s, uuid, &f))
		config_report(faults, &f);
	if (!memory_free(s, c, &f))
		config_report(faults, &f);
	for (const struct config_disk *d = c->disks; d; d = d->next)
		if (d->target && !d->script && !disk_unused(s, d, &f))
			config_report(faults, &f);
	for (const struct config_vif *v = c->vifs; v; v = v->next)
		if (v->has_mac && !mac_free(s, v, &f))
			config_report(faults, &f);
}
