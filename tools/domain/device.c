/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching and detaching: the folders of both ends, and waiting until the kernel has done its part. */
#include "device_parts.h"
#include "host.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#define WAIT_MS     20
#define WAIT_MAX    1000 /* of them: 20 s */
#define REJOIN_NAPS 104  /* 0.9 s */

/* ---- folders ---------------------------------------------------------------------------------------- */

static void write_disk_back(struct store_write *w, const struct device *d)
{
	const struct config_disk *disk = d->disk;

	store_put(w, STORE_GUEST_READS, "dev", "%s", disk->vdev);
	store_put(w, STORE_GUEST_READS, "type", "phy");
	store_put(w, STORE_GUEST_READS, "params", "%s", disk->target);
	store_put(w, STORE_GUEST_READS, "mode", "%s", disk->readonly ? "r" : "w");
	store_put(w, STORE_GUEST_READS, "device-type", "%s", disk->cdrom ? "cdrom" : "disk");
	store_put(w, STORE_GUEST_READS, "removable", "%u", disk->cdrom);
	store_put(w, STORE_GUEST_READS, "bootable", "1");
	store_put(w, STORE_GUEST_READS, "discard-enable", "%u", !disk->no_discard);
	if (disk->script) { /* which tells where the device is */
		store_put(w, STORE_GUEST_READS, "script", "%s", disk->script);
		return;
	}
	store_put(w, STORE_GUEST_READS, "physical-device", "%x:%x", d->major, d->minor);
	store_put(w, STORE_GUEST_READS, "physical-device-path", "%s", disk->target);
}

static void write_card_back(struct store_write *w, const struct device *d)
{
	const struct config_vif *vif = d->vif;

	store_put(w, STORE_GUEST_READS, "handle", "%u", d->id);
	store_put(w, STORE_GUEST_READS, "type", "vif");
	store_put(w, STORE_GUEST_READS, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0],
		  d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5]);
	if (!vif->gatewaydev)
		store_put(w, STORE_GUEST_READS, "bridge", "%s",
			  vif->bridge ? vif->bridge : HOST_DEFAULT_BRIDGE);
	if (vif->ip)
		store_put(w, STORE_GUEST_READS, "ip", "%s", vif->ip);
	if (vif->rate_bytes)
		store_put(w, STORE_GUEST_READS, "rate", "%" PRIu64 ",%u", vif->rate_bytes,
			  vif->rate_interval);
	if (vif->gatewaydev)
		store_put(w, STORE_GUEST_READS, "gatewaydev", "%s", vif->gatewaydev);
	if (vif->vifname)
		store_put(w, STORE_GUEST_READS, "vifname", "%s", vif->vifname);
	/* The kernel wants a script's name, and waits until it says that the card is connected. */
	store_put(w, STORE_GUEST_READS, "script", "%s", vif->script ? vif->script : "");
	if (!vif->script)
		store_put(w, STORE_GUEST_READS, "hotplug-status", "connected");
}

static void write_front(struct store_write *w, const struct device *d)
{
	store_below(w, "/local/domain/%u/device/%s/%u", d->domid, d->type, d->id);
	store_put(w, STORE_GUEST_OWNS, "", "%s", "");
	store_put(w, STORE_GUEST_OWNS, "backend", "/local/domain/0/backend/%s/%u/%u", d->type,
		  d->domid, d->id);
	store_put(w, STORE_GUEST_OWNS, "backend-id", "0");
	store_put(w, STORE_GUEST_OWNS, "state", "1");
	if (d->disk) {
		store_put(w, STORE_GUEST_OWNS, "virtual-device", "%u", d->id);
		/* A drive is known by the back end's folder. Linux and FreeBSD leave it to a device model when this says so, and these guests have none. */
		store_put(w, STORE_GUEST_OWNS, "device-type", "disk");
		store_put(w, STORE_GUEST_OWNS, "trusted", "%u", !d->disk->untrusted);
	} else {
		store_put(w, STORE_GUEST_OWNS, "handle", "%u", d->id);
		store_put(w, STORE_GUEST_OWNS, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0],
			  d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5]);
		store_put(w, STORE_GUEST_OWNS, "trusted", "%u", !d->vif->untrusted);
		if (d->vif->mtu)
			store_put(w, STORE_GUEST_OWNS, "mtu", "%u", d->vif->mtu);
	}
}

