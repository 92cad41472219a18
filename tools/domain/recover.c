/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a tool was killed. What is left is found without its help: a domain that is dying has nobody who ends it while we hold the lock; folders without
 * a domain belong to one that was ended; and a domain that was being made is named by the lock file, because
 * nothing else tells it from one that is paused.
 */
#include "device_parts.h"
#include "lib/hcall/domctl.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64

static void end(const struct system *s, uint16_t domid)
{
	/* Memory that its devices still share is given back when these are gone. */
	(void)!domain_unmake(s->hcall, domid);
	devices_remove(s, domid);
	store_remove(s, domid);
}

/* Is it the one of this UUID, and has never run? */
static bool unborn(struct hcall *h, const struct hcall_domain *d, const uint8_t *uuid)
{
	static const uint8_t none[16];
	struct xen_domctl_getdomaininfo info;

	return memcmp(uuid, none, sizeof(none)) != 0 && hcall_info(h, d->id, &info) == 0 &&
	       memcmp(info.handle, uuid, 16) == 0 && d->paused && info.cpu_time == 0;
}

/* Half made, or half dead. */
static void sweep_domains(const struct system *s, const uint8_t *uuid)
{
	struct hcall_domain list[BATCH];
	int n;

	for (unsigned first = 1; (n = hcall_domains(s->hcall, first, list, BATCH)) > 0;
	     first = list[n - 1].id + 1u)
		for (int i = 0; i < n; i++)
			if (list[i].dying || unborn(s->hcall, &list[i], uuid))
				end(s, list[i].id);
}

static bool exists(const struct system *s, uint16_t domid)
{
	struct hcall_domain d;

	return hcall_domains(s->hcall, domid, &d, 1) == 1 && d.id == domid;
}

/* Folders below `path` that are called after domains which are gone. */
static void sweep_folder(const struct system *s, const char *path)
{
	struct client_names list;
	const char *one = NULL;

	store_children(s, &list, "%s", path);
	while ((one = client_next_name(&list, one)) != NULL) {
		uint16_t domid = (uint16_t)atoi(one);

		if (!isdigit((unsigned char)one[0]) || domid == 0 || exists(s, domid))
			continue;
		devices_remove(s, domid);
		store_remove(s, domid);
	}
	client_names_free(&list);
}

void system_clean(const struct system *s, const struct unfinished *u)
{
	if (u->type[0])
		device_remove(s, u->domid, u->type, u->id);
	sweep_domains(s, u->uuid);
	sweep_folder(s, "/local/domain");
	sweep_folder(s, "/local/domain/0/backend/vbd");
	sweep_folder(s, "/local/domain/0/backend/vif");
	sweep_folder(s, "/local/domain/0/backend/console");
}
