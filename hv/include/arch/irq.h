/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interrupts. Each is one struct irq with an owner: nobody, the hypervisor (a handler), or a
 * domain and the line it sees. dom0 is merely the first owner.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <hv/compiler.h>
#include <hv/lock.h>

struct domain;
struct msi_message;

enum irq_state { IRQ_FREE, IRQ_OURS, IRQ_GUEST };

struct irq {
	struct lock lock;     /* rank IRQ */
	uint8_t state;        /* [l] enum irq_state */
	uint8_t level;        /* [l] level-triggered */
	uint8_t enabled;      /* [l] */
	uint8_t in_flight;    /* [l] IRQ_GUEST: given to the guest, not yet deactivated by it */
	uint32_t number;      /* [c] INTID, GSI */
	uint8_t vector;       /* [l] x86: the CPU vector it arrives at, 0: none yet */
	uint8_t low;          /* [l] x86: active low */
	uint32_t cpu;         /* [l] x86: local APIC that it goes to */
	uint32_t guest_line;  /* [l] what the owner sees; x86, a message: where it goes */
	struct domain *owner; /* [l] IRQ_GUEST */
	void (*handler)(struct irq *irq, void *arg); /* [l] IRQ_OURS */
	void *arg;
	const char *name;
};

/* NULL: the machine has no such line. Numbers are below arch_nr_irqs(). */
struct irq *arch_irq(uint32_t number);
uint32_t arch_nr_irqs(void);
/* The hypervisor takes a line. R_IRQ_IN_USE, R_NO_SUCH_IRQ. */
MUST_USE int arch_irq_request(uint32_t number, bool level, void (*handler)(struct irq *, void *),
			      void *arg, const char *name);
/* Route a line to a domain, as `guest_line` there; disabled until the guest enables it. */
MUST_USE int arch_irq_assign(uint32_t number, struct domain *d, uint32_t guest_line, bool level);
/* Take it back (domain destroyed), deactivated and disabled. */
void arch_irq_release(uint32_t number);

/*
 * A message interrupt of the hypervisor's own: `irq`, which the caller provides for good (cleared, its lock initialised), gets a
 * vector on this CPU; *out is what the device must send. x86. R_IRQ_IN_USE: no vector is left.
 */
MUST_USE int arch_msi_request(struct irq *irq, void (*handler)(struct irq *, void *), void *arg,
			      const char *name, struct msi_message *out);

/*
 * A message interrupt of a device that a domain owns. Arrivals of `irq` go to `d` as its kernel's message `guest` says; *to is where the
 * device's own must be led (iommu_irq_set()). For a bound one only the guest's side changes. `irq` is cleared, its lock initialised with
 * RANK_IRQ, and stays for an RCU grace period after arch_msi_unbind(), which does nothing when it is not bound. Any CPU; rank IRQ.
 * Refusals are the architecture's: no vector left, not a message for an interrupt controller.
 */
struct iommu_irq_target;
MUST_USE int arch_msi_bind(struct irq *irq, struct domain *d, const struct msi_message *guest,
			   struct iommu_irq_target *to);
void arch_msi_unbind(struct irq *irq);

#endif
