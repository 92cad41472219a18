/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated CPU: which one runs is the simulator's choice (hv/arch/host). */
#ifndef ASM_CPU_H
#define ASM_CPU_H

struct cpu;
struct sim_cpu;

struct arch_cpu {
	struct sim_cpu *sim; /* [c] the simulator's side of it */
};

/* The CPU that is being simulated now; NULL before sim_boot(). A call, because it changes under running code. */
struct cpu *this_cpu(void);
/* A point where another CPU may run; waiting loops and lock_take() call it. */
void arch_cpu_relax(void);

#endif
