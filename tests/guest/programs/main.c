/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's programs (EL0) do ends at the guest's own kernel: waiting, registers that are hidden, calls
 * that are not theirs, devices that are mapped for them and addresses with nothing behind.
 */
#include "machine.h"

/* The first two GiB once more from 256 GiB on, for programs: they read and execute, nothing else. */
#define ALIAS     0x4000000000ul
#define FOR_EL0   0xc0u /* AP: read-only, EL0 too */

#define SVC       0x15
#define ABORT_EL0 0x24

extern char program_wfi[], program_wfe[], program_pmu[], program_debug[], program_timer[],
    program_smc[], program_hvc[], program_device[], program_nothing[];
uint64_t enter_program(uint64_t pc);
void program_ended(uint64_t unused, uint64_t sp);

/* Not inlined: symbol + ALIAS would become an absolute address, and the image is not where it was linked. */
static __attribute__((noinline)) unsigned run(const char *program)
{
	return EC(enter_program((uint64_t)program + ALIAS));
}

void guest_test(void)
{
	uint64_t *table = (uint64_t *)reg_read("ttbr0_el1");

	table[256] = 0x401 | FOR_EL0;
	table[257] = (1ul << 30) | 0x705 | FOR_EL0;
	__asm__ volatile("dsb ish; tlbi vmalle1; dsb ish; isb" ::: "memory");
	reg_write("sctlr_el1", reg_read("sctlr_el1") | 1ul << 16 | 1ul << 18); /* nTWI, nTWE */
	reg_write("cntkctl_el1", 0x303); /* timers and counters for programs */

	on_program_end = program_ended;
	gic_init();
	send_sgi(0, 1); /* what WFI waits for */
	CHECK(run(program_wfi), SVC, "WFI ends");
	CHECK(run(program_wfe), SVC, "WFE ends");
	CHECK(run(program_timer), SVC, "a program may read the timer that it was given");
	CHECK(run(program_pmu), 0x18, "the PMU is the kernel's to give");
	CHECK(run(program_debug), EC_UNDEFINED, "debug registers are undefined");
	CHECK(run(program_smc), EC_UNDEFINED, "SMC is undefined");
	CHECK(run(program_hvc), EC_UNDEFINED, "HVC is undefined");
	CHECK(run(program_device), SVC, "an emulated device can be given to a program");
	CHECK(run(program_nothing), ABORT_EL0, "a bad address aborts in the program");
}
