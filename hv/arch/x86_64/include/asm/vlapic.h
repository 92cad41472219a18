/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's local APIC: registers in plain fields, xAPIC by memory and x2APIC by MSR over the same functions (hvm/vlapic.c). Pending
 * interrupts are three 256-bit sets; anybody may set bits (atomically), the vCPU's own CPU does the rest. Its timer is a host
 * timer.
 */
#ifndef ASM_VLAPIC_H
#define ASM_VLAPIC_H

#include <hv/compiler.h>
#include <hv/timer.h>

struct vcpu;
struct domain;

struct vlapic {
	uint32_t irr[8] ALIGNED(8);                              /* [a] requested */
	uint32_t tmr[8];                                         /* [a] level-triggered */
	uint32_t isr[8];                                         /* [own] in service */
	uint32_t id, ldr, dfr, tpr, svr, esr, icr_low, icr_high; /* [own] */
	uint32_t lvt[7]; /* [own] CMCI, timer, thermal, performance, LINT0, LINT1, error */
	uint32_t timer_initial, timer_divide;
	uint64_t timer_started; /* ns */
	uint64_t tsc_deadline;  /* guest TSC, 0: none */
	uint64_t base;          /* [own] MSR_APIC_BASE */
	struct timer timer;
	uint8_t highest_isr; /* [own] 0: none */
};

/* The window in the domain's address space. */
MUST_USE int vlapic_domain_init(struct domain *d);
/* State after reset; the base address and BSP flag too. */
void vlapic_init(struct vcpu *v);
/* INIT: registers as after reset, except the id; requests are gone. Its base stays. */
void vlapic_reset(struct vcpu *v);
/* For good: arch_vcpu_stop(). */
void vlapic_stop(struct vcpu *v);
/* Request an interrupt; wakes or kicks the vCPU. Any CPU. */
void vlapic_request(struct vcpu *v, uint8_t vector, bool level);
/* The same even while the APIC is off by software: kept until it is on. The event upcall, which is raised once only. */
void vlapic_latch(struct vcpu *v, uint8_t vector, bool level);
/*
 * An interrupt message to the local APICs of `d` (APM vol. 2, 16.12): the low word of an IO-APIC entry (vector 7..0, delivery mode 10..8, logical
 * destination 11, level 15) and 8 bits of destination. To everybody who is named; lowest priority: to one. Any CPU.
 */
void vlapic_message(struct domain *d, uint32_t entry, uint8_t dest);
/* The vector that would be delivered now, 0: none. Own CPU. */
uint8_t vlapic_deliverable(struct vcpu *v);
/* There is an interrupt that only the task priority keeps from being delivered. */
bool vlapic_held_back(struct vcpu *v);
/* The task priority register, whose upper half is CR8. Of the vCPU that is loaded here, or that no CPU has. */
uint8_t vlapic_task_priority(struct vcpu *v);
void vlapic_set_task_priority(struct vcpu *v, uint8_t value);
/* It is being delivered: from requested to in service. */
void vlapic_accept(struct vcpu *v, uint8_t vector);
/* Is any vector requested, whatever its priority? */
bool vlapic_requested(const struct vcpu *v);
/* Any request that is above the priority: the vCPU must not block. Any CPU. */
bool vlapic_pending(struct vcpu *v);
/* Register access at byte offset 0..0xfff. False: #GP in x2APIC mode. */
bool vlapic_read(struct vcpu *v, uint32_t offset, uint64_t *value);
bool vlapic_write(struct vcpu *v, uint32_t offset, uint64_t value);
/* Does `dest` (8 bits, or 32 when `wide`) name this vCPU? */
bool vlapic_matches(const struct vcpu *target, uint32_t dest, bool logical, bool wide);
/* MSR_TSC_DEADLINE; without effect in the other timer modes. */
void vlapic_set_tsc_deadline(struct vcpu *v, uint64_t guest_tsc);
/* MSR_APIC_BASE. False: #GP. */
bool vlapic_set_base(struct vcpu *v, uint64_t value);

#endif
