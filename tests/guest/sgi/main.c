/* SPDX-License-Identifier: Apache-2.0 */
/* SGIs reach the vCPUs that are named, running or waiting, themselves included, and none is lost. */
#include "machine.h"

static volatile unsigned ready;
static volatile unsigned count[MAX_GUEST_CPUS];

static void counted(uint32_t intid)
{
	if (intid == 3)
		__atomic_add_fetch(&count[reg_read("mpidr_el1") & 7], 1, __ATOMIC_SEQ_CST);
}

static void other(unsigned cpu)
{
	gic_init();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		irq_off();
		wfi();
		irq_on();
	}
}

void guest_test(void)
{
	on_interrupt = counted;
	gic_init();
	irq_on();
	for (unsigned cpu = 1; cpu < 4; cpu++)
		CHECK(cpu_start(cpu, other), 0, "started");
	CHECK_TRUE(WAIT_FOR(ready == 3), "all are up");
	for (unsigned i = 1; i <= 500; i++) {
		unsigned cpu = i % 4;
		unsigned before = count[cpu];

		send_sgi(cpu, 3);
		CHECK_TRUE(WAIT_FOR(count[cpu] == before + 1), "it arrives once");
	}
	for (unsigned i = 0; i < 4; i++)
		CHECK(count[i], 125, "nobody else got it");
	/* To all but the sender. */
	reg_write(ICC_SGI1R, 1ul << 40 | 3ul << 24);
	CHECK_TRUE(WAIT_FOR(count[1] + count[2] + count[3] == 378), "all others got it");
	CHECK(count[0], 125, "the sender did not");
	/* Nobody there: ignored. */
	reg_write(ICC_SGI1R, 3ul << 24 | 0xfff0);
	reg_write(ICC_SGI1R, 3ul << 24 | 0xfful << 16 | 1);
	reg_write(ICC_SGI1R, 3ul << 24 | 0xfful << 48 | 1);
	CHECK(count[0], 125, "SGIs to nobody reach nobody");
}
