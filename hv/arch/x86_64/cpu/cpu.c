/* SPDX-License-Identifier: Apache-2.0 */
/* Physical CPUs: idling, waiting for locks, and the machine's end. */
#include <arch/cpu.h>

#include <arch/timer.h>
#include <asm/apic.h>
#include <asm/insn.h>
#include <asm/machine.h>
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
