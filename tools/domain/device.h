/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's PV devices. A device is two folders of the store, the back end's and the front end's, that name each other (xen/io/xenbus.h); the kernel of
 * this domain has the back ends (xen-blkback, xen-netback) and makes one when the folder appears. What a back end
 * stands on is set up here: a loop device for a file, the bridge or the route of a network card, or whatever the user's own script does.
 *
 * Callers hold system_lock() (create.h), so that two do not take one disk or one address.
 */
#ifndef TOOLS_DOMAIN_DEVICE_H
#define TOOLS_DOMAIN_DEVICE_H

#include "create.h"

/* All of `c`, in order; the back ends are there and hold what they stand on when this returns. False: *f has the first that failed. */
MUST_USE bool devices_add(const struct system *s, const struct config *c, uint16_t domid,
			  struct fault *f);

/* All devices of a domain that is dead or was not started: back ends let go of everything, and both folders are removed. */
void devices_remove(const struct system *s, uint16_t domid);
/* The beginning of that, for a domain that is paused and about to be destroyed: back ends are told to let go, and nobody waits. */
void devices_tell(const struct system *s, uint16_t domid);

/*
 * attach.c: a device for a domain that exists. `spec` is what stands between quotes in disk=[ ] or vif=[ ]; *id is the
 * device's number. False: *f says why, and nothing is left of it.
 */
MUST_USE bool disk_attach(const struct system *s, uint16_t domid, const char *spec, uint32_t *id,
			  struct fault *f);
MUST_USE bool card_attach(const struct system *s, uint16_t domid, const char *spec, uint32_t *id,
			  struct fault *f);
/*
 * Take one away from a running domain. `which`: a disk's vdev ("xvdb") or number, a card's number or address. The guest is asked to
 * let go, and has 10 s for it; `force` takes it away then, as from a machine. False: *f (F_NO_SUCH_DEVICE, F_DEVICE_BUSY).
 */
MUST_USE bool disk_detach(const struct system *s, uint16_t domid, const char *which, bool force,
			  struct fault *f);
MUST_USE bool card_detach(const struct system *s, uint16_t domid, const char *which, bool force,
			  struct fault *f);

/*
 * A card whose back end was taken away and came back (its driver was loaded again) is no part of its bridge or route any more, and the kernel waits to hear that it
 * is: true: it was, and is again; the guest notices nothing but the gap. False: there is nothing to do (*f has no id), or it failed. A card with a
 * user's script is that script's business.
 */
MUST_USE bool card_rejoin(const struct system *s, uint16_t domid, uint32_t id, struct fault *f);

/* What a process that holds the lock is making; all zero: nothing in particular. */
struct unfinished {
	uint8_t uuid[16]; /* of a domain */
	uint16_t domid;   /* of a device */
	char type[4], id[12];
};

/*
 * recover.c: take away what a process that was killed has left behind: what it was making, domains that are half dead, folders of domains
 * that are gone with the back ends and scripts that belong to them. For system_lock(), which knows when.
 */
void system_clean(const struct system *s, const struct unfinished *u);

#endif
