/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the TSC and the local APIC's timer are measured at boot (hv/arch/x86_64/cpu/time.c, the shipped file), over a model of a PC without HPET: ACPI's timer
 * and the PIT count real time, each access takes some, and firmware or a host below stops everything now and then.
 */
#include "sim.h"

#define arch_time_ns   x86_time_ns
#define arch_timer_set x86_timer_set
#include "../../hv/arch/x86_64/cpu/time.c"

#define PM_PORT 0x608u
#define PIT_HZ  1193182u
#define PM_HZ   3579545u
#define TSC_HZ  2345678901u
#define APIC_HZ 100123456u

struct machine machine;

static uint64_t now;        /* nanoseconds */
static uint32_t accesses;   /* since start() */
static uint32_t stop_every; /* accesses from one stop to the next, 0: none... */
static uint64_t stop_ns;    /* ...which takes so long */
static uint64_t apic_from;
static uint32_t apic_count;
static uint16_t latch; /* of the PIT */
static bool latched, high;

static void pass(uint64_t ns)
{
	now += ns;
	if (stop_every && ++accesses % stop_every == 0)
		now += stop_ns;
}

static uint64_t counted(uint64_t hz, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * hz / NS_PER_S);
}

uint64_t rdtsc(void)
{
	pass(10);
	return counted(TSC_HZ, now);
}

uint64_t rdtsc_ordered(void)
{
	return rdtsc();
}

uint32_t inl(uint16_t port)
{
	assert_int_equal(port, PM_PORT);
	pass(700);
	return (uint32_t)counted(PM_HZ, now) & (machine.fixed.pm_timer_32 ? ~0u : 0xffffff);
}

/* Channel 0, mode 2: counts down from 65536 (8254 data sheet); a latched count is read low byte first. */
void outb(uint16_t port, uint8_t value)
{
	pass(900);
	if (port == 0x40)
		return;
	assert_int_equal(port, 0x43);
	assert_true(value == 0x34 || value == 0);
	latched = value == 0;
	high = false;
	latch = (uint16_t)(0x10000 - counted(PIT_HZ, now));
}

uint8_t inb(uint16_t port)
{
	uint8_t byte = high ? (uint8_t)(latch >> 8) : (uint8_t)latch;

	assert_int_equal(port, 0x40);
	assert_true(latched);
	pass(900);
	high = !high;
	return byte;
}

void apic_timer_set(uint32_t ticks)
{
	pass(100);
	apic_from = now;
	apic_count = ticks;
}

uint32_t apic_timer_left(void)
{
	pass(100);
	return apic_count - (uint32_t)counted(APIC_HZ, now - apic_from);
}

volatile void *mm_map_device(uint64_t pa, uint64_t size)
{
	fail_msg("there is no HPET");
	return NULL;
}

/* Within 200 parts of a million: the reads of both clocks lie a microsecond or two apart, in 5 ms. */
static void near(uint64_t actual, uint64_t expected)
{
	assert_in_range(actual, expected - expected / 5000, expected + expected / 5000);
}

static void measured(uint64_t start)
{
	now = start;
	accesses = 0;
	time_init();
	near(tsc_hz, TSC_HZ);
	near(apic_hz, APIC_HZ);
}

/* From everywhere in the turns of the counters: 4.7 s of ACPI's timer, 55 ms of the PIT's. */
static void measured_anywhere(uint64_t turn)
{
	sim_boot_bare(64 << 20, 1);
	for (uint64_t start = NS_PER_S; start < NS_PER_S + turn; start += turn / 97)
		measured(start);
	sim_shutdown();
}

static void machine_with(bool fixed, uint16_t port)
{
	machine = (struct machine){ .has_fixed = fixed, .fixed.pm_timer = port };
	stop_every = 0;
}

static void the_clocks_are_measured_by_acpis_timer(void **state)
{
	machine_with(true, PM_PORT);
	measured_anywhere(4687000000);
	machine.fixed.pm_timer_32 = true;
	measured_anywhere(4687000000);
}

static void without_it_by_the_pit(void **state)
{
	machine_with(false, 0);
	measured_anywhere(54925400);
	machine_with(true, 0);
	measured_anywhere(54925400);
}

static void a_stop_between_two_reads_does_not_count(void **state)
{
	stop_ns = 3000000;
	for (stop_every = 97; stop_every < 1000; stop_every += 101) {
		unsigned every = stop_every;

		machine_with(true, PM_PORT);
		stop_every = every;
		measured_anywhere(4687000000);
		machine_with(false, 0);
		stop_every = every;
		measured_anywhere(54925400);
	}
}

/* Longer than a turn of the PIT: it cannot be told from a short one but by measuring again. */
static void a_stop_that_hides_a_turn_of_the_pit_does_not_count(void **state)
{
	machine_with(false, 0);
	stop_ns = 56000000;
	stop_every = 7000;
	sim_boot_bare(64 << 20, 1);
	for (uint64_t start = NS_PER_S; start < NS_PER_S + 54925400; start += 54925400 / 97)
		for (accesses = 0; accesses < stop_every; accesses += 500) {
			uint32_t before = accesses;

			now = start;
			time_init();
			near(tsc_hz, TSC_HZ);
			near(apic_hz, APIC_HZ);
			accesses = before;
		}
	sim_shutdown();
}

/* The scale that guests get agrees with the frequency. */
static void a_second_of_the_tsc_is_a_second(void **state)
{
	machine_with(true, PM_PORT);
	sim_boot_bare(64 << 20, 1);
	measured(NS_PER_S);
	assert_in_range(tsc_to_ns(tsc_boot + tsc_hz), NS_PER_S - 10, NS_PER_S);
	assert_int_equal(tsc_to_ns(tsc_boot), 0);
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clocks_are_measured_by_acpis_timer),
		cmocka_unit_test(without_it_by_the_pit),
		cmocka_unit_test(a_stop_between_two_reads_does_not_count),
		cmocka_unit_test(a_stop_that_hides_a_turn_of_the_pit_does_not_count),
		cmocka_unit_test(a_second_of_the_tsc_is_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