static void write_both(struct store_write *w, void *arg)
{
	const struct device *d = arg;

	write_front(w, d);
	store_below(w, "/local/domain/0/backend/%s/%u/%u", d->type, d->domid, d->id);
	store_put(w, STORE_GUEST_READS, "", "%s", "");
	store_put(w, STORE_GUEST_READS, "frontend", "/local/domain/%u/device/%s/%u", d->domid,
		  d->type, d->id);
	store_put(w, STORE_GUEST_READS, "frontend-id", "%u", d->domid);
	store_put(w, STORE_GUEST_READS, "online", "1");
	store_put(w, STORE_GUEST_READS, "state", "1");
	if (d->disk)
		write_disk_back(w, d);
	else
		write_card_back(w, d);
}

/* ---- waiting for the kernel -------------------------------------------------------------------------- */

void device_nap(unsigned i)
{
	const struct timespec t = { 0, (i < DEVICE_SHORT_NAPS ? 1 : WAIT_MS) * 1000000L };

	nanosleep(&t, NULL);
}

/* The file or folder of sysfs that is there when the back end holds what it stands on. */
static const char *sign_of(const struct device *d, char *path, size_t room)
{
	if (d->disk)
		snprintf(path, room, "/sys/bus/xen-backend/devices/vbd-%u-%u/physical_device",
			 d->domid, d->id);
	else
		snprintf(path, room, "/sys/class/net/vif%u.%u", d->domid, d->id);
	return path;
}

static bool wait_for_back(const struct device *d, struct fault *f)
{
	const struct place *at = d->disk ? &d->disk->at : &d->vif->at;
	char path[100], error[200];

	for (unsigned i = 0; i < WAIT_MAX; i++) {
		if (access(sign_of(d, path, sizeof(path)), F_OK) == 0)
			return true;
		if (store_get(d->s, error, sizeof(error),
			      "/local/domain/0/error/backend/%s/%u/%u/error", d->type, d->domid,
			      d->id))
			return fault_at(f, F_BACKEND, at, "%s %u: the back end refuses it: %s",
					d->type, d->id, error);
		/* Most come at once. */
		if (i >= 20 && !watch_step(d->s->watch, "waiting for the back end", 0, 0, f))
			return false;
		device_nap(i);
	}
	return fault_at(f, F_BACKEND, at,
			"%s %u: the kernel's back end does not answer: is %s loaded?", d->type,
			d->id, d->disk ? "xen-blkback" : "xen-netback");
}

static bool write_folders(struct device *d, struct fault *f)
{
	const struct place *at = d->disk ? &d->disk->at : &d->vif->at;

	return store_transaction(d->s->store, d->domid, write_both, d) ||
	       fault_at(f, F_STORE, at, "%s %u: writing to the store: %s", d->type, d->id,
			strerror(errno));
}

/* ---- disks and cards ---------------------------------------------------------------------------------- */

static void remove_again(const struct device *d)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", d->id);
	device_remove(d->s, d->domid, d->type, id);
}

/* One that fails is not called again to undo what it did not do. */
static bool run_script(const struct device *d, const char *script, const char *action,
		       struct fault *f)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", d->id);
	if (hotplug_run(d->s, script, action, d->type, d->domid, id, f))
		return true;
	store_set(d->s, "", "/local/domain/0/backend/%s/%u/%u/script", d->type, d->domid, d->id);
	return false;
}

static bool there_already(const struct system *s, const char *type, uint16_t domid, uint32_t id)
{
	char text[STORE_PATH_MAX];

	return store_get(s, text, sizeof(text), "/local/domain/0/backend/%s/%u/%u/frontend", type,
			 domid, id);
}

bool disk_new(const struct system *s, const struct config_disk *disk, uint16_t domid,
	      struct fault *f)
{
	return !there_already(s, "vbd", domid, disk->number) ||
	       fault_at(f, F_DEVICE_EXISTS, &disk->at, "disk %s: domain %u has one", disk->vdev,
			domid);
}

bool card_new(const struct system *s, const struct config_vif *vif, uint16_t domid, struct fault *f)
{
	return !there_already(s, "vif", domid, vif->devid) ||
	       fault_at(f, F_DEVICE_EXISTS, &vif->at, "vif %u: domain %u has one", vif->devid,
			domid);
}

/* By a loop device or as it is. */
static bool add_plain_disk(struct device *d, struct fault *f)
{
	bool ok;
	int hold;

	if (!disk_unused(d->s, d->disk, f) || !block_open(d->disk, &d->major, &d->minor, &hold, f))
		return false;
	ok = write_folders(d, f) && wait_for_back(d, f);
	if (ok && hold >= 0)
		block_keep(hold, d->disk);
	if (hold >= 0)
		close(hold);
	return ok;
}

