/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI 1.1 by HVC and by SMC: vCPUs go on and off, questions are answered, nonsense is refused. */
#include "machine.h"

static volatile unsigned runs[MAX_GUEST_CPUS];
static volatile uint64_t affinity;

static void here(unsigned cpu)
{
	affinity = reg_read("mpidr_el1");
	runs[cpu]++;
}

static long off(unsigned cpu)
{
	return psci(PSCI_AFFINITY_INFO, cpu, 0, 0) == 1;
}

void guest_test(void)
{
	CHECK(psci(PSCI_VERSION, 0, 0, 0), 0x10001, "version 1.1");
	CHECK(smc(PSCI_VERSION, 0, 0, 0), 0x10001, "by SMC too");
	CHECK(psci(PSCI_FEATURES, PSCI_CPU_ON, 0, 0), 0, "CPU_ON is a feature");
	CHECK((int)psci(PSCI_FEATURES, 0x84000099, 0, 0), -1, "an unknown call is not");
	CHECK((int)psci(0x84000099, 0, 0, 0), -1, "and gives NOT_SUPPORTED");
	CHECK((int)psci(0xdeadbeef, 0, 0, 0), -1, "as does any other number");
	CHECK(psci(PSCI_MIGRATE_TYPE, 0, 0, 0), 2, "no trusted system to migrate");
	CHECK(psci(0x80000000, 0, 0, 0), 0x10001, "SMCCC 1.1");
	CHECK((int)psci(0x80000001, 0x80008000, 0, 0), -1, "no work-around offered");

	CHECK((int)psci(PSCI_CPU_ON, 77, 0, 0), -2, "a vCPU that does not exist");
	CHECK((int)psci(PSCI_CPU_ON, 0x100000001, 0, 0), -2, "with high affinity");
	CHECK((int)psci(PSCI_AFFINITY_INFO, 77, 0, 0), -2, "AFFINITY_INFO of it");
	CHECK((int)psci(PSCI_CPU_ON, 0, 0, 0), -4, "the caller is on");
	CHECK(psci(PSCI_AFFINITY_INFO, 0, 0, 0), 0, "and says so");

	for (unsigned round = 1; round <= 50; round++)
		for (unsigned cpu = 1; cpu < 4; cpu++) {
			CHECK_TRUE(WAIT_FOR(off(cpu)), "it is off");
			CHECK(cpu_start(cpu, here), 0, "it can be started");
			CHECK_TRUE(WAIT_FOR(runs[cpu] == round), "it ran");
			CHECK(affinity, 0x80000000ul | cpu, "MPIDR is its own");
		}

	/* A suspended vCPU goes on when its timer fires. */
	reg_write("cntv_cval_el0", ticks() + ticks_per_second() / 100);
	gic_init();
	gic_enable(27);
	reg_write("cntv_ctl_el0", 1);
	CHECK(psci(PSCI_CPU_SUSPEND, 0, 0, 0), 0, "CPU_SUSPEND returns");
	CHECK(reg_read("cntv_ctl_el0"), 5, "because the timer fired");
	reg_write("cntv_ctl_el0", 0);
}
