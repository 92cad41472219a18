/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What core asks of the physical CPUs. <asm/cpu.h> gives struct arch_cpu, this_cpu() (inline, a
 * register read) and arch_cpu_relax() (inline, for waiting loops).
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <hv/cpu.h>

/*
 * Make `c` leave guest mode or idle soon and look at its softirqs. Asynchronous, may be lost only if `c` is
 * in the hypervisor already. Any context.
 */
void arch_cpu_kick(struct cpu *c);

/*
 * Wait until an interrupt is pending for this CPU and handle it. Called in idle with nothing to do and
 * mode CPU_IDLE set; must return at once when a softirq was raised in between.
 */
void arch_cpu_idle(void);

/* Waiting for lock `l` until `ticket` is served; returns now and then. Host: switch to another CPU. */
void arch_lock_wait(const uint16_t *owner, uint16_t ticket);
/* A lock was released: wake waiters (SEV where waiting sleeps). Host: a switch point. */
void arch_lock_released(void);

/* Drop second-stage translations that other CPUs asked this one to drop (SOFTIRQ_FLUSH). Empty on Arm. */
void arch_flush_local(void);

/* The machine's end. `off`: power, otherwise reset. */
NORETURN void arch_machine_end(bool off);
/* Stop this CPU for good, the others as far as they can be reached. After a panic with noreboot. */
NORETURN void arch_machine_halt(void);

#endif
