/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a run: panics (which a test may expect), failures that the simulator found, the machine's end. */
#include "internal.h"

#include <arch/cpu.h>
#include <hv/assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void __sanitizer_print_stack_trace(void); /* of whichever sanitizer there is */

static void backtrace(void)
{
	__sanitizer_print_stack_trace();
}

static NORETURN void end_run(const char *kind, const char *fmt, va_list ap)
{
	vsnprintf(sim.panic_text, sizeof(sim.panic_text), fmt, ap);
	if (sim.expect_panic)
		engine_panic();
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", kind, sim.panic_text);
	backtrace();
	fprintf(stderr, "replay with SIM_SEED=%llu (cpu%u, %llu ns, step %llu)\n",
		(unsigned long long)sim.seed, sim_cpu_now() ? sim_cpu_now()->id : 0,
		(unsigned long long)sim.now, (unsigned long long)sim.steps);
	abort();
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_run("panic", fmt, ap);
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_run("sim", fmt, ap);
}

const char *sim_expect_panic(void (*fn)(void *arg), void *arg)
{
	sim.expect_panic = true;
	sim.panic_text[0] = '\0';
	if (setjmp(sim.panic_jmp) == 0) {
		fn(arg);
		sim.expect_panic = false;
		return NULL;
	}
	sim.expect_panic = false;
	return sim.panic_text;
}

static NORETURN void stop(enum sim_end end)
{
	write_once(&sim.end, end);
	if (!sim.running)
		sim_fail("the machine was ended outside sim_run()");
	/* The CPU stays where it is; the run ends. */
	for (;;)
		engine_park();
}

void arch_machine_end(bool off)
{
	stop(off ? SIM_POWER_OFF : SIM_RESET);
}

void arch_machine_halt(void)
{
	stop(SIM_HALTED);
}

enum sim_end sim_ended(void)
{
	return sim.end;
}
