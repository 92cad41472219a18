/* SPDX-License-Identifier: Apache-2.0 */
/* Both timers of EL1 fire at their time, once for each setting, masked or not, while the guest runs or waits. */
#include "machine.h"

static volatile uint64_t fired_at;

static void expired(uint32_t intid)
{
	fired_at = ticks();
	if (intid == 27)
		reg_write("cntv_ctl_el0", 0);
	if (intid == 30)
		reg_write("cntp_ctl_el0", 0);
}

/* Leaves the line up a few times: between two of these interrupts not even one instruction need run. */
static void expired_late(uint32_t intid)
{
	if (interrupts[intid] == 100)
		expired(intid);
}

static void one(uint32_t intid, bool wait)
{
	uint32_t before = interrupts[intid];
	uint64_t delay = ticks_per_second() / 500, start = ticks();

	if (intid == 27) {
		reg_write("cntv_cval_el0", start + delay);
		reg_write("cntv_ctl_el0", 1);
	} else {
		reg_write("cntp_cval_el0", reg_read("cntpct_el0") + delay);
		reg_write("cntp_ctl_el0", 1);
	}
	if (wait) {
		while (interrupts[intid] == before) {
			irq_off();
			if (interrupts[intid] == before)
				wfi();
			irq_on();
		}
	}
	CHECK_TRUE(WAIT_FOR(interrupts[intid] != before), "the timer fires");
	CHECK_TRUE(fired_at >= start + delay, "not too early");
	CHECK(interrupts[intid], before + 1, "once");
}

void guest_test(void)
{
	on_interrupt = expired;
	gic_init();
	gic_enable(27);
	gic_enable(30);
	irq_on();
	for (unsigned i = 0; i < 50; i++) {
		one(27, i & 1);
		one(30, i & 1);
	}
	/* A level: still asserted at the end of the interrupt, it comes again. */
	on_interrupt = expired_late;
	reg_write("cntv_cval_el0", 0);
	reg_write("cntv_ctl_el0", 1);
	CHECK_TRUE(WAIT_FOR(interrupts[27] == 100), "the virtual timer's line stays up");
	reg_write("cntp_cval_el0", 0);
	reg_write("cntp_ctl_el0", 1);
	CHECK_TRUE(WAIT_FOR(interrupts[30] == 100), "the physical timer's line stays up");
	reg_write("cntp_ctl_el0", 3);
	CHECK(reg_read("cntp_ctl_el0"), 7, "its status says so, masked");
	on_interrupt = expired;
	/* Masked at the controller: pending, not taken. */
	gic_disable(27);
	uint32_t before = interrupts[27];
	reg_write("cntv_ctl_el0", 1);
	for (uint64_t end = ticks() + ticks_per_second() / 100; ticks() < end;)
		;
	CHECK(interrupts[27], before, "a disabled interrupt is not taken");
	gic_enable(27);
	CHECK_TRUE(WAIT_FOR(interrupts[27] != before), "it is once it is enabled");
	reg_write("cntv_ctl_el0", 0);
	irq_off();
	/* Set by TVAL, in the past and far in the future. */
	reg_write("cntp_tval_el0", (uint32_t)-5);
	reg_write("cntp_ctl_el0", 1);
	CHECK(reg_read("cntp_ctl_el0"), 5, "a negative TVAL is over");
	reg_write("cntp_ctl_el0", 0);
	reg_write("cntp_cval_el0", ~0ull);
	reg_write("cntp_ctl_el0", 1);
	CHECK(reg_read("cntp_ctl_el0"), 1, "the end of time is not");
	reg_write("cntp_ctl_el0", 0);
}
