/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions and interrupts taken by the hypervisor itself (cpu/entry.S, cpu/exceptions.c). */
#ifndef ASM_TRAP_H
#define ASM_TRAP_H

#include <hv/compiler.h>

/* As entry.S pushes it; the processor's part (APM vol. 2, 8.9) comes last. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "entry.S pushes this");

#define VEC_NMI          2
#define VEC_DF           8
#define VEC_GP           13
#define VEC_PF           14
#define VEC_MC           18
#define NR_EXCEPTIONS    32
/* Interrupts of the hypervisor's own, from the top; devices' lie below. */
#define VEC_FIRST_DEVICE 0x30
#define VEC_LAST_DEVICE  0xef
#define VEC_TIMER        0xf0
#define VEC_KICK         0xf1
#define VEC_ERROR        0xfe
#define VEC_SPURIOUS     0xff

/* This CPU's GDT, TSS and IDT, and the GS base. Its stacks must exist. */
struct cpu;
void traps_cpu_init(struct cpu *c);

/* A device's interrupt arrived (irq.c); acknowledged by the caller. */
void irq_handle(unsigned vector);

/* Machine checks (cpu/mcheck.c): have them reported on the calling CPU, whose IDT is there; what its banks hold, before a panic. */
void mcheck_cpu_init(void);
void mcheck_report(void);

/* Called by entry.S for vectors below NR_EXCEPTIONS; the others go to apic_interrupt(). */
void trap(struct trap_frame *f);

/* An exception of the hypervisor's own (cpu/panic.c). */
NORETURN void fault_panic(const struct trap_frame *f, const char *fmt, ...) PRINTF(2, 3);

/* rdmsr and wrmsr that report #GP instead of taking it. */
MUST_USE bool rdmsr_safe(uint32_t msr, uint64_t *value);
MUST_USE bool wrmsr_safe(uint32_t msr, uint64_t value);

#endif
