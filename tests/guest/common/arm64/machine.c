/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <xen/hvm/params.h>
#include <xen/sched.h>

struct trap trap;
void (*on_program_end)(uint64_t unused, uint64_t sp);
volatile uint32_t interrupts[1024];
void (*on_interrupt)(uint32_t intid);

static void (*volatile start_fn[MAX_GUEST_CPUS])(unsigned cpu);
extern char secondary[];

void guest_start(void);
void guest_secondary(unsigned cpu);
void guest_trap(struct regs *r, uint64_t kind);
void guest_interrupt(struct regs *r, uint64_t kind);

void machine_stop(void)
{
	/* The vCPUs stop; the domain stays, so that its last output is read before it goes. */
	irq_off();
	for (;;)
		psci(PSCI_CPU_OFF, 0, 0, 0);
}

void guest_start(void)
{
	guest_test();
	print("GUEST-TEST PASS\n");
	machine_stop();
}

void guest_secondary(unsigned cpu)
{
	start_fn[cpu](cpu);
	psci(PSCI_CPU_OFF, 0, 0, 0);
	fail("CPU_OFF does not return", cpu, 0);
}

long cpu_start(unsigned cpu, void (*fn)(unsigned cpu))
{
	start_fn[cpu] = fn;
	return psci(PSCI_CPU_ON, cpu, (unsigned long)secondary, cpu);
}

void guest_trap(struct regs *r, uint64_t kind)
{
	trap.esr = reg_read("esr_el1");
	trap.far = reg_read("far_el1");
	trap.pc = r->pc;
	if (kind == 0 && trap.expected) {
		trap.expected = false;
		trap.taken = true;
		r->pc += 4;
		return;
	}
	if (kind == 5 && on_program_end)
		on_program_end(0, (uint64_t)r + 272);
	print("exception at ");
	print_hex(r->pc);
	print(" far ");
	print_hex(trap.far);
	print("\n");
	fail("no unexpected exception (kind in the low byte, ESR above)", trap.esr << 8 | kind, 0);
}

void guest_interrupt(struct regs *r, uint64_t kind)
{
	uint32_t intid = (uint32_t)reg_read(ICC_IAR1);

	if (intid >= 1020)
		return;
	__atomic_add_fetch(&interrupts[intid], 1, __ATOMIC_SEQ_CST);
	if (on_interrupt)
		on_interrupt(intid);
	reg_write(ICC_EOIR1, intid);
}

static uint64_t sgi_frame(void)
{
	uint64_t cpu = reg_read("mpidr_el1") & 0xff;

	return GUEST_GICV3_GICR0_BASE + cpu * 0x20000 + 0x10000;
}

void gic_init(void)
{
	uint64_t frame = sgi_frame();

	mmio_write32(GUEST_GICV3_GICD_BASE, 0x12); /* ARE, group 1 */
	mmio_write32(frame - 0x10000 + 0x14, 0);   /* GICR_WAKER */
	for (unsigned i = 0; i < 32; i += 4)
		mmio_write32(frame + 0x400 + i, 0xa0a0a0a0);
	mmio_write32(frame + 0x100, 0xffff); /* SGIs */
	reg_write(ICC_SRE, 7);
	reg_write(ICC_PMR, 0xff);
	reg_write(ICC_IGRPEN1, 1);
}

static uint64_t frame_of(uint32_t intid)
{
	return intid < 32 ? sgi_frame() : GUEST_GICV3_GICD_BASE;
}

void gic_enable(uint32_t intid)
{
	mmio_write32(frame_of(intid) + 0x100 + intid / 32 * 4, 1u << (intid % 32));
}

void gic_disable(uint32_t intid)
{
	mmio_write32(frame_of(intid) + 0x180 + intid / 32 * 4, 1u << (intid % 32));
}

void send_sgi(unsigned cpu, unsigned sgi)
{
	__asm__ volatile("dsb ish" ::: "memory");
	reg_write(ICC_SGI1R, (uint64_t)sgi << 24 | 1ul << cpu);
}

uint64_t ticks(void)
{
	__asm__ volatile("isb" ::: "memory");
	return reg_read("cntvct_el0");
}

uint64_t ticks_per_second(void)
{
	return reg_read("cntfrq_el0");
}
