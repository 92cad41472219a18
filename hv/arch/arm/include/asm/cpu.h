/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One physical Arm CPU. TPIDR_EL2 holds the address of its struct cpu, from the first C function
 * on. A CPU has two stacks, each with an unmapped page below: the one it works on, and one that
 * only exceptions from EL2 itself use, so that a panic works whatever became of the first.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

struct arch_cpu {
	uint64_t stack_top; /* [c] SP in C code; entry.S loads it at each exception of a guest */
	uint64_t emergency_top; /* [c] SP after an exception from EL2 */
	uint64_t mpidr;         /* [c] affinity fields of MPIDR_EL1 */
	uint64_t sgi_target;    /* [c] ICC_SGI1R_EL1 without the SGI's number */
	volatile uint8_t *gicr; /* [c] its redistributor's frames */
	/* [c] for its vector table (asm/speculation.h): the call to make, the branches to take at each exit */
	uint32_t firmware_call, history_loops;
};

/* A CPU never changes under running code, so the compiler may read the register once. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__("mrs %0, tpidr_el2" : "=r"(c));
	return c;
}

static inline void arch_cpu_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}

#endif
