/* SPDX-License-Identifier: Apache-2.0 */
/* The end of devices: of all when their domain has ended, of one while it runs. */
#include "device_parts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#define GONE_NAPS     1000 /* of 20 ms: 20 s for the kernel */
#define GUEST_SECONDS 10
#define GUEST_NAPS    (DEVICE_SHORT_NAPS + 50 * GUEST_SECONDS)

/* ---- at once ------------------------------------------------------------------------------------------ */

/*
 * A back end whose front end is gone, and which is not to come back, lets go; the kernel takes its device away when it has. (The bus forgets it
 * before: its interface may still be there then.)
 */
static void wait_until_gone(const struct system *s, uint16_t domid, const char *type, const char *id)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/devices/%s-%u-%.10s", type, domid, id);
	for (unsigned i = 0; i < GONE_NAPS && access(path, F_OK) == 0; i++) {
		if (i >= 20)
			watch_tell(s->watch, "waiting until the back end lets go");
		device_nap(i);
	}
}

/* The user's script undoes what it did. Its folder is still there; what it says is of no use to anybody any more. */
static void undo_script(const struct system *s, uint16_t domid, const char *type, const char *id)
{
	char script[STORE_PATH_MAX];
	struct fault f;

	if (store_get(s, script, sizeof(script), "/local/domain/0/backend/%s/%u/%.10s/script", type,
		      domid, id) &&
	    script[0] &&
	    !hotplug_run(s, script, strcmp(type, "vif") == 0 ? "offline" : "remove", type, domid,
			 id, &f))
		fprintf(stderr, "kr: %s\n", f.text);
}

/* The back end is told. */
static void begin_removal(const struct system *s, uint16_t domid, const char *type, const char *id)
{
	char text[8];

	/* While the back end still has the file open: nobody waits then for the kernel to let it go. */
	if (strcmp(type, "vbd") == 0)
		block_release(s, domid, id);
	/* Only where it is: writing would make it. */
	if (store_get(s, text, sizeof(text), "/local/domain/0/backend/%s/%u/%.10s/online", type,
		      domid, id))
		store_set(s, "0", "/local/domain/0/backend/%s/%u/%.10s/online", type, domid, id);
	store_drop(s, "/local/domain/%u/device/%s/%.10s", domid, type, id);
}

static void end_removal(const struct system *s, uint16_t domid, const char *type, const char *id)
{
	wait_until_gone(s, domid, type, id);
	undo_script(s, domid, type, id);
	store_drop(s, "/local/domain/0/backend/%s/%u/%.10s", type, domid, id);
	store_drop(s, "/local/domain/0/error/backend/%s/%u/%.10s", type, domid, id);
}

void device_remove(const struct system *s, uint16_t domid, const char *type, const char *id)
{
	begin_removal(s, domid, type, id);
	end_removal(s, domid, type, id);
}

static void each_device(const struct system *s, uint16_t domid, const char *type,
			void (*fn)(const struct system *, uint16_t, const char *, const char *))
{
	struct client_names list;
	const char *id = NULL;

	store_children(s, &list, "/local/domain/0/backend/%s/%u", type, domid);
	while ((id = client_next_name(&list, id)) != NULL)
		fn(s, domid, type, id);
	client_names_free(&list);
}

void devices_tell(const struct system *s, uint16_t domid)
{
	each_device(s, domid, "vbd", begin_removal);
	each_device(s, domid, "vif", begin_removal);
}

/* All are told before one is waited for: the kernel takes its time with each. */
void devices_remove(const struct system *s, uint16_t domid)
{
	static const char *const types[] = { "vbd", "vif" };

	devices_tell(s, domid);
	for (unsigned t = 0; t < 2; t++) {
		each_device(s, domid, types[t], end_removal);
		store_drop(s, "/local/domain/0/backend/%s/%u", types[t], domid);
	}
}

/* ---- while the guest runs ------------------------------------------------------------------------------- */

struct closing {
	const char *folder;
};

/* As the tools of Xen do it: both nodes at once, so that the back end does not come back. */
static void write_closing(struct store_write *w, void *arg)
{
	const struct closing *c = arg;

	store_below(w, "%s", c->folder);
	store_put(w, STORE_GUEST_READS, "online", "0");
	store_put(w, STORE_GUEST_READS, "state", "%u", XenbusStateClosing);
}

