/* SPDX-License-Identifier: Apache-2.0 */
/* Host interrupt lines: global system interrupts of the IO-APICs (cpu/irq.c). */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <arch/irq.h>

/* Map the IO-APICs, all pins masked; one struct irq a pin. Boot CPU, APIC on. */
void irq_init(void);
/* The global system interrupt of an ISA line, by the MADT's overrides. */
uint32_t irq_of_isa(unsigned line);

#endif
