/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end: panics and exceptions of the hypervisor itself, with registers and backtrace. One CPU reports, the others are stopped by
 * an NMI, which they take as a panic of their own and find that there is one already. Takes no locks; a fault in here is noticed and cuts the
 * report short.
 */
#include <arch/cpu.h>
#include <arch/timer.h>
#include <asm/apic.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/trap.h>
#include <hv/assert.h>
#include <hv/console.h>
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
		log_error("%s%016llx %s+0x%zx", lead, (unsigned long long)pc, name, offset);
	else
		log_error("%s%016llx", lead, (unsigned long long)pc);
}

/* Lies a frame record within this CPU's stacks, or the boot stack? */
static bool frame_readable(uint64_t fp)
{
	const struct arch_cpu *c = &this_cpu()->arch;
	uint64_t slot = STACK_AREA_BASE + this_cpu()->id * (uint64_t)STACK_SLOT_SIZE;

	if (fp & 7)
		return false;
	if (fp >= (uint64_t)_constants_end && fp <= (uint64_t)_end - 16)
		return true;
	return c->stack_top &&
	       ((fp >= slot + STACK_PAGE * PAGE_SIZE && fp <= c->stack_top - 16) ||
		(fp >= slot + DF_PAGE * PAGE_SIZE && fp <= c->tss.ist[IST_DF - 1] - 16));
}

static void backtrace_from(uint64_t fp)
{
	unsigned places = 0;

	/* Records lie upwards, so that the walk ends. */
	for (uint64_t below = 0; frame_readable(fp) && fp > below && places < MAX_PLACES; places++) {
		const uint64_t *record = (const uint64_t *)fp;

		below = fp;
		fp = record[0];
		if (!record[1])
			break;
		print_place("  by ", record[1] - 1);
	}
}

static NOINLINE void backtrace(void)
{
	backtrace_from((uint64_t)__builtin_frame_address(0));
}

static void print_registers(const struct trap_frame *f)
{
	log_error("  rip %016llx  rsp %016llx  rflags %llx", (unsigned long long)f->rip,
		  (unsigned long long)f->rsp, (unsigned long long)f->rflags);
	log_error("  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx",
		  (unsigned long long)f->rax, (unsigned long long)f->rbx,
		  (unsigned long long)f->rcx, (unsigned long long)f->rdx);
	log_error("  rsi %016llx  rdi %016llx  rbp %016llx  r8  %016llx",
		  (unsigned long long)f->rsi, (unsigned long long)f->rdi,
		  (unsigned long long)f->rbp, (unsigned long long)f->r8);
	log_error("  r9  %016llx  r10 %016llx  r11 %016llx  r12 %016llx", (unsigned long long)f->r9,
		  (unsigned long long)f->r10, (unsigned long long)f->r11,
		  (unsigned long long)f->r12);
	log_error("  r13 %016llx  r14 %016llx  r15 %016llx", (unsigned long long)f->r13,
		  (unsigned long long)f->r14, (unsigned long long)f->r15);
}

NORETURN static void restart(void)
{
	uint64_t until;

	if (options.noreboot) {
		log_error("stopped (noreboot)");
		arch_machine_halt();
	}
	log_error("restarting in %u ms", options.reboot_delay_ms);
	until = arch_time_ns() + (uint64_t)options.reboot_delay_ms * 1000000;
	while (tsc_hz && arch_time_ns() < until)
		arch_cpu_relax();
	arch_machine_end(false);
}

NORETURN static void panic_with(const struct trap_frame *f, const char *fmt, va_list ap)
{
	static char text[256];
	struct cpu *c = this_cpu();
	const struct vcpu *v = c->current;
	uint32_t nobody = 0;

	if (!atomic_cas(&panicking, &nobody, c->id + 1)) {
		if (nobody == c->id + 1) {
			write_once(&panicking, ~0u);
			log_error("PANIC while reporting a panic");
			restart();
		}
		arch_machine_halt();
	}
	console_panic_mode();
	apic_stop_others();
	vsnprint(text, sizeof(text), fmt, ap);
	log_error("PANIC on CPU %u: %s", c->id, text);
	if (v && v->domain)
		log_error("  %s d%uv%u", c->idle ? "idle, loaded" : "running", v->domain->id, v->id);
	if (f) {
		print_registers(f);
		print_place("  at ", f->rip);
		backtrace_from(f->rbp);
	} else {
		backtrace();
	}
	restart();
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_with(NULL, fmt, ap);
}

void fault_panic(const struct trap_frame *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_with(f, fmt, ap);
}
