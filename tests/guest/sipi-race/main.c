/* SPDX-License-Identifier: Apache-2.0 */
/* vCPUs start and stop each other by INIT and STARTUP as fast as they can: nothing breaks, and the last word counts. */
#include "machine.h"

#define PAGE    0x8000u
#define COUNTER ((volatile uint32_t *)0x7f00)

/* Real mode: lock incl (0x7f00); hlt; jmp back. */
static const uint8_t code[] = { 0x66, 0xf0, 0xff, 0x06, 0x00, 0x7f, 0xf4, 0xeb, 0xfd };

/* The same with a counter of its own, for the one that starts last: what the race started may come to run late. */
#define LAST_PAGE(cpu) (PAGE + 0x1000u * (cpu))
#define LAST(cpu)      ((volatile uint32_t *)(0x7f00ul + 4 * (cpu)))

static volatile uint32_t ready;
static volatile bool stop;

static void start_at(unsigned cpu, unsigned page)
{
	apic_send(cpu, 0x4500); /* INIT */
	apic_send(cpu, 0x4600 | page >> 12);
}

static void start(unsigned cpu)
{
	start_at(cpu, PAGE);
}

static void racer(unsigned cpu)
{
	apic_on();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	for (uint32_t n = cpu; !stop; n = n * 1103515245 + 12345) {
		unsigned other = 3 + (n >> 16) % 3;

		if (n & 0x800)
			apic_send(other, 0x4500);
		else if (n & 0x1000)
			apic_send(other, 0x4600 | PAGE >> 12);
		else
			start(other);
	}
	__atomic_sub_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
}

void guest_test(void)
{
	uint64_t end;

	memcpy((void *)(uint64_t)PAGE, code, sizeof(code));
	apic_on();
	start(3);
	CHECK_TRUE(WAIT_FOR(*COUNTER == 1), "a vCPU starts in real mode");
	apic_send(3, 0x4600 | PAGE >> 12);
	CHECK(*COUNTER, 1, "STARTUP of one that runs is ignored");
	for (unsigned cpu = 1; cpu < 3; cpu++)
		CHECK(cpu_start(cpu, racer), 0, "started");
	CHECK_TRUE(WAIT_FOR(ready == 2), "they race");
	end = ticks() + ticks_per_second() / 2;
	CHECK_TRUE(
	    WAIT_FOR((start(3 + (unsigned)(ticks() >> 4) % 3), ticks() >= end && *COUNTER > 10)),
	    "vCPUs started all the while");
	stop = true;
	CHECK_TRUE(WAIT_FOR(ready == 0), "the race is over");
	for (unsigned cpu = 3; cpu < 6; cpu++) {
		uint8_t *page = (uint8_t *)(uint64_t)LAST_PAGE(cpu);

		memcpy(page, code, sizeof(code));
		page[4] = (uint8_t)(4 * cpu);
		*LAST(cpu) = 0;
		start_at(cpu, LAST_PAGE(cpu));
		CHECK_TRUE(WAIT_FOR(*LAST(cpu) == 1), "each can still be started");
	}
	apic_send(77, 0x4500);
	apic_send(77, 0x4608);
}
