/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching and detaching: the folders of both ends, and waiting until the kernel has done its part. */
#include "device.h"
#include "host.h"
#include "store_write.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS  20
#define WAIT_MAX 1000 /* of them: 20 s */

/* One device: "vbd" or "vif" and its number. */
struct device {
	const struct system *s;
	uint16_t domid;
	const char *type;
	uint32_t id;
	const struct config_disk *disk;
	const struct config_vif *vif;
	unsigned major, minor; /* disk */
	uint8_t mac[6];
};

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
	/* The kernel wants the name of a hotplug script and waits for what it says; nothing of that kind runs here. */
	store_put(w, STORE_GUEST_READS, "script", "%s", "");
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
		store_put(w, STORE_GUEST_OWNS, "device-type", "%s",
			  d->disk->cdrom ? "cdrom" : "disk");
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

static void nap(void)
{
	const struct timespec t = { 0, WAIT_MS * 1000000L };

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
		nap();
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

static bool add_disk(const struct system *s, const struct config_disk *disk, uint16_t domid,
		     struct fault *f)
{
	struct device d = {
		.s = s, .domid = domid, .type = "vbd", .id = disk->number, .disk = disk
	};
	bool ok;
	int hold;

	if (disk->script)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &disk->at,
				"disk %s: hotplug scripts are not run yet", disk->vdev);
	if (!disk->target)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &disk->at,
				"disk %s: an empty drive needs a device model", disk->vdev);
	if (!block_open(disk, &d.major, &d.minor, &hold, f))
		return false;
	ok = write_folders(&d, f) && wait_for_back(&d, f);
	if (hold >= 0)
		close(hold);
	return ok;
}

/* Has another domain's card this address? */
static bool mac_taken(const struct system *s, const uint8_t *mac)
{
	char text[20], other[20];
	bool taken = false;
	struct client_names domains = { 0 };
	const char *one = NULL;
	int err = client_list(s->store, 0, "/local/domain", &domains);

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	while (!err && (one = client_next_name(&domains, one)) != NULL) {
		struct client_names cards;
		const char *card = NULL;
		char path[80];
		int none;

		snprintf(path, sizeof(path), "/local/domain/%.10s/device/vif", one);
		none = client_list(s->store, 0, path, &cards);
		while (!none && (card = client_next_name(&cards, card)) != NULL)
			taken |= store_get(s, other, sizeof(other), "%s/%.10s/mac", path, card) &&
				 strcasecmp(other, text) == 0;
		client_names_free(&cards);
	}
	client_names_free(&domains);
	return taken;
}

/* The one that was asked for, or a random one under Xen's prefix that nobody has. */
static bool choose_mac(struct device *d, struct fault *f)
{
	static const uint8_t prefix[] = { 0x00, 0x16, 0x3e };

	if (d->vif->has_mac) {
		memcpy(d->mac, d->vif->mac, 6);
		return !mac_taken(d->s, d->mac) ||
		       fault_at(
			   f, F_MAC_TAKEN, &d->vif->at,
			   "vif %u: another domain has the address %02x:%02x:%02x:%02x:%02x:%02x",
			   d->id, d->mac[0], d->mac[1], d->mac[2], d->mac[3], d->mac[4], d->mac[5]);
	}
	do {
		memcpy(d->mac, prefix, 3);
		if (getrandom(d->mac + 3, 3, 0) != 3)
			return fault_at(f, F_NO_MEMORY, &d->vif->at, "vif %u: no random numbers",
					d->id);
		d->mac[3] &= 0x7f; /* the upper half is for assigned addresses */
	} while (mac_taken(d->s, d->mac));
	return true;
}

static bool add_card(const struct system *s, const struct config_vif *vif, uint16_t domid,
		     struct fault *f)
{
	struct device d = { .s = s, .domid = domid, .type = "vif", .id = vif->devid, .vif = vif };
	char interface[20];

	if (vif->script || vif->gatewaydev)
		return fault_at(
		    f, F_CONFIG_UNSUPPORTED, &vif->at,
		    "vif %u: only cards on a bridge can be set up yet, no scripts and routes", d.id);
	if (!choose_mac(&d, f) || !write_folders(&d, f) || !wait_for_back(&d, f))
		return false;
	snprintf(interface, sizeof(interface), "vif%u.%u", domid, d.id);
	return net_join(interface, vif->vifname, vif->bridge ? vif->bridge : HOST_DEFAULT_BRIDGE,
			vif->mtu, f);
}

bool devices_add(const struct system *s, const struct config *c, uint16_t domid, struct fault *f)
{
	for (const struct config_disk *d = c->disks; d; d = d->next)
		if (!add_disk(s, d, domid, f))
			return false;
	for (const struct config_vif *v = c->vifs; v; v = v->next)
		if (!add_card(s, v, domid, f))
			return false;
	return true;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

/* A back end whose folder and front end are gone lets go; the kernel takes its device away when it has. */
static void wait_until_gone(uint16_t domid, const char *type, const char *id)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/%s-%u-%.10s", type, domid, id);
	for (unsigned i = 0; i < WAIT_MAX && access(path, F_OK) == 0; i++)
		nap();
}

static void remove_type(const struct system *s, uint16_t domid, const char *type)
{
	char path[80], online[120];
	struct client_names list;
	const char *one = NULL;
	int err;

	snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", type, domid);
	err = client_list(s->store, 0, path, &list);
	while (!err && (one = client_next_name(&list, one)) != NULL) {
		snprintf(online, sizeof(online), "%s/%.10s/online", path, one);
		(void)!client_write(s->store, 0, online, "0", 1);
		store_drop(s, "/local/domain/%u/device/%s/%.10s", domid, type, one);
		store_drop(s, "%s/%.10s", path, one);
		wait_until_gone(domid, type, one);
		store_drop(s, "/local/domain/0/error/backend/%s/%u/%.10s", type, domid, one);
	}
	client_names_free(&list);
	store_drop(s, "%s", path);
}

void devices_remove(const struct system *s, uint16_t domid)
{
	remove_type(s, domid, "vbd");
	remove_type(s, domid, "vif");
}
