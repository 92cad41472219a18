/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's own hardware on x86-64: exceptions, local APIC, control registers. */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "guest.h"

struct regs {
	uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

#define VEC_DB  1
#define VEC_NMI 2
#define VEC_UD  6
#define VEC_DF  8
#define VEC_GP  13
#define VEC_PF  14

/* ---- exceptions: expected ones end the statement, others fail the test */
struct trap {
	uint64_t vector, error, cr2, rip;
};
extern volatile struct trap trap;
extern volatile uint64_t trap_resume, trap_stack, trap_label;
extern volatile bool trap_missed;
/* Sees each exception first; true: it was dealt with. */
extern bool (*on_exception)(struct regs *r);

/* Run an assembler statement that may trap, with OUT(outputs) and then its inputs; true when it did. */
#define TRAPS_ASM(text, outputs, ...)                                                      \
	({                                                                                 \
		trap_missed = false;                                                       \
		__asm__ volatile(                                                          \
		    "movq $1f, trap_label\n\t" text "\n\tmovb $1, trap_missed"             \
		    "\n1:\tmovq $0, trap_label" TRAP_OPERANDS(OUT(outputs), __VA_ARGS__)); \
		!trap_missed;                                                              \
	})
#define OUT(...) __VA_ARGS__
#define TRAP_OPERANDS(outputs, ...) : outputs : __VA_ARGS__ : "memory", "cc"

/* Run code in memory (ends with ret); true when it trapped. */
bool run_code(const void *code);

/* ---- registers */
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* True: #GP. */
bool try_rdmsr(uint32_t msr, uint64_t *v);
bool try_wrmsr(uint32_t msr, uint64_t v);

struct leaf {
	uint32_t eax, ebx, ecx, edx;
};
static inline struct leaf cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct leaf l;

	__asm__ volatile("cpuid"
			 : "=a"(l.eax), "=b"(l.ebx), "=c"(l.ecx), "=d"(l.edx)
			 : "a"(leaf), "c"(subleaf));
	return l;
}

#define CR_READ(n)                                                 \
	({                                                         \
		uint64_t v_;                                       \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_)); \
		v_;                                                \
	})
#define CR_WRITE(n, v) __asm__ volatile("mov %0, %%cr" #n ::"r"((uint64_t)(v)) : "memory")

/* ---- memory */
#define RAM_FAR        0x1800000ul  /* RAM that nothing lies in, with 32 MiB */
#define NOTHING        0xd0000000ul /* neither RAM nor a device */
#define GRANT_TABLE    0xc8000000ul /* place for shared pages */
/* Nothing but what is mapped and no memory; the end of the first 4 GiB; beyond what is mapped; one that wraps; not canonical; a device. */
#define WILD_POINTERS                                                                \
	0xd0000000, 0xfffffff8, 0x100000000, 0xffff800000000000, 0xfffffffffffffff8, \
	    0x00f0000000000000, 0xfee00000

static inline uint32_t mmio_read32(uint64_t a)
{
	uint32_t v;

	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(a) : "memory");
	return v;
}

/* Nothing is at `a`: it reads as ones, as on an empty bus. */
#define NOTHING_AT(a) (mmio_read32(a) == ~0u)

static inline void mmio_write32(uint64_t a, uint32_t v)
{
	__asm__ volatile("movl %0, (%1)" ::"r"(v), "r"(a) : "memory");
}

/* ---- interrupts: counted by vector; a test may look at each as it comes */
extern volatile uint32_t interrupts[256];
extern void (*on_interrupt)(unsigned vector);
#define APIC         0xfee00000ul
#define APIC_ID      0x20
#define APIC_TPR     0x80
#define APIC_EOI     0xb0
#define APIC_LDR     0xd0
#define APIC_SVR     0xf0
#define APIC_ESR     0x280
#define APIC_ICR     0x300
#define APIC_ICR2    0x310
#define APIC_TIMER   0x320
#define APIC_INITIAL 0x380
#define APIC_CURRENT 0x390
#define APIC_DIVIDE  0x3e0
void apic_on(void); /* on each vCPU */
/* To the vCPU with this number; `low` as in the interrupt command register. */
void apic_send(unsigned cpu, uint32_t low);

/* The event upcall: at this vector, counted in interrupts[]. */
#define UPCALL 0x30
void upcall_on(void);

static inline void irq_on(void)
{
	__asm__ volatile("sti; nop" ::: "memory");
}

static inline void irq_off(void)
{
	__asm__ volatile("cli" ::: "memory");
}

/* Wait for an interrupt; they are masked before and after. */
static inline void wait_interrupt(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

static inline void pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/*
 * Wait until `condition`; whether it came true. Only what does not hold waits to the end: a host that is busy with something
 * else may leave a vCPU standing for seconds while the guest's clock goes on.
 */
#define PATIENCE 30 /* seconds */
#define WAIT_FOR(condition)                                              \
	({                                                               \
		uint64_t end_ = ticks() + PATIENCE * ticks_per_second(); \
		while (!(condition) && ticks() < end_)                   \
			pause();                                         \
		(condition);                                             \
	})

/* Start vCPU `cpu` in `fn`; VCPUOP_initialise's answer, or VCPUOP_up's. When fn returns, the vCPU switches itself off. */
long cpu_start(unsigned cpu, void (*fn)(unsigned cpu));

#endif
