/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the other CPUs, one after the other: area and stacks first, then INIT and STARTUP to a page below
 * 1 MiB (MP specification 1.4, B.4), then a wait, bounded, until it says it is there.
 */
#include <arch/boot.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <asm/apic.h>
#include <asm/boot.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/trap.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/string.h>

#define START_TIMEOUT_NS 1000000000ull

extern const char trampoline[], trampoline_end[];

/* What the trampoline hands to the one CPU that is starting. */
struct cpu *starting_cpu;
uint64_t starting_cpu_stack, starting_cpu_root;
static uint32_t started; /* [a] */

void x86_cpu_start(struct cpu *c)
{
	x86_cpu_init(c);
	apic_cpu_init();
	write_once(&started, 1u);
	cpu_online(c);
	hv_enter_loop();
}

static bool start_one(uint32_t apic, uint32_t acpi, unsigned page)
{
	struct cpu *c = cpu_area_create(0);
	uint64_t until;

	if (!c || !mm_map_stacks(c->id, &c->arch)) {
		log_error("CPU with APIC id %u: no memory for its area", apic);
		return false;
	}
	c->arch.apic_id = apic;
	c->arch.acpi_id = acpi;
	starting_cpu = c;
	starting_cpu_stack = c->arch.stack_top;
	starting_cpu_root = read_cr3();
	write_once(&started, 0u);
	apic_start_cpu(apic, page);
	until = arch_time_ns() + START_TIMEOUT_NS;
	while (!read_once(&started))
		if (arch_time_ns() > until) {
			log_error("CPU %u (APIC id %u) does not start", c->id, apic);
			return false;
		}
	return true;
}

void arch_boot_cpus(void)
{
	uint32_t most = options.maxcpus ? options.maxcpus : MAX_CPUS;
	uint64_t page = x86_low_page();
	uint32_t self = apic_id();

	cpu_online(this_cpu());
	if (machine.nr_cpus < 2 || most < 2)
		return;
	if (!page) {
		log_error("no free page below 1 MiB: other CPUs are not started");
		return;
	}
	memcpy((void *)(DIRECT_BASE + page), trampoline, (size_t)(trampoline_end - trampoline));
	for (uint32_t i = 0; i < machine.nr_cpus && nr_cpus < most; i++)
		if (machine.cpu[i].apic_id != self &&
		    !start_one(machine.cpu[i].apic_id, machine.cpu[i].acpi_id,
			       (unsigned)(page >> 12)))
			break;
}
