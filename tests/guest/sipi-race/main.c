/* SPDX-License-Identifier: Apache-2.0 */
/* vCPUs start and stop each other by INIT and STARTUP as fast as they can: nothing breaks, and the last word counts. */
#include "machine.h"

#define PAGE(n)    (0x8000u + (n)*0x1000u)
#define COUNTER(n) ((volatile uint32_t *)(uint64_t)(0x7f00u + (n)*4))

/* What runs at PAGE(n), in real mode: lock incl COUNTER(n); then as `last` says: hlt, or a jump to itself. */
static void place(unsigned n, const uint8_t last[3])
{
	uint8_t *code = (void *)(uint64_t)PAGE(n);
	static const uint8_t incl[] = { 0x66, 0xf0, 0xff, 0x06, 0x00, 0x7f };

	memcpy(code, incl, sizeof(incl));
	code[4] = (uint8_t)(n * 4);
	memcpy(code + sizeof(incl), last, 3);
}

static const uint8_t halt[] = { 0xf4, 0xeb, 0xfd }, spin[] = { 0xeb, 0xfe, 0xf4 };

static volatile uint32_t ready;
static volatile bool stop;

static void start_at(unsigned cpu, unsigned page)
{
	apic_send(cpu, 0x4500); /* INIT */
	apic_send(cpu, 0x4600 | page >> 12);
}

static void start(unsigned cpu)
{
	start_at(cpu, PAGE(0));
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
			apic_send(other, 0x4600 | PAGE(0) >> 12);
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

	place(0, halt);
	apic_on();
	start(3);
	CHECK_TRUE(WAIT_FOR(*COUNTER(0) == 1), "a vCPU starts in real mode");
	apic_send(3, 0x4600 | PAGE(0) >> 12);
	CHECK(*COUNTER(0), 1, "STARTUP of one that runs is ignored");
	for (unsigned cpu = 1; cpu < 3; cpu++)
		CHECK(cpu_start(cpu, racer), 0, "started");
	CHECK_TRUE(WAIT_FOR(ready == 2), "they race");
	end = ticks() + ticks_per_second() / 2;
	do
		start(3 + (unsigned)(ticks() >> 4) % 3);
	while (ticks() < end);
	CHECK_TRUE(WAIT_FOR(*COUNTER(0) > 10), "vCPUs started all the while");
	stop = true;
	CHECK_TRUE(WAIT_FOR(ready == 0), "the race is over");
	for (unsigned cpu = 3; cpu < 6; cpu++) {
		place(cpu, halt);
		start_at(cpu, PAGE(cpu));
		CHECK_TRUE(WAIT_FOR(*COUNTER(cpu) == 1), "each can still be started");
	}
	/* One that is running takes both, although it has not seen the first when the second comes. */
	place(6, spin);
	for (unsigned i = 1; i <= 200; i++) {
		start_at(3, PAGE(6));
		CHECK_TRUE(WAIT_FOR(*COUNTER(6) == i), "started from what it was doing");
	}
	apic_send(77, 0x4500);
	apic_send(77, 0x4608);
}
