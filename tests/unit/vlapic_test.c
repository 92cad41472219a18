/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer of a guest's local APIC (hv/arch/x86_64/hvm/vlapic.c, the shipped file), over a clock that the tests set: a count and a tick
 * of the TSC are a nanosecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <asm/hvm.h>
#include <asm/insn.h>
#include <arch/timer.h>
#include <hv/domain.h>
#include <hv/io.h>
#include <hv/timer.h>

static uint64_t host_now; /* nanoseconds, and the host's TSC */
static bool armed;

#define rdtsc()                host_now
#define vcpu_kick(v)           ((void)(v))
#define timer_init(t, f, c)    ((t)->fn = (f))
#define timer_set(t, deadline) ((void)((t)->expires = (deadline), armed = true))
#define timer_stop(t)          ((void)(t), armed = false)
#define arch_time_ns()         host_now

#include "../../hv/arch/x86_64/hvm/vlapic.c"

#define VECTOR 0x40u
#define MS     1000000u

static struct vcpu vcpu;

/* ---- what it asks of the rest ---------------------------------------------------------------------- */

static uint64_t get_cr(struct vcpu *v, unsigned n)
{
	return 0;
}

static void set_cr(struct vcpu *v, unsigned n, uint64_t value) {}

static const struct hvm_ops model = { .get_cr = get_cr, .set_cr = set_cr };
const struct hvm_ops *hvm = &model;

void hvm_work(struct vcpu *v) {}
void hvm_nmi(struct vcpu *v) {}
void hvm_init(struct vcpu *v) {}
void hvm_startup(struct vcpu *v, uint8_t page) {}
void vioapic_eoi(struct domain *d, uint8_t vector) {}

uint64_t tsc_to_ns(uint64_t tsc)
{
	return tsc;
}

static void start(uint32_t lvt, uint32_t count)
{
	memset(&vcpu, 0, sizeof(vcpu));
	armed = false;
	host_now = 1000 * (uint64_t)MS;
	vcpu.arch.lapic.base = APIC_BASE_ENABLE;
	reset_registers(&vcpu.arch.lapic);
	assert_true(vlapic_write(&vcpu, REG_SVR, SVR_ENABLE));
	assert_true(vlapic_write(&vcpu, REG_DIVIDE, 0xb)); /* by 1 */
	assert_true(vlapic_write(&vcpu, REG_LVT_TIMER, lvt));
	assert_true(vlapic_write(&vcpu, REG_INITIAL, count));
}

/* Time passes until the timer fires; how much it was. */
static uint64_t fire(void)
{
	struct timer *t = &vcpu.arch.lapic.timer;
	uint64_t before = host_now;

	assert_true(armed);
	if (t->expires > host_now)
		host_now = t->expires;
	armed = false;
	timer_fired(t);
	return host_now - before;
}

/* The guest takes the interrupt and ends it. */
static void take(void)
{
	assert_int_equal(vlapic_deliverable(&vcpu), VECTOR);
	vlapic_accept(&vcpu, VECTOR);
	assert_true(vlapic_write(&vcpu, REG_EOI, 0));
}

/* ---- periodic ---------------------------------------------------------------------------------------- */

static void ticks_come_at_their_period(void **state)
{
	start(VECTOR | TIMER_PERIODIC << 17, 4 * MS);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(fire(), 4 * MS);
		take();
	}
	/* Nobody takes them: they are one, and it is not late. */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(fire(), 4 * MS);
	take();
	assert_int_equal(vlapic_deliverable(&vcpu), 0);
	host_now += MS;
	assert_int_equal(vlapic_timer_left(&vcpu.arch.lapic), 3 * MS);
}

static uint64_t ticks_in_100_ms(void)
{
	uint64_t n = 0, end;

	fire();
	for (end = host_now + 100 * MS; host_now < end; n++)
		fire();
	return n;
}

/* The host's CPU would do nothing else, with a hundred vCPUs that do this. */
static void ticks_that_nobody_takes_cost_little(void **state)
{
	start(VECTOR | TIMER_PERIODIC << 17, 1);
	assert_in_range(ticks_in_100_ms(), 50, 110);
	start(VECTOR | TIMER_PERIODIC << 17 | LVT_MASKED, 1);
	assert_in_range(ticks_in_100_ms(), 50, 110);
	start(5 | TIMER_PERIODIC << 17, 1); /* no vector that is delivered */
	assert_in_range(ticks_in_100_ms(), 50, 110);
	start(VECTOR | TIMER_PERIODIC << 17, 1);
	vcpu.arch.lapic.base = 0;
	assert_in_range(ticks_in_100_ms(), 50, 110);
}

static void who_takes_them_has_them_faster(void **state)
{
	uint64_t from;

	start(VECTOR | TIMER_PERIODIC << 17, 1);
	fire();
	take();
	from = host_now;
	for (unsigned i = 0; i < 100; i++) {
		fire();
		take();
	}
	assert_in_range(host_now - from, 100 * 20000, 100 * 50000);
}

/* ---- the TSC's deadline -------------------------------------------------------------------------------- */

static uint64_t deadline(uint64_t guest_tsc, uint64_t offset)
{
	start(VECTOR | TIMER_DEADLINE << 17, 0);
	vcpu.arch.tsc_offset = offset;
	vlapic_set_tsc_deadline(&vcpu, guest_tsc);
	assert_int_equal(vcpu.arch.lapic.tsc_deadline, guest_tsc);
	if (!armed)
		return ~(uint64_t)0;
	return vcpu.arch.lapic.timer.expires > host_now ? vcpu.arch.lapic.timer.expires - host_now
							: 0;
}

static void a_deadline_is_the_guests_counter(void **state)
{
	const uint64_t behind = (uint64_t)-900 * MS, ahead = 500 * (uint64_t)MS;

	assert_int_equal(deadline(1000 * (uint64_t)MS + 7, 0), 7);
	assert_int_equal(deadline(100 * MS + 7, behind), 7);
	assert_int_equal(deadline(1500 * (uint64_t)MS + 7, ahead), 7);
	assert_int_equal(deadline(100 * MS, behind), 0);
	assert_int_equal(deadline(1, behind), 0); /* long over */
}

static void one_that_is_never_reached_does_not_fire(void **state)
{
	assert_true(deadline(~(uint64_t)0, 0) > ~(uint64_t)0 / 1000);
	assert_true(deadline(~(uint64_t)0, (uint64_t)-900 * MS) > ~(uint64_t)0 / 1000);
	assert_true(deadline(~(uint64_t)0, 500 * (uint64_t)MS) > ~(uint64_t)0 / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_come_at_their_period),
		cmocka_unit_test(ticks_that_nobody_takes_cost_little),
		cmocka_unit_test(who_takes_them_has_them_faster),
		cmocka_unit_test(a_deadline_is_the_guests_counter),
		cmocka_unit_test(one_that_is_never_reached_does_not_fire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
