/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU that does nothing but take debug exceptions does not hold up the others, on the same CPU: each is an exit. The case that this is
 * about (CVE-2015-8104) has a breakpoint on the exception's own frame and never ends; QEMU 7.2 dies of that itself, so it is single-stepped here.
 */
#include "machine.h"

static volatile bool storming;
static volatile uint64_t work;

static void storm(unsigned cpu)
{
	storming = true;
	/* Every instruction from here on ends in #DB, that of its handler's return too. */
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory");
	for (;;)
		work++;
}

static bool stepped(struct regs *r)
{
	return r->vector == VEC_DB;
}

void guest_test(void)
{
	uint64_t end;

	on_exception = stepped;
	CHECK(cpu_start(1, storm), 0, "started");
	CHECK_TRUE(WAIT_FOR(storming), "it storms");
	for (unsigned i = 0; i < 20; i++)
		for (end = ticks() + ticks_per_second() / 50; ticks() < end;)
			pause();
}