bool disk_add(const struct system *s, const struct config_disk *disk, uint16_t domid,
	      struct fault *f)
{
	struct device d = {
		.s = s, .domid = domid, .type = "vbd", .id = disk->number, .disk = disk
	};

	if (!disk->target)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &disk->at,
				"disk %s: an empty drive needs a device model", disk->vdev);
	if (disk->script ? write_folders(&d, f) && run_script(&d, disk->script, "add", f) &&
			       wait_for_back(&d, f)
			 : add_plain_disk(&d, f))
		return true;
	remove_again(&d);
	return false;
}

/* The interface is there: connect it to something. */
static bool connect_card(const struct device *d, struct fault *f)
{
	const struct config_vif *vif = d->vif;
	char interface[20];

	snprintf(interface, sizeof(interface), "vif%u.%u", d->domid, d->id);
	if (vif->script)
		return run_script(d, vif->script, "online", f);
	if (vif->gatewaydev)
		return net_route(interface, vif->vifname, vif->gatewaydev, vif->mtu, vif->ip, f);
	return net_join(interface, vif->vifname, vif->bridge ? vif->bridge : HOST_DEFAULT_BRIDGE,
			vif->mtu, f);
}

bool card_add(const struct system *s, const struct config_vif *vif, uint16_t domid, struct fault *f)
{
	struct device d = { .s = s, .domid = domid, .type = "vif", .id = vif->devid, .vif = vif };

	if (!mac_choose(&d, f))
		return false;
	if (write_folders(&d, f) && wait_for_back(&d, f) && connect_card(&d, f))
		return true;
	remove_again(&d);
	return false;
}

/* What the back end's folder says of a card: it was judged when it was written. */
static void recall_card(struct device *d, struct config_vif *vif, char text[4][STORE_PATH_MAX])
{
	static const char *const nodes[] = { "bridge", "gatewaydev", "ip", "vifname" };
	const char **const to[] = { &vif->bridge, &vif->gatewaydev, &vif->ip, &vif->vifname };

	for (unsigned i = 0; i < 4; i++)
		if (store_get(d->s, text[i], STORE_PATH_MAX, "/local/domain/0/backend/vif/%u/%u/%s",
			      d->domid, d->id, nodes[i]))
			*to[i] = text[i];
	d->vif = vif;
}

/* One that kr makes says from the beginning that it is connected; a script says so for its own. */
static bool was_restarted(const struct device *d)
{
	char text[STORE_PATH_MAX];

	return store_get(d->s, text, sizeof(text), "/local/domain/0/backend/vif/%u/%u/state",
			 d->domid, d->id) &&
	       atoi(text) == XenbusStateInitWait &&
	       store_get(d->s, text, sizeof(text), "/local/domain/0/backend/vif/%u/%u/online",
			 d->domid, d->id) &&
	       atoi(text) == 1 &&
	       !(store_get(d->s, text, sizeof(text), "/local/domain/0/backend/vif/%u/%u/script",
			   d->domid, d->id) &&
		 text[0]) &&
	       !store_get(d->s, text, sizeof(text),
			  "/local/domain/0/backend/vif/%u/%u/hotplug-status", d->domid, d->id);
}

bool card_rejoin(const struct system *s, uint16_t domid, uint32_t id, struct fault *f)
{
	struct device d = { .s = s, .domid = domid, .type = "vif", .id = id };
	char text[4][STORE_PATH_MAX], path[100];
	struct config_vif vif = { .bridge = NULL };

	f->id = F_NONE;
	if (!was_restarted(&d))
		return false;
	recall_card(&d, &vif, text);
	/* The interface follows the word. */
	for (unsigned i = 0; i < REJOIN_NAPS && access(sign_of(&d, path, sizeof(path)), F_OK); i++)
		device_nap(i);
	if (!connect_card(&d, f))
		return false;
	store_set(s, "connected", "/local/domain/0/backend/vif/%u/%u/hotplug-status", domid, id);
	return true;
}

bool devices_add(const struct system *s, const struct config *c, uint16_t domid, struct fault *f)
{
	for (const struct config_disk *d = c->disks; d; d = d->next)
		if (!disk_add(s, d, domid, f))
			return false;
	for (const struct config_vif *v = c->vifs; v; v = v->next)
		if (!card_add(s, v, domid, f))
			return false;
	return true;
}
