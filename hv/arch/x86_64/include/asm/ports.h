/* SPDX-License-Identifier: Apache-2.0 */
/* I/O ports of the domain that owns the machine (hvm/ports.c). */
#ifndef ASM_PORTS_H
#define ASM_PORTS_H

#include <hv/compiler.h>

struct domain;
struct vcpu;

/* Open them to `d`, but for those that ports_access() must see. Before it runs. */
void ports_open(struct domain *d);
/* IN or OUT of `size` bytes (1, 2, 4) at a port that is not open. False: a vCPU state took over, or the vCPU executes it again. */
MUST_USE bool ports_access(struct vcpu *v, uint16_t port, unsigned size, bool write,
			   uint32_t *value);

#endif
