/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One physical x86 CPU. The GS base holds the address of its struct cpu, whose first field points to itself; guests
 * have the GS base of their own, saved and loaded around each entry.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* APM vol. 2, 12.2.5. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST1 is ist[0] */
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

struct arch_cpu {
	struct cpu *self;   /* [c] what %gs:0 is read for */
	uint64_t stack_top; /* [c] where C code starts after an exit */
	uint32_t apic_id;   /* [c] */
	uint32_t acpi_id;   /* [c] */
	uint64_t gdt[8];    /* [c] */
	struct tss tss;     /* [c] */
	uint64_t host_vmcb; /* [c] SVM: machine address of the block that keeps our own FS, GS, TR */
	uint32_t entries; /* [a] times this CPU entered a guest: whoever waits for it to leave looks */
	uint32_t next_asid;       /* [own] address-space tags of this CPU's TLB */
	uint64_t asid_generation; /* [own] */
	uint64_t predictors_of; /* [own] tag of the domain that last trained branch predictors here; 0: nobody */
};

/* A CPU never changes under running code, so the compiler may read the field once. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__("movq %%gs:0, %0" : "=r"(c));
	return c;
}

static inline void arch_cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
