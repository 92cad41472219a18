/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address map of Arm guests, on any host: xen/xen.h includes the host's own architecture, so a file that plans for Arm includes this
 * instead, and nothing that includes xen/xen.h.
 */
#ifndef TOOLS_BUILD_ARM_ABI_H
#define TOOLS_BUILD_ARM_ABI_H

#include <stdint.h>

/* As xen/xen.h has it. */
#ifndef xen_mk_ullong
#define xen_mk_ullong(x) x##ULL
#endif
#include <xen/arch-arm.h>

#endif
