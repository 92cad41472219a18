/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end: panics, exceptions taken from the hypervisor itself, backtraces. One CPU reports, the others are stopped;
 * then the machine restarts or stops as the command line says. Takes no locks; a fault in
 * here is noticed and cuts the report short.
 */
#include <asm/fault.h>
#include <asm/gic.h>
#include <asm/host_timer.h>
#include <asm/mm.h>
#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/ksym.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/string.h>

#define MAX_PLACES 32u

static uint32_t panicking; /* [a] 1 + the CPU that reports; 0: all is well */

static void print_place(const char *lead, uint64_t pc)
{
	char name[64];
	size_t offset;

	if (ksym_lookup(pc, &offset, name, sizeof(name)))
		log_error("%s%012llx %s+0x%zx", lead, (unsigned long long)pc, name, offset);
	else
		log_error("%s%012llx", lead, (unsigned long long)pc);
}

/* Lies a frame record within one of this CPU's stacks? */
static bool frame_readable(uint64_t fp)
{
	const struct arch_cpu *c = &this_cpu()->arch;

	if (fp & 15)
		return false;
	return (fp >= c->stack_top - STACK_SIZE && fp <= c->stack_top - 16) ||
	       (fp >= c->emergency_top - EMERGENCY_SIZE && fp <= c->emergency_top - 16);
}

static void print_repeats(unsigned n)
{
	if (n)
		log_error("  ... and %u times more", n);
}

void backtrace_from(uint64_t fp)
{
	uint64_t last = 0;
	unsigned repeats = 0, places = 0;

	/* Records lie upwards, so that the walk ends. */
	for (uint64_t below = 0; frame_readable(fp) && fp > below && places < MAX_PLACES;) {
		const uint64_t *record = (const uint64_t *)fp;

		below = fp;
		fp = record[0];
		if (!record[1])
			continue;
		if (record[1] == last) {
			repeats++;
			continue;
		}
		print_repeats(repeats);
		repeats = 0;
		last = record[1];
		/* The return address may lie behind the end of a function that never returns. */
		print_place("  by ", last - 4);
		places++;
	}
	print_repeats(repeats);
}

static NOINLINE void backtrace(void)
{
	backtrace_from((uint64_t)__builtin_frame_address(0));
}

static void print_registers(const struct fault_regs *r)
{
	log_error("  pc %016llx  sp %016llx  pstate %llx  esr %llx  far %llx",
		  (unsigned long long)r->pc, (unsigned long long)r->sp,
		  (unsigned long long)r->pstate, (unsigned long long)r->esr,
		  (unsigned long long)r->far);
	for (unsigned i = 0; i < 30; i += 3)
		log_error("  x%-2u %016llx  x%-2u %016llx  x%-2u %016llx", i,
			  (unsigned long long)r->x[i], i + 1, (unsigned long long)r->x[i + 1],
			  i + 2, (unsigned long long)r->x[i + 2]);
	log_error("  x30 %016llx", (unsigned long long)r->x[30]);
}

static void print_vcpu(const struct cpu *c)
{
	const struct vcpu *v = c->current;

	if (v && v->domain)
		log_error("  %s d%uv%u", c->idle ? "idle, loaded" : "running", v->domain->id, v->id);
	else
		log_error("  no vCPU");
}

NORETURN static void restart(void)
{
	/* Before host_timer_init() the clock stands. */
	uint32_t delay = host_timer.hz ? options.reboot_delay_ms : 0;
	uint64_t until;

	if (options.noreboot) {
		log_error("stopped (noreboot)");
		arch_machine_halt();
	}
	log_error("restarting in %u ms", delay);
	until = arch_time_ns() + (uint64_t)delay * 1000000;
	while (arch_time_ns() < until)
		arch_cpu_relax();
	arch_machine_end(false);
}

void panic_with(const struct fault_regs *r, const char *fmt, va_list ap)
{
	static char text[256];
	struct cpu *c = this_cpu();
	uint32_t nobody = 0;

	if (!atomic_cas(&panicking, &nobody, c->id + 1)) {
		if (nobody == c->id + 1) {
			/* A fault in the report itself. Once more would be one too many. */
			write_once(&panicking, ~0u);
			log_error("PANIC while reporting a panic; pc %llx",
				  r ? (unsigned long long)r->pc : 0);
			restart();
		}
		arch_machine_halt();
	}
	console_panic_mode();
	if (gic.nr_irqs)
		gic_send_sgi_others(SGI_STOP);
	vsnprint(text, sizeof(text), fmt, ap);
	log_error("PANIC on CPU %u: %s", c->id, text);
	print_vcpu(c);
	if (r) {
		print_registers(r);
		print_place("  at ", r->pc);
		/* After a jump to nowhere only x30 tells from where. */
		if (ESR_EC(r->esr) == EC_IABT)
			print_place("  by ", r->x[30] - 4);
		backtrace_from(r->x[29]);
	} else {
		backtrace();
	}
	restart();
}

void machine_unfit(const char *fmt, ...)
{
	va_list ap;

	console_panic_mode();
	va_start(ap, fmt);
	log_vline(LOG_ERROR, fmt, ap);
	va_end(ap);
	log_error("Krypton cannot run on this machine");
	restart();
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_with(NULL, fmt, ap);
}

NORETURN PRINTF(2, 3) static void fault_panic(const struct fault_regs *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_with(r, fmt, ap);
}

/* Is `va` in the page below one of the stacks? */
static bool in_guard(uint64_t va)
{
	const struct arch_cpu *c = &this_cpu()->arch;
	uint64_t low = c->stack_top - STACK_SIZE;

	return va < low && va >= low - STACK_GUARD;
}

static const char *class_name(uint64_t esr)
{
	switch (ESR_EC(esr)) {
	case EC_UNKNOWN: return "undefined instruction";
	case EC_SYSREG: return "trapped system register";
	case EC_FP: return "floating point";
	case EC_ILLEGAL: return "illegal execution state";
	case EC_IABT: return "instruction abort";
	case EC_PC_ALIGN: return "misaligned PC";
	case EC_DABT: return (esr & (1u << 6)) ? "data abort (write)" : "data abort (read)";
	case EC_SP_ALIGN: return "misaligned SP";
	case EC_BRK64: return "breakpoint";
	}
	return "unexpected exception";
}

void fault_report(struct fault_regs *r, unsigned vector)
{
	static const char *const vectors[] = { "", "interrupt", "FIQ", "SError" };

	if (vector)
		fault_panic(r, "%s inside the hypervisor, ESR %llx", vectors[vector],
			    (unsigned long long)r->esr);
	if (ESR_EC(r->esr) == EC_DABT && in_guard(r->far))
		fault_panic(r, "stack overflow");
	fault_panic(r, "%s at %llx", class_name(r->esr), (unsigned long long)r->far);
}
