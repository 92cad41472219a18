/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical CPUs: starting the secondary ones, kicking, idling, waiting for locks, and the machine's end.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/timer.h>
#include <asm/fault.h>
#include <asm/gic.h>
#include <asm/host_timer.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/psci_host.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/assert.h>
#include <hv/fdt.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/softirq.h>
#include <hv/string.h>

/* ---- what core asks ------------------------------------------------------------------------------- */

void arch_cpu_kick(struct cpu *c)
{
	gic_send_sgi(c, SGI_KICK);
}

void arch_cpu_idle(void)
{
	/* The mode was stored before this load; whoever raises a softirq does it the other way round. */
	dmb(ish);
	if (softirq_pending())
		return;
	dsb(sy);
	/* An interrupt ends it although it is masked, also one that is pending already. */
	wfi();
	/* RCU left this CPU alone so far: no handler may read before that has changed. */
	write_once(&this_cpu()->mode, CPU_HYPERVISOR);
	dmb(ish);
	irq_interrupt();
}

void arch_lock_wait(const uint16_t *owner, uint16_t ticket)
{
	uint32_t now;

	/* The load arms the monitor: the release of the lock, a store to the same place, ends the WFE. */
	__asm__ volatile("ldaxrh %w0, %1" : "=r"(now) : "Q"(*owner) : "memory");
	if (now != ticket)
		wfe();
}

void arch_lock_released(void) {}

void arch_flush_local(void) {}

void arch_machine_end(bool off)
{
	if (off)
		psci_system_off();
	else
		psci_system_reset();
	log_error("the firmware cannot %s the machine: it is safe to switch it off",
		  off ? "power off" : "reset");
	arch_machine_halt();
}

void arch_machine_halt(void)
{
	if (gic.nr_irqs)
		gic_send_sgi_others(SGI_STOP);
	for (;;)
		wfi();
}

/* ---- speculation --------------------------------------------------------------------------------- */

extern const char vectors[], vectors_firmware[], vectors_loop[], vectors_clear[];

/* bp-hardening=: the least that the option asks for. */
static BOOT_TEXT void apply_option(struct speculation *s)
{
	if (!strcmp(options.bp_hardening, "off"))
		s->how = HARDEN_NONE;
	else if (!strcmp(options.bp_hardening, "loop"))
		*s = (struct speculation){ .how = HARDEN_LOOP,
					   .loops = MAX(s->loops, 32u),
					   .speculative_at = s->speculative_at };
	else if (strcmp(options.bp_hardening, "auto") != 0)
		log_warning("bp-hardening=%s: unknown, taken as auto", options.bp_hardening);
}

static BOOT_TEXT void report(const struct cpu *c, const struct speculation *s)
{
	static const char *last; /* CPUs come up one after the other */
	const char *text = s->how == HARDEN_FIRMWARE ? "the firmware at each exit"
			   : s->how == HARDEN_LOOP   ? "a loop of branches at each exit"
			   : s->how == HARDEN_CLEAR  ? "CLRBHB at each exit"
			   : s->exposed ? "NOTHING: the CPU needs a firmware that helps"
					: "nothing needed";

	if (text != last)
		log_info("CPU %u: against branch prediction by guests: %s%s", c->id, text,
			 s->speculative_at ? "; speculative AT is held off at switches" : "");
	last = text;
}

BOOT_TEXT void speculation_cpu_init(struct cpu *c)
{
	struct cpu_identity id = {
		.midr = sysreg_read(midr_el1),
		.pfr0 = sysreg_read(id_aa64pfr0_el1),
		.mmfr1 = sysreg_read(id_aa64mmfr1_el1),
		.isar2 = sysreg_read(s3_0_c0_c6_2),
		.workaround_1 = smccc_arch_features(SMCCC_WORKAROUND_1),
		.workaround_3 = smccc_arch_features(SMCCC_WORKAROUND_3),
	};
	const char *table = vectors;
	struct speculation s;

	speculation_choose(&id, &s);
	apply_option(&s);
	switch (s.how) {
	case HARDEN_FIRMWARE: table = vectors_firmware; break;
	case HARDEN_LOOP: table = vectors_loop; break;
	case HARDEN_CLEAR: table = vectors_clear; break;
	default: break;
	}
	c->arch.firmware_call = s.function;
	c->arch.history_loops = s.loops;
	sysreg_write(vbar_el2, (uint64_t)table);
	isb();
	if (s.speculative_at)
		vcpu_speculative_at();
	report(c, &s);
}

bool speculation_calls(uint32_t function)
{
	uint32_t ours = this_cpu()->arch.firmware_call;

	/* The larger call does what the smaller one does. */
	return ours && (ours == function || ours == SMCCC_WORKAROUND_3) &&
	       (function == SMCCC_WORKAROUND_1 || function == SMCCC_WORKAROUND_3);
}

/* ---- secondary CPUs --------------------------------------------------------------------------------- */

/* On each CPU: everything of it that no other CPU can set up. False: logged. */
bool cpu_setup_self(struct cpu *c)
{
	sysreg_write(hcr_el2, HCR_HOST);
	isb();
	if (!gic_cpu_init(c))
		return false;
	host_timer_cpu_init();
	guest_cpu_init();
	speculation_cpu_init(c);
	return true;
}

void secondary_main(struct cpu *c)
{
	if (!cpu_setup_self(c))
		for (;;)
			wfi();
	cpu_online(c);
	vcpu_enter(hv_exit_path());
}

/* How long a CPU may take from CPU_ON to cpu_online(). */
#define START_TIMEOUT_NS 2000000000ull

static BOOT_TEXT void start_cpu(const void *fdt, int node, uint64_t mpidr)
{
	struct cpu *c = cpu_area_create(0);
	uint64_t until;
	int64_t err;

	if (!c || !mm_map_stacks(c->id, &c->arch.stack_top, &c->arch.emergency_top)) {
		log_error("%s: no memory for another CPU", dt_path(fdt, node));
		return;
	}
	c->arch.mpidr = mpidr;
	/* The CPU reads with its MMU on; all it gets before is in registers. */
	dsb(sy);
	err = psci_cpu_on(mpidr, image_to_machine(secondary_start), (uint64_t)c);
	if (err) {
		log_error("%s: the firmware does not start the CPU (PSCI error %lld)",
			  dt_path(fdt, node), (long long)err);
		return;
	}
	until = arch_time_ns() + START_TIMEOUT_NS;
	while (read_once(&c->mode) == CPU_OFFLINE || !cpuset_has(&cpus_online, c->id)) {
		if (arch_time_ns() > until) {
			log_error("%s: the CPU does not come up", dt_path(fdt, node));
			return;
		}
		arch_cpu_relax();
		__asm__ volatile("" ::: "memory");
	}
}

BOOT_TEXT void arch_boot_cpus(void)
{
	const void *fdt = boot_info.fdt;
	uint64_t mpidr, size;

	cpu_online(this_cpu());
	for (int node = dt_next_cpu(fdt, DT_ROOT); node >= 0; node = dt_next_cpu(fdt, node)) {
		if (dt_reg_raw(fdt, node, 0, &mpidr, &size) != DT_OK) {
			log_error("%s: a CPU without reg", dt_path(fdt, node));
			continue;
		}
		mpidr &= MPIDR_AFFINITY;
		if (mpidr == this_cpu()->arch.mpidr)
			continue;
		if (options.maxcpus && nr_cpus >= options.maxcpus)
			break;
		if (nr_cpus >= MAX_CPUS) {
			log_warning("more than %u CPUs: the rest stays off", MAX_CPUS);
			break;
		}
		start_cpu(fdt, node, mpidr);
	}
}
