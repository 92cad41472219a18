/* SPDX-License-Identifier: Apache-2.0 */
/* The name by which xen/arch-arm/smccc.h includes xen.h. */
#ifndef PUBLIC_XEN_H
#define PUBLIC_XEN_H

#include <stdint.h>
#include <xen/xen.h>

#endif
