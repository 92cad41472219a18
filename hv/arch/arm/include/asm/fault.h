/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions taken from the hypervisor itself, and panics. */
#ifndef ASM_FAULT_H
#define ASM_FAULT_H

#include <stdarg.h>
#include <hv/compiler.h>

/* Written by entry.S, which knows the order. */
struct fault_regs {
	uint64_t x[31];
	uint64_t sp, pc, pstate, esr, far;
};

/* entry.S: vector 0 sync, 1 IRQ, 2 FIQ, 3 SError. On the emergency stack. */
NORETURN void fault_report(struct fault_regs *r, unsigned vector);

/* panic() when the registers are known (or NULL). */
NORETURN void panic_with(const struct fault_regs *r, const char *fmt, va_list ap);

/* The machine lacks what cannot be done without, or its description is bad: one line, no backtrace. */
NORETURN void machine_unfit(const char *fmt, ...) PRINTF(1, 2);

/* One line for each caller, from the frame record at `fp` up. */
void backtrace_from(uint64_t fp);

/*
 * Takes an SError that is pending now and says whether there was one: at a vCPU switch, for the vCPU
 * just left (its SP_EL0 and TPIDR_EL0 must be saved already). entry.S.
 */
MUST_USE bool serror_sync_window(void);

/* Enter the vCPU that is loaded on this CPU. entry.S. */
struct vcpu;
NORETURN void vcpu_enter(struct vcpu *v);

#endif
