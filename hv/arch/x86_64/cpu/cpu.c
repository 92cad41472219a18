/* SPDX-License-Identifier: Apache-2.0 */
/* Physical CPUs: idling, waiting for locks, barriers against speculation, and the machine's end. */
#include <arch/cpu.h>

#include <arch/timer.h>
#include <asm/apic.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/softirq.h>

void arch_cpu_idle(void)
{
	/* The mode was stored before this load; whoever raises a softirq does it the other way round. */
	atomic_fence();
	if (softirq_pending())
		return;
	/* STI takes effect after HLT has begun: an interrupt in between ends it (APM vol. 3). */
	interrupt_window("hlt");
}

static void power_off(void)
{
	if (!machine.has_fixed || !machine.fixed.pm1a_control)
		return;
	/* SLP_TYP of S5 is in AML, which dom0 reads: it tells us when it writes PM1 itself. QEMU and most PCs use 0 or 5. */
	outw(machine.fixed.pm1a_control, machine.sleep_off << 10 | 1u << 13);
	if (machine.fixed.pm1b_control)
		outw(machine.fixed.pm1b_control, machine.sleep_off << 10 | 1u << 13);
}

static void reset(void)
{
	const struct acpi_address *r = &machine.fixed.reset;

	if (machine.has_fixed && r->address && r->space == ACPI_SPACE_IO)
		outb((uint16_t)r->address, machine.fixed.reset_value);
	outb(0xcf9, 0x02); /* chipset reset register, where there is one */
	outb(0xcf9, 0x06);
	for (unsigned i = 0; i < 100000 && (inb(0x64) & 2); i++)
		;
	outb(0x64, 0xfe); /* keyboard controller */
}

void arch_machine_end(bool off)
{
	if (off)
		power_off();
	else
		reset();
	log_error("the machine does not %s: it is safe to switch it off",
		  off ? "power off" : "reset");
	arch_machine_halt();
}

void arch_machine_halt(void)
{
	irq_disable();
	for (;;)
		__asm__ volatile("hlt");
}

void arch_lock_wait(const uint16_t *owner, uint16_t ticket)
{
	arch_cpu_relax();
}

void arch_lock_released(void) {}

/* ---- speculation ------------------------------------------------------------------------------------ */

struct x86_speculation x86_speculation;

BOOT_TEXT void x86_speculation_boot_init(void)
{
	uint32_t last = cpuid(0x80000000, 0).eax;
	struct x86_identity id = {
		.signature = cpuid(1, 0).eax,
		.features = cpuid(1, 0).ecx,
		.controls = last >= 0x80000008 ? cpuid(0x80000008, 0).ebx : 0,
		.svm = last >= 0x8000000a ? cpuid(0x8000000a, 0).edx : 0,
		.features2 = last >= 0x80000021 ? cpuid(0x80000021, 0).eax : 0,
	};
	struct cpuid below = cpuid(0x40000000, 0);
	char line[241];

	id.below[0] = below.ebx;
	id.below[1] = below.ecx;
	id.below[2] = below.edx;
	x86_speculation_choose(&id, options.spec_ctrl, &x86_speculation);
	x86_speculation_describe(&id, &x86_speculation, line, sizeof(line));
	log_info("speculation: %s", line);
}

void x86_speculation_cpu_init(void)
{
	const struct x86_speculation *s = &x86_speculation;

	if (s->lfence == LFENCE_SET && !(rdmsr(MSR_DE_CFG) & DE_CFG_LFENCE))
		wrmsr(MSR_DE_CFG, rdmsr(MSR_DE_CFG) | DE_CFG_LFENCE);
	if (s->automatic_ibrs)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE);
	if (s->spec_ctrl)
		wrmsr(MSR_SPEC_CTRL, s->spec_ctrl);
}

void x86_predictors_of(uint64_t tag)
{
	struct cpu *c = this_cpu();

	if (c->arch.predictors_of == tag)
		return;
	c->arch.predictors_of = tag;
	wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
}
