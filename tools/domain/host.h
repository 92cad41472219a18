/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's configuration stands on in this system: its disks and its bridges. Looking changes nothing, and what was there may be gone when the
 * guest is created: that is found then.
 */
#ifndef TOOLS_DOMAIN_HOST_H
#define TOOLS_DOMAIN_HOST_H

#include "config.h"

/* Add to *faults what `c` names and is not there or not usable. `net` is the folder of network interfaces, /sys/class/net. */
void host_check(const struct config *c, const char *net, struct config_faults *faults);

/* config.c: one more fault; those for which there is no room are counted. */
void config_report(struct config_faults *to, const struct fault *f);

#define HOST_NET            "/sys/class/net"
#define HOST_DEFAULT_BRIDGE "xenbr0"

#endif
