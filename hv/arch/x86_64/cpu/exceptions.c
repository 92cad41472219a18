/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions of the hypervisor itself, and the tables that lead to them. Every exception is our own bug, reported with registers
 * and backtrace, but for the two MSR probes; NMI, #MC and #DF have stacks of their own, so that a report is
 * possible whatever became of the others.
 */
#include <asm/trap.h>

#include <arch/cpu.h>
#include <asm/apic.h>
#include <asm/insn.h>
#include <asm/mm.h>
#include <asm/msr.h>
#include <hv/cpu.h>

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "APM vol. 2, 4.8.4");

#define GATE_INTERRUPT 0x8e
#define STUB_SIZE      16

extern char trap_stubs[], msr_read[], msr_write[], msr_failed[];

static struct gate idt[256] ALIGNED(4096);

struct PACKED table_register {
	uint16_t limit;
	uint64_t base;
};

static void fill_idt(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(idt); i++) {
		uint64_t at = (uint64_t)trap_stubs + i * STUB_SIZE;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)at,
			.selector = SEL_CODE,
			.ist = i == VEC_NMI  ? IST_NMI
			       : i == VEC_MC ? IST_MC
			       : i == VEC_DF ? IST_DF
					     : 0,
			.type = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(at >> 16),
			.offset_high = (uint32_t)(at >> 32),
		};
	}
}

void traps_cpu_init(struct cpu *c)
{
	struct arch_cpu *a = &c->arch;
	uint64_t tss = (uint64_t)&a->tss;
	struct table_register gdtr = { sizeof(a->gdt) - 1, (uint64_t)a->gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uint64_t)idt };

	if (c->id == 0)
		fill_idt();
	a->self = c;
	a->tss.rsp[0] = a->stack_top;
	a->tss.io_map = sizeof(struct tss);
	a->gdt[SEL_CODE / 8] = 0x00af9b000000ffff;
	a->gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	a->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
			      (tss >> 24 & 0xff) << 56;
	a->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	__asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2"
			 :
			 : "m"(gdtr), "m"(idtr), "r"(SEL_TSS)
			 : "memory");
	wrmsr(MSR_GS_BASE, (uint64_t)c);
}

/* ---- reports -------------------------------------------------------------------------------------- */

static const char *exception_name(uint64_t vector)
{
	static const char *const names[NR_EXCEPTIONS] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",   "#TS",
		"#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XF", "#VE", "#CP",
	};

	return vector < NR_EXCEPTIONS && names[vector] ? names[vector] : "?";
}

void trap(struct trap_frame *f)
{
	if (f->vector == VEC_GP && (f->rip == (uint64_t)msr_read || f->rip == (uint64_t)msr_write)) {
		f->rip = (uint64_t)msr_failed;
		return;
	}
	if (f->vector == VEC_MC) {
		mcheck_report();
		fault_panic(f, "machine check");
	}
	fault_panic(f, "exception %s, error %llx, cr2 %llx", exception_name(f->vector),
		    (unsigned long long)f->error, (unsigned long long)read_cr2());
}
