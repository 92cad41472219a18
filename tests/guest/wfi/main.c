/* SPDX-License-Identifier: Apache-2.0 */
/* WFI returns for a pending interrupt, masked by PSTATE or not, and waits otherwise. */
#include "machine.h"

static volatile unsigned state;

static void poke(unsigned cpu)
{
	for (unsigned i = 0; i < 20; i++) {
		for (uint64_t end = ticks() + ticks_per_second() / 500; ticks() < end;)
			;
		state = i + 1;
		send_sgi(0, 5);
		while (state)
			__asm__ volatile("yield");
	}
}

void guest_test(void)
{
	gic_init();
	send_sgi(0, 5);
	wfi(); /* pending already: does not wait */
	irq_on();
	CHECK_TRUE(WAIT_FOR(interrupts[5] == 1), "the SGI is taken when it is unmasked");
	irq_off();
	CHECK(cpu_start(1, poke), 0, "started");
	for (unsigned i = 0; i < 20; i++) {
		while (!state)
			wfi();
		CHECK(state, i + 1, "woken when the other vCPU sends");
		irq_on();
		CHECK_TRUE(WAIT_FOR(interrupts[5] == i + 2), "and the interrupt is taken");
		irq_off();
		state = 0;
	}
	/* Storm: WFE and WFI with something always pending. */
	send_sgi(0, 5);
	for (unsigned i = 0; i < 2000; i++) {
		wfi();
		__asm__ volatile("wfe");
	}
}
