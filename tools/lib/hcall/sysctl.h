/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls about the machine (xen/sysctl.h). Results as in domctl.h. */
#ifndef TOOLS_HCALL_SYSCTL_H
#define TOOLS_HCALL_SYSCTL_H

#include "hcall.h"
#include <xen/xen.h>
#include <xen/sysctl.h>

#ifndef MUST_USE
#define MUST_USE __attribute__((warn_unused_result))
#endif

MUST_USE int hcall_physinfo(struct hcall *h, struct xen_sysctl_physinfo *info);
/* Up to `n` bytes of the hypervisor's log from *index on, which is moved behind them: how many; 0: no more. */
MUST_USE long hcall_readconsole(struct hcall *h, uint32_t *index, char *to, uint32_t n);
/* What it adds to its version number, such as "-krypton": XENVER_extraversion. */
MUST_USE int hcall_extraversion(struct hcall *h, char *to, size_t room);

#endif
