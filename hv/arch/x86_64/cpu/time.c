/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: the TSC counts, scaled once to nanoseconds in the form that guests' PV clocks use too; the local APIC's
 * timer wakes. Both are measured at boot against the best clock of known speed: HPET, ACPI PM timer, PIT.
 */
#include <arch/timer.h>

#include <asm/apic.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/softirq.h>

#define NS_PER_S   1000000000ull
#define MEASURE_NS 5000000u

uint64_t tsc_hz, tsc_boot;
uint32_t tsc_to_ns_mul;
int8_t tsc_to_ns_shift;
static uint8_t shift_left, shift_right; /* what the sign of tsc_to_ns_shift says; one is 0 */

static uint64_t apic_hz;
static uint32_t ns_to_apic_mul; /* ticks = ns * this >> 32 */

/* ---- clocks of known speed ------------------------------------------------------------------------ */

struct reference {
	const char *name;
	uint64_t hz;
	uint32_t mask; /* the counter wraps at mask + 1 */
	uint32_t (*read)(void);
	unsigned times; /* how often it is measured */
};

static volatile uint8_t *hpet;

static uint32_t hpet_read(void)
{
	return *(volatile uint32_t *)(hpet + 0xf0);
}

static uint32_t pm_timer_read(void)
{
	return inl(machine.fixed.pm_timer);
}

/* Channel 0 in mode 2 counts down from 65536; latched, low byte first (8254 data sheet). */
static uint32_t pit_read(void)
{
	uint8_t low;

	outb(0x43, 0x00);
	low = inb(0x40);
	return (uint32_t)(0xffff - (low | inb(0x40) << 8));
}

static bool use_hpet(struct reference *r)
{
	uint64_t capabilities;

	if (!machine.hpet)
		return false;
	hpet = mm_map_device(machine.hpet, 0x400);
	capabilities = *(volatile uint64_t *)hpet;
	/* The period in femtoseconds, at most 100 ns (IA-PC HPET 1.0a, 2.3.4). */
	if (capabilities >> 32 == 0 || capabilities >> 32 > 100000000)
		return false;
	*(volatile uint64_t *)(hpet + 0x10) |= 1;
	*r = (struct reference){ "HPET", 1000000000000000ull / (capabilities >> 32), ~0u, hpet_read,
				 1 };
	return true;
}

static struct reference choose_reference(void)
{
	struct reference r;

	if (use_hpet(&r))
		return r;
	if (machine.has_fixed && machine.fixed.pm_timer)
		return (struct reference){ "PM timer", 3579545, 0xffffff, pm_timer_read, 1 };
	outb(0x43, 0x34);
	outb(0x40, 0);
	outb(0x40, 0);
	/* Its turn is 55 ms: when the CPU is stopped that long a turn is missed, and all seems to run too fast. */
	return (struct reference){ "PIT", 1193182, 0xffff, pit_read, 3 };
}

/* hz such that `count` of it passed in `ticks` of the reference. */
static uint64_t rate(uint64_t count, uint32_t ticks, const struct reference *r)
{
	return ticks ? count * r->hz / ticks : 0;
}

/* All clocks at one moment: of several looks the quickest, for firmware (or a host below us) may stop us between two reads. */
#define LOOKS 8u

struct moment {
	uint32_t reference, apic;
	uint64_t tsc;
};

static struct moment look(const struct reference *r)
{
	uint64_t best = ~(uint64_t)0;
	struct moment m = { 0 };

	for (unsigned i = 0; i < LOOKS; i++) {
		uint64_t before = rdtsc_ordered(), took;
		uint32_t reference = r->read(), apic = apic_timer_left();

		took = rdtsc_ordered() - before;
		if (took >= best)
			continue;
		best = took;
		m = (struct moment){ reference, apic, before + took / 2 };
	}
	return m;
}

/* The lowest rates that are seen count. */
static void measure_once(const struct reference *r)
{
	uint32_t need = (uint32_t)(r->hz * MEASURE_NS / NS_PER_S), ticks;
	struct moment first, last;

	apic_timer_set(~0u);
	first = look(r);
	while (((r->read() - first.reference) & r->mask) < need)
		;
	last = look(r);
	ticks = (last.reference - first.reference) & r->mask;
	tsc_hz = MIN(tsc_hz, rate(last.tsc - first.tsc, ticks, r));
	apic_hz = MIN(apic_hz, rate(first.apic - last.apic, ticks, r));
	apic_timer_set(0);
}

static void measure(void)
{
	struct reference r = choose_reference();

	tsc_hz = apic_hz = ~0ull;
	for (unsigned i = 0; i < r.times; i++)
		measure_once(&r);
	log_info("TSC %llu.%03llu MHz, APIC timer %llu.%03llu MHz, measured by the %s",
		 (unsigned long long)tsc_hz / 1000000, (unsigned long long)tsc_hz / 1000 % 1000,
		 (unsigned long long)apic_hz / 1000000, (unsigned long long)apic_hz / 1000 % 1000,
		 r.name);
}

/* (x << shift) * mul >> 32, with mul in [2^31, 2^32) (xen.h, struct vcpu_time_info). */
static void set_scale(void)
{
	uint64_t hz = tsc_hz;
	int shift = 0;

	while (hz > 2 * NS_PER_S) {
		hz >>= 1;
		shift--;
	}
	while (hz <= NS_PER_S) {
		hz <<= 1;
		shift++;
	}
	tsc_to_ns_shift = (int8_t)shift;
	shift_left = (uint8_t)MAX(shift, 0);
	shift_right = (uint8_t)MAX(-shift, 0);
	tsc_to_ns_mul = (uint32_t)((NS_PER_S << 32) / hz);
	ns_to_apic_mul = (uint32_t)MIN((apic_hz << 32) / NS_PER_S, (uint64_t)UINT32_MAX);
}

void time_init(void)
{
	uint64_t first = rdtsc();

	measure();
	set_scale();
	tsc_boot = first;
}

uint64_t tsc_to_ns(uint64_t tsc)
{
	uint64_t t = tsc - tsc_boot;

	t = t << shift_left >> shift_right;
	return (uint64_t)((unsigned __int128)t * tsc_to_ns_mul >> 32);
}

uint64_t arch_time_ns(void)
{
	return tsc_to_ns(rdtsc_ordered());
}

void arch_timer_set(uint64_t deadline_ns)
{
	uint64_t now, ticks;

	if (deadline_ns == ~(uint64_t)0) {
		apic_timer_set(0);
		return;
	}
	now = arch_time_ns();
	if (deadline_ns <= now) {
		softirq_raise_here(SOFTIRQ_TIMER);
		return;
	}
	/* A deadline further than the counter reaches fires early and is set again. */
	ticks = (uint64_t)((unsigned __int128)(deadline_ns - now) * ns_to_apic_mul >> 32) + 1;
	apic_timer_set((uint32_t)MIN(ticks, (uint64_t)UINT32_MAX));
}
