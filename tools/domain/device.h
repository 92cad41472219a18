/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's PV devices. A device is two folders of the store, the back end's and the front end's, that name each other (xen/io/xenbus.h); the kernel of
 * this domain has the back ends (xen-blkback, xen-netback) and makes one when the folder appears. What a back end
 * stands on is set up here: a loop device for a file, the bridge for a network card.
 */
#ifndef TOOLS_DOMAIN_DEVICE_H
#define TOOLS_DOMAIN_DEVICE_H

#include "create.h"

/* All of `c`, in order; the back ends are there and hold what they stand on when this returns. False: *f has the first that failed. */
MUST_USE bool devices_add(const struct system *s, const struct config *c, uint16_t domid,
			  struct fault *f);

/* All devices of a domain that is dead or was not started: back ends let go of everything, and both folders are removed. */
void devices_remove(const struct system *s, uint16_t domid);

/* block.c: a block device with the contents of d->target. For a file, *hold keeps the loop device until somebody else has opened it (-1: nothing to hold). */
MUST_USE bool block_open(const struct config_disk *d, unsigned *major, unsigned *minor, int *hold,
			 struct fault *f);
/* net.c: set `interface` up and into `bridge` (NULL: neither), with the bridge's MTU if `mtu` is 0, and call it `name` (NULL: as it is). */
MUST_USE bool net_join(const char *interface, const char *name, const char *bridge, uint32_t mtu,
		       struct fault *f);

#endif
