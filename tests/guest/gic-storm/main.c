/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No interrupt is lost when four vCPUs on two CPUs send each other SGIs and shared interrupts, re-route, disable and
 * enable them, while timers fire: whoever sends waits until what it sent was taken.
 */
#include "machine.h"

#define GICD          GUEST_GICV3_GICD_BASE
#define CPUS          4u
#define ROUNDS        100u
#define SPI(owner, i) (32u + 8 + (owner)*4 + (i))
#define OURS          2u

static volatile uint32_t sgi_seen[CPUS][CPUS]; /* by sender and receiver */
static volatile uint32_t done, timers;
static const char *volatile failure;
static volatile uint32_t failed_at;

static void taken(uint32_t intid)
{
	unsigned me = reg_read("mpidr_el1") & 15;

	if (intid < CPUS)
		__atomic_add_fetch(&sgi_seen[intid][me], 1, __ATOMIC_SEQ_CST);
	if (intid == 27) {
		reg_write("cntv_cval_el0", ticks() + ticks_per_second() / 1000);
		__atomic_add_fetch(&timers, 1, __ATOMIC_SEQ_CST);
	}
}

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void one_sgi(unsigned me, uint32_t *seed)
{
	unsigned to = next(seed) % CPUS;
	uint32_t old = sgi_seen[me][to];

	send_sgi(to, me);
	if (!WAIT_FOR(sgi_seen[me][to] != old))
		failure = "an SGI is lost";
}

static void one_spi(unsigned me, uint32_t *seed)
{
	uint32_t intid = SPI(me, next(seed) % OURS), old = interrupts[intid];
	uint32_t reg = intid / 32 * 4, bit = 1u << (intid % 32);

	*(volatile uint64_t *)(GICD + 0x6000 + 8 * intid) = next(seed) % CPUS;
	if (next(seed) & 1)
		mmio_write32(GICD + 0x180 + reg, bit);
	mmio_write32(GICD + 0x200 + reg, bit);
	if (next(seed) & 1)
		*(volatile uint64_t *)(GICD + 0x6000 + 8 * intid) = next(seed) % CPUS;
	mmio_write32(GICD + 0x100 + reg, bit);
	if (!WAIT_FOR(interrupts[intid] != old)) {
		failed_at = intid;
		failure = "a shared interrupt is lost";
	}
}

static void work(unsigned me)
{
	uint32_t seed = me * 7919 + 1;

	gic_init();
	gic_enable(27);
	irq_on();
	reg_write("cntv_cval_el0", ticks() + ticks_per_second() / 1000);
	reg_write("cntv_ctl_el0", 1);
	for (unsigned i = 0; i < ROUNDS && !failure; i++) {
		one_sgi(me, &seed);
		one_spi(me, &seed);
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
	/* Others may still send: stay, waiting. */
	while (done < CPUS && !failure)
		wfi();
	irq_off();
	reg_write("cntv_ctl_el0", 0);
}

void guest_test(void)
{
	on_interrupt = taken;
	for (unsigned i = 32; i < 64; i += 16) /* edges */
		mmio_write32(GICD + 0xc00 + i / 4, 0xaaaaaaaa);
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		CHECK(cpu_start(cpu, work), 0, "started");
	work(0);
	if (failure)
		fail(failure, failed_at, 0);
	CHECK_TRUE(timers > 10, "timers fired meanwhile");
}
