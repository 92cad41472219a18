/* SPDX-License-Identifier: Apache-2.0 */
/* Devices for a domain that runs: a specification is read and judged as one of a configuration file is, and then added. */
#include "device_parts.h"
#include "host.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In no file. */
static const struct place nowhere = { "", 0, 0 };

static bool usable(const struct config *c, struct fault *f)
{
	struct config_faults faults = { .nr = 0 };

	host_check(c, HOST_NET, &faults);
	if (faults.nr)
		*f = faults.fault[0];
	return !faults.nr;
}

/* The lowest number that no card of the domain has. */
static uint32_t free_devid(const struct system *s, uint16_t domid)
{
	char text[STORE_PATH_MAX];
	uint32_t id = 0;

	while (store_get(s, text, sizeof(text), "/local/domain/0/backend/vif/%u/%u/frontend-id",
			 domid, id))
		id++;
	return id;
}

static bool add_disk(const struct system *s, int lock, uint16_t domid, const char *spec,
		     uint32_t *id, struct fault *f)
{
	struct config c = { .name = "" };
	struct config_disk *d = arena_take(&c.arena, sizeof(*d));
	bool ok;

	c.disks = d;
	ok = disk_read(&c.arena, &nowhere, spec, d, f) && usable(&c, f) &&
	     disk_new(s, d, domid, f) && system_announce_device(lock, "vbd", domid, d->number, f) &&
	     disk_add(s, d, domid, f);
	*id = d->number;
	arena_free(&c.arena);
	return ok;
}

static bool add_card(const struct system *s, int lock, uint16_t domid, const char *spec,
		     uint32_t *id, struct fault *f)
{
	struct config c = { .name = "" };
	struct config_vif *v = arena_take(&c.arena, sizeof(*v));
	bool ok;

	c.vifs = v;
	v->devid = free_devid(s, domid);
	ok = vif_read(&c.arena, &nowhere, spec, v, f) && usable(&c, f) &&
	     card_new(s, v, domid, f) && system_announce_device(lock, "vif", domid, v->devid, f) &&
	     card_add(s, v, domid, f);
	*id = v->devid;
	arena_free(&c.arena);
	return ok;
}

typedef bool add_one(const struct system *s, int lock, uint16_t domid, const char *spec,
		     uint32_t *id, struct fault *f);

static bool attach(add_one *add, const struct system *s, uint16_t domid, const char *spec,
		   uint32_t *id, struct fault *f)
{
	int lock = system_lock(s, f);
	bool ok;

	if (lock < 0)
		return false;
	ok = domid != 0 ||
	     fault_set(f, F_NO_SUCH_DOMAIN, "domain 0 has the back ends: it cannot be a guest's");
	ok = ok && add(s, lock, domid, spec, id, f);
	system_unlock(lock);
	return ok;
}

bool disk_attach(const struct system *s, uint16_t domid, const char *spec, uint32_t *id,
		 struct fault *f)
{
	return attach(add_disk, s, domid, spec, id, f);
}

bool card_attach(const struct system *s, uint16_t domid, const char *spec, uint32_t *id,
		 struct fault *f)
{
	return attach(add_card, s, domid, spec, id, f);
}