static unsigned state_of(const struct system *s, const char *folder)
{
	char text[16];

	store_get(s, text, sizeof(text), "%s/state", folder);
	return (unsigned)atoi(text);
}

/* Asked before, perhaps, and not done: as good as not asked. */
static bool is_in_use(const struct system *s, const char *folder)
{
	unsigned state = state_of(s, folder);

	return state == XenbusStateConnected || state == XenbusStateClosing;
}

static bool is_closed(const struct system *s, const char *folder, const char *sign)
{
	return state_of(s, folder) == XenbusStateClosed || access(sign, F_OK) != 0;
}

/* Asked to; false: it has not. */
static bool guest_lets_go(const struct system *s, uint16_t domid, const char *type, const char *id,
			  struct fault *f)
{
	char sign[100], folder[80];
	struct closing closing = { folder };

	snprintf(sign, sizeof(sign), "/sys/devices/%s-%u-%.10s", type, domid, id);
	snprintf(folder, sizeof(folder), "/local/domain/0/backend/%s/%u/%.10s", type, domid, id);
	/* A device that no guest has taken up yet has nobody to ask. */
	if (!is_in_use(s, folder))
		return true;
	if (!store_transaction(s->store, domid, write_closing, &closing))
		return fault_set(f, F_STORE, "%s %s: writing to the store: %s", type, id,
				 strerror(errno));
	for (unsigned i = 0; i < GUEST_NAPS; i++) {
		if (is_closed(s, folder, sign))
			return true;
		if (i >= 20 && !watch_step(s->watch, "waiting for the guest to let go", 0, 0, f))
			return fault_set(f, F_INTERRUPTED,
					 "interrupted; domain %u was asked already, and may still "
					 "let %s %s go",
					 domid, type, id);
		device_nap(i);
	}
	return fault_set(f, F_DEVICE_BUSY,
			 "domain %u does not let %s %s go within %u s: is it in use there?", domid,
			 type, id, GUEST_SECONDS);
}

static bool detach(const struct system *s, uint16_t domid, const char *type, const char *id,
		   bool force, struct fault *f)
{
	if (!guest_lets_go(s, domid, type, id, f) && !(force && f->id == F_DEVICE_BUSY))
		return false;
	device_remove(s, domid, type, id);
	return true;
}

/* The device whose number is `which` or whose node `node` says so, into `id`. */
static bool find(const struct system *s, uint16_t domid, const char *type, const char *node,
		 const char *which, char *id, size_t room)
{
	struct client_names list;
	const char *one = NULL;
	bool found = false;
	char text[64];

	store_children(s, &list, "/local/domain/0/backend/%s/%u", type, domid);
	while (!found && (one = client_next_name(&list, one)) != NULL) {
		found = strcmp(one, which) == 0 ||
			(store_get(s, text, sizeof(text), "/local/domain/0/backend/%s/%u/%.10s/%s",
				   type, domid, one, node) &&
			 strcasecmp(text, which) == 0);
		snprintf(id, room, "%s", one);
	}
	client_names_free(&list);
	return found;
}

static bool find_and_detach(const struct system *s, uint16_t domid, const char *type,
			    const char *node, const char *which, bool force, struct fault *f)
{
	char id[16];
	bool ok;
	int lock = system_lock(s, f);

	if (lock < 0)
		return false;
	ok = find(s, domid, type, node, which, id, sizeof(id)) ||
	     fault_set(f, F_NO_SUCH_DEVICE, "domain %u has no %s %s", domid,
		       strcmp(type, "vif") == 0 ? "network card" : "disk", which);
	ok = ok && system_announce_device(lock, type, domid, (uint32_t)atoi(id), f) &&
	     detach(s, domid, type, id, force, f);
	system_unlock(lock);
	return ok;
}

bool disk_detach(const struct system *s, uint16_t domid, const char *which, bool force,
		 struct fault *f)
{
	char number[16];
	uint32_t n;

	/* "hda" and "0x300" mean the same, whatever was written when it was attached. */
	if (vdev_number(which, &n)) {
		snprintf(number, sizeof(number), "%" PRIu32, n);
		which = number;
	}
	return find_and_detach(s, domid, "vbd", "dev", which, force, f);
}

bool card_detach(const struct system *s, uint16_t domid, const char *which, bool force,
		 struct fault *f)
{
	return find_and_detach(s, domid, "vif", "mac", which, force, f);
}
