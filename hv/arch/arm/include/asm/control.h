/* SPDX-License-Identifier: Apache-2.0 */
/* What domains that a toolstack makes have on Arm. */
#ifndef ASM_CONTROL_H
#define ASM_CONTROL_H

#include <hv/domain.h>
#include <xen/domctl.h>

/* The interrupt controller at the guest layout's addresses (xen/arch-arm.h), before vCPUs exist. io_register's and the pool's errors. */
MUST_USE int control_place_devices(struct domain *d, const struct xen_arch_domainconfig *c);

#endif
