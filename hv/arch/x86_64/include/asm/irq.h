/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interrupts (cpu/irq.c): global system interrupts, which are pins of IO-APICs, and messages of devices. Those that a domain owns go to its
 * local APICs (hvm/vlapic.c): a message as the domain's kernel wrote it, a pin as its virtual IO-APIC says (hvm/vioapic.c).
 */
#ifndef ASM_IRQ_H
#define ASM_IRQ_H

#include <arch/irq.h>
#include <hv/iommu.h>

/* Map the IO-APICs, all pins masked; one struct irq a pin. Boot CPU, APIC on. */
void irq_init(void);
/* The global system interrupt of an ISA line, by the MADT's overrides. */
uint32_t irq_of_isa(unsigned line);
/* Pins of the IO-APIC whose first is `gsi`; 0: there is none. */
uint32_t irq_chip_pins(uint32_t gsi);

/* Tell `set` about each pin that is open. Boot CPU, the only one. */
void irq_each_open_pin(iommu_pin_fn *set);

/* ---- pins of a domain (arch_irq_assign) --------------------------------------------------------------- */

/*
 * Let the line interrupt, with this trigger and polarity; a level-triggered one that is in flight stays masked until irq_pin_ended().
 * Nothing happens when it is not `d`'s. Rank IRQ.
 */
void irq_pin_open(uint32_t gsi, const struct domain *d, bool level, bool low);
/* Mask it. */
void irq_pin_close(uint32_t gsi, const struct domain *d);
/* The guest has ended a level-triggered interrupt of this line: it may arrive again. */
void irq_pin_ended(uint32_t gsi, const struct domain *d);

/* ---- messages of a domain's devices ------------------------------------------------------------------- */

/*
 * From now on arrivals of `irq` go to `d` as `guest` says, which its kernel wrote for a local APIC (APM vol. 2, 16.12: destination
 * and its mode, delivery mode, vector). *to is where the device's real message must be led (iommu_irq_set()). For a bound
 * one only the guest's side changes, and *to is the same again.
 *
 * The caller provides `irq`: cleared, its lock initialised with RANK_IRQ, in memory that stays for an RCU grace period after
 * irq_msi_unbind(). Bind before the device may send, unbind when it cannot any more. Any CPU; rank IRQ.
 * R_BAD_MSI (not for a local APIC), R_NO_VECTOR, R_IRQ_IN_USE (another domain's).
 */
MUST_USE int irq_msi_bind(struct irq *irq, struct domain *d, const struct msi_message *guest,
			  struct iommu_irq_target *to);
/* Its vector is free for others. Nothing happens when it is not bound. */
void irq_msi_unbind(struct irq *irq);

#endif
