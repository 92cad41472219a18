/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of a guest while it is not running, as arm64/entry.S saves them. It is the first
 * member of struct arch_vcpu and so the first bytes of struct vcpu: while a vCPU runs, SP_EL2 points
 * at it, and an exception from the guest stores straight into it.
 */
#ifndef ASM_REGS_H
#define ASM_REGS_H

#include <stdint.h>

struct guest_regs {
	uint64_t x[31];    /* x30 last */
	uint64_t pc;       /* ELR_EL2 */
	uint64_t pstate;   /* SPSR_EL2 */
	uint64_t reserved; /* keeps the size a multiple of 16: SP_EL2 must be aligned */
};
_Static_assert(sizeof(struct guest_regs) % 16 == 0, "SP_EL2 points behind or at it");

struct vcpu;

/* What is to be done before a guest instruction: softirqs, scheduling, idling. Returns the vCPU to enter (arm/exit.c). */
struct vcpu *hv_exit_path(void);

/* The C ends of the guest's exceptions (arm/exit.c). Each ends in hv_exit_path(). */
struct vcpu *exit_sync(struct vcpu *v);
struct vcpu *exit_irq(struct vcpu *v);
struct vcpu *exit_serror(struct vcpu *v);

#endif
