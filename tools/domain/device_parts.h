/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about devices have from each other. */
#ifndef TOOLS_DOMAIN_DEVICE_PARTS_H
#define TOOLS_DOMAIN_DEVICE_PARTS_H

#include "device.h"
#include "store_write.h"

/* One device: "vbd" or "vif" and its number. */
struct device {
	const struct system *s;
	uint16_t domid;
	const char *type;
	uint32_t id;
	const struct config_disk *disk; /* one of the two */
	const struct config_vif *vif;
	unsigned major, minor; /* disk without a script */
	uint8_t mac[6];
};

/* device.c */
MUST_USE bool disk_add(const struct system *s, const struct config_disk *disk, uint16_t domid,
		       struct fault *f);
MUST_USE bool card_add(const struct system *s, const struct config_vif *vif, uint16_t domid,
		       struct fault *f);
/* The domain has no device of this number. */
MUST_USE bool disk_new(const struct system *s, const struct config_disk *disk, uint16_t domid,
		       struct fault *f);
MUST_USE bool card_new(const struct system *s, const struct config_vif *vif, uint16_t domid,
		       struct fault *f);
/*
 * The i-th of several: 1 ms for the first 64, for most that is waited for comes soon, and Linux takes 40 ms to unregister an interface; then
 * 20 ms.
 */
#define DEVICE_SHORT_NAPS 64
void device_nap(unsigned i);

/* detach.c: take one away at once, whatever the guest does. */
void device_remove(const struct system *s, uint16_t domid, const char *type, const char *id);

/* address.c: the address that was asked for, or one that follows from the domain's UUID and the card's number; nobody else on this system has it. */
MUST_USE bool mac_choose(struct device *d, struct fault *f);
/* Nobody has the address that the card asks for. */
MUST_USE bool mac_free(const struct system *s, const struct config_vif *v, struct fault *f);

/* share.c: nobody else uses what the disk stands on, in a way that goes with neither's writing. */
MUST_USE bool disk_unused(const struct system *s, const struct config_disk *d, struct fault *f);

/* block.c: a block device with the contents of d->target. For a file, *hold keeps the loop device until somebody else has opened it (-1: nothing to hold). */
MUST_USE bool block_open(const struct config_disk *d, unsigned *major, unsigned *minor, int *hold,
			 struct fault *f);
/* The back end has what block_open() gave for `d`, and the store says so: a loop device of ours stays when the back end lets go. */
void block_keep(int hold, const struct config_disk *d);
/* The disk `id` is to go: if it stands on a loop device of ours, that goes when the back end has closed it. */
void block_release(const struct system *s, uint16_t domid, const char *id);

/* net.c: set `interface` up and into `bridge` (NULL: neither), with the bridge's MTU if `mtu` is 0, and call it `name` (NULL: as it is). */
MUST_USE bool net_join(const char *interface, const char *name, const char *bridge, uint32_t mtu,
		       struct fault *f);
/*
 * The same for a card that is routed: `interface` speaks for `gateway` (has its address, answers ARP for what lies behind
 * it, as `gateway` does for the guest), and each of the addresses `ips` (separated by blanks; NULL: none) is reached through it.
 */
MUST_USE bool net_route(const char *interface, const char *name, const char *gateway, uint32_t mtu,
			const char *ips, struct fault *f);

/*
 * hotplug.c: the user's script (docs of Xen: xl-disk-configuration(5), xl-network-configuration(5)): `path`, from /etc/xen/scripts unless it is absolute, with `action` (add,
 * remove; online, offline) and the back end's folder in its environment. False: *f has what the script said.
 */
MUST_USE bool hotplug_run(const struct system *s, const char *path, const char *action,
			  const char *type, uint16_t domid, const char *id, struct fault *f);

#endif
