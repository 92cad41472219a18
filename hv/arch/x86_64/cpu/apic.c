/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local APIC: kicks, the timer's interrupt and starting CPUs. x2APIC is used when firmware left it on or the CPU has it; the register
 * numbers are the same, a sixteenth of the offset (APM vol. 2, 16.9). Each CPU touches only its own.
 */
#include <asm/apic.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <asm/insn.h>
#include <asm/mm.h>
#include <asm/msr.h>
#include <asm/trap.h>
#include <hv/log.h>
#include <hv/timer.h>

#define APIC_ID        0x020
#define APIC_EOI       0x0b0
#define APIC_SVR       0x0f0
#define SVR_ENABLE     (1u << 8)
#define APIC_ESR       0x280
#define APIC_ICR       0x300
#define APIC_ICR_HIGH  0x310
#define ICR_PENDING    (1u << 12)
#define ICR_INIT       0x00004500u
#define ICR_STARTUP    0x00004600u
#define ICR_NMI_OTHERS 0x000c4400u
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define LVT_MASKED     (1u << 16)
#define LVT_NMI        0x400u
#define APIC_INITIAL   0x380
#define APIC_CURRENT   0x390
#define APIC_DIVIDE    0x3e0
#define DIVIDE_BY_1    0xbu

static bool x2apic;            /* [c] */
static volatile uint8_t *regs; /* [c] xAPIC */

static uint32_t reg_read(unsigned r)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + r / 16) : *(volatile uint32_t *)(regs + r);
}

static void reg_write(unsigned r, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + r / 16, v);
	else
		*(volatile uint32_t *)(regs + r) = v;
}

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	x2apic = (cpuid(1, 0).ecx & BIT(21)) != 0;
	if (!x2apic)
		regs = mm_map_device(base & PTE_ADDRESS, PAGE_SIZE);
}

void apic_cpu_init(void)
{
	wrmsr(MSR_APIC_BASE,
	      rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0));
	reg_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	reg_write(APIC_LVT_LINT0, LVT_MASKED);
	reg_write(APIC_LVT_LINT1, LVT_NMI);
	reg_write(APIC_LVT_ERROR, VEC_ERROR);
	reg_write(APIC_DIVIDE, DIVIDE_BY_1);
	reg_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
	reg_write(APIC_LVT_TIMER, VEC_TIMER);
}

uint32_t apic_id(void)
{
	return x2apic ? reg_read(APIC_ID) : reg_read(APIC_ID) >> 24;
}

void apic_eoi(void)
{
	reg_write(APIC_EOI, 0);
}

static void icr_write(uint32_t target, uint32_t low)
{
	if (x2apic) {
		atomic_fence(); /* the write is not ordered behind earlier stores (SDM vol. 3, 10.12.3) */
		wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)target << 32 | low);
		return;
	}
	while (reg_read(APIC_ICR) & ICR_PENDING)
		arch_cpu_relax();
	reg_write(APIC_ICR_HIGH, target << 24);
	reg_write(APIC_ICR, low);
}

void apic_send(uint32_t target, unsigned vector)
{
	icr_write(target, 0x4000 | vector);
}

void apic_stop_others(void)
{
	if (x2apic || regs)
		icr_write(0, ICR_NMI_OTHERS);
}

static void wait_ns(uint64_t ns)
{
	uint64_t until = arch_time_ns() + ns;

	while (arch_time_ns() < until)
		arch_cpu_relax();
}

void apic_start_cpu(uint32_t target, unsigned page)
{
	icr_write(target, ICR_INIT);
	wait_ns(10000000);
	for (unsigned i = 0; i < 2; i++) {
		icr_write(target, ICR_STARTUP | page);
		wait_ns(200000);
	}
}

void apic_timer_set(uint32_t ticks)
{
	reg_write(APIC_INITIAL, ticks);
}

uint32_t apic_timer_left(void)
{
	return reg_read(APIC_CURRENT);
}

void arch_cpu_kick(struct cpu *c)
{
	apic_send(c->arch.apic_id, VEC_KICK);
}

void apic_interrupt(unsigned vector)
{
	/* It may have ended idling: RCU does not wait for idle CPUs, so be seen before anything is read. */
	write_once(&this_cpu()->mode, (uint32_t)CPU_HYPERVISOR);
	atomic_fence();
	if (likely(vector == VEC_TIMER)) {
		apic_eoi();
		timers_run();
		return;
	}
	switch (vector) {
	case VEC_SPURIOUS: return; /* not to be acknowledged */
	case VEC_KICK: break;      /* the exit path looks at the softirqs */
	case VEC_ERROR:
		reg_write(APIC_ESR, 0);
		log_warning("CPU %u: local APIC error %x", this_cpu()->id, reg_read(APIC_ESR));
		break;
	default: irq_handle(vector); break;
	}
	apic_eoi();
}
