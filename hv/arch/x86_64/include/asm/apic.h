/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC of the calling CPU, in xAPIC or x2APIC mode (APM vol. 2, 16). */
#ifndef ASM_APIC_H
#define ASM_APIC_H

#include <hv/compiler.h>

struct cpu;

/* Choose the mode and map the registers. Boot CPU, once. */
void apic_init(void);
/* Enable the calling CPU's, timer masked. */
void apic_cpu_init(void);
uint32_t apic_id(void);
/* End of interrupt. */
void apic_eoi(void);
/* Send `vector` to one CPU. Does not wait. */
void apic_send(uint32_t apic_id, unsigned vector);
/* INIT, then two STARTUPs at page `page` (below 1 MiB), with the waits of the MP specification. */
void apic_start_cpu(uint32_t apic_id, unsigned page);
/* An NMI to all other CPUs: a panic stops them. Nothing before apic_init(). */
void apic_stop_others(void);
/* One shot after `ticks` of the APIC timer, 0: off. */
void apic_timer_set(uint32_t ticks);
/* Ticks left. */
uint32_t apic_timer_left(void);

/* An interrupt of the hypervisor's own or of a device arrived. */
void apic_interrupt(unsigned vector);

#endif
