/* SPDX-License-Identifier: Apache-2.0 */
/* What common boot code (hv/boot) asks of the architecture, in the order it asks. */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <hv/boot.h>

/* Start the other CPUs (at most options.maxcpus in all); each ends in cpu_online() and the idle loop. */
void arch_boot_cpus(void);

/* Set in `cfg` what the architecture decides (direct map, gic version, limits) and check `b` against the machine. */
MUST_USE int arch_boot_domain_config(struct boot_domain *b, struct domain_config *cfg);

/* Between the creation of `d` and of its vCPUs: the interrupt controller gets its place. */
MUST_USE int arch_boot_prepare(struct boot_domain *b, struct domain *d);

/*
 * One bounded step (b->phase, b->progress) of filling domain `d` (created, with vCPUs): RAM, kernel, ramdisk, device tree or start-info and tables,
 * devices for dom0, and the context of vCPU 0. -ERR_RESTART: call again. A refusal was logged with the node's name.
 */
MUST_USE int arch_boot_load(struct boot_domain *b, struct domain *d);

/* Give boot-only text and data back. */
void arch_boot_done(void);

#endif
