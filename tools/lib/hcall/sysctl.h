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

/* As if the keys were pressed at the hypervisor's console. */
MUST_USE int hcall_debug_keys(struct hcall *h, const char *keys);
/* How long each of the first `n` CPUs has been idle, in ns: how many there are, `n` at most. */
MUST_USE int hcall_idle(struct hcall *h, uint64_t *ns, uint32_t n);
/* XEN_SCHEDULER_*. */
MUST_USE int hcall_scheduler(struct hcall *h, uint32_t *id);
/* Under credit2: the shortest time between two decisions, in us. */
MUST_USE int hcall_ratelimit(struct hcall *h, uint32_t *us);

struct hcall_pool {
	uint32_t id, scheduler, domains;
	uint64_t cpus[4]; /* a bit for each of 256 */
};

/* The pool of this number or the next higher one; -ENOENT: there are no more. */
MUST_USE int hcall_pool(struct hcall *h, uint32_t id, struct hcall_pool *pool);

#endif
