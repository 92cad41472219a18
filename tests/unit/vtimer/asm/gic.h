/* SPDX-License-Identifier: Apache-2.0 */
/* For vtimer_test.c: what the virtual timers ask of interrupt controllers, the host's and the guest's. */
#ifndef ASM_GIC_H
#define ASM_GIC_H

#include <stdbool.h>
#include <stdint.h>

struct domain;
struct vcpu;

struct gic_info {
	uint32_t ppi_virt_timer;
};
extern struct gic_info gic;

#define VIRQ_ENABLED            0x04u
#define VIRQ_PPI_VTIMER         27u
#define GUEST_TIMER_PHYS_NS_PPI 30u

void gic_deactivate(uint32_t intid);
void vgic_inject_vtimer(struct vcpu *v);
void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool high);

#endif
