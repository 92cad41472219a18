/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: when and where their functions run, and what the hardware is told. */
#include "sim.h"

#include <arch/cpu.h>
#include <arch/timer.h>

struct alarm {
	struct timer t;
	unsigned fired;  /* [a] */
	uint64_t at;     /* when it fired last */
	unsigned cpu;    /* where */
	unsigned order;  /* as the how-manyeth of all */
	uint64_t period; /* sets itself again */
};

static unsigned fired_in_all;

static void ring(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, t);

	/* Atomic, for a timer that is moved and set while this runs may fire again elsewhere meanwhile. */
	__atomic_store_n(&a->at, arch_time_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&a->cpu, this_cpu()->id, __ATOMIC_RELAXED);
	__atomic_store_n(&a->order, __atomic_add_fetch(&fired_in_all, 1, __ATOMIC_SEQ_CST),
			 __ATOMIC_RELAXED);
	sim_check(this_cpu()->nr_held == 0);
	if (a->period)
		timer_set(t, arch_time_ns() + a->period);
	__atomic_add_fetch(&a->fired, 1, __ATOMIC_SEQ_CST);
}

static void alarm_init(struct alarm *a, unsigned cpu)
{
	*a = (struct alarm){ .fired = 0 };
	timer_init(&a->t, ring, cpu_get(cpu));
}

static void timers_fire_in_order_of_deadline(void **state)
{
	struct alarm a[20];
	uint64_t now;

	sim_boot(1, 32 << 20, 1);
	now = arch_time_ns();
	fired_in_all = 0;
	for (unsigned i = 0; i < 20; i++) {
		alarm_init(&a[i], 0);
		timer_set(&a[i].t, now + 1000000 + (i * 7 % 20) * 100000);
		assert_true(timer_armed(&a[i].t));
	}
	sim_run_for(10000000);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(a[i].fired, 1);
		assert_int_equal(a[i].order, i * 7 % 20 + 1);
		assert_true(a[i].at >= a[i].t.expires && a[i].at - a[i].t.expires < 100000);
		assert_false(timer_armed(&a[i].t));
	}
	sim_shutdown();
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct alarm a;

	sim_boot(1, 32 << 20, 1);
	alarm_init(&a, 0);
	timer_set(&a.t, arch_time_ns() + 1000000);
	timer_stop(&a.t);
	timer_stop(&a.t);
	sim_run_for(5000000);
	assert_int_equal(a.fired, 0);
	sim_shutdown();
}

static void setting_again_moves_it(void **state)
{
	struct alarm a, b;
	uint64_t now;

	sim_boot(1, 32 << 20, 1);
	alarm_init(&a, 0);
	alarm_init(&b, 0);
	now = arch_time_ns();
	timer_set(&a.t, now + 1000000);
	timer_set(&a.t, now + 4000000);
	timer_set(&b.t, now + 9000000);
	timer_set(&b.t, now + 2000000);
	sim_run_for(3000000);
	assert_int_equal(a.fired, 0);
	assert_int_equal(b.fired, 1);
	sim_run_for(3000000);
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 1);
	sim_shutdown();
}

static void a_deadline_in_the_past_fires_at_once(void **state)
{
	struct alarm a;

	sim_boot(1, 32 << 20, 1);
	sim_advance(1000);
	alarm_init(&a, 0);
	timer_set(&a.t, 1);
	sim_run_for(100000);
	assert_int_equal(a.fired, 1);
	sim_shutdown();
}

static void a_function_may_set_its_timer_again(void **state)
{
	struct alarm a;

	sim_boot(1, 32 << 20, 1);
	alarm_init(&a, 0);
	a.period = 1000000;
	timer_set(&a.t, arch_time_ns() + a.period);
	sim_run_for(20500000);
	assert_in_range(a.fired, 19, 20);
	timer_stop(&a.t);
	sim_shutdown();
}

static void more_than_a_batch_may_be_due_at_once(void **state)
{
	struct alarm a[100];
	uint64_t when;

	sim_boot(1, 32 << 20, 1);
	when = arch_time_ns() + 1000000;
	for (unsigned i = 0; i < 100; i++) {
		alarm_init(&a[i], 0);
		timer_set(&a[i].t, when);
	}
	sim_run_for(2000000);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(a[i].fired, 1);
	sim_shutdown();
}

static bool has_fired(void *arg)
{
	return __atomic_load_n(&((struct alarm *)arg)->fired, __ATOMIC_SEQ_CST) != 0;
}

static void a_timer_runs_on_its_own_cpu(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		static struct alarm a[4];

		sim_boot(4, 32 << 20, seed);
		for (unsigned i = 0; i < 4; i++) {
			alarm_init(&a[i], i);
			timer_set(&a[i].t, arch_time_ns() + 1000000 - i * 1000);
		}
		for (unsigned i = 0; i < 4; i++) {
			assert_true(sim_run(has_fired, &a[i]));
			assert_int_equal(a[i].cpu, i);
		}
		sim_shutdown();
	}
}

static void a_migrated_timer_runs_on_the_new_cpu(void **state)
{
	static struct alarm a;

	sim_boot(2, 32 << 20, 3);
	alarm_init(&a, 0);
	timer_migrate(&a.t, cpu_get(1));
	assert_false(timer_armed(&a.t));
	timer_set(&a.t, arch_time_ns() + 1000000);
	timer_migrate(&a.t, cpu_get(0));
	assert_true(timer_armed(&a.t));
	timer_migrate(&a.t, cpu_get(1));
	assert_true(sim_run(has_fired, &a));
	assert_int_equal(a.cpu, 1);
	assert_int_equal(a.fired, 1);
	sim_shutdown();
}

/* ---- everybody sets, stops and moves at once ------------------------------------------------------- */

static struct alarm crowd[12];
static unsigned finished;

static void meddle(void *arg)
{
	unsigned r = 1 + (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 60; i++) {
		struct timer *t = &crowd[(r = r * 1103515245 + 12345) / 65536 % 12].t;

		switch (r / 1024 % 4) {
		case 0: timer_stop(t); break;
		case 1: timer_migrate(t, cpu_get(r / 4096 % 3)); break;
		default: timer_set(t, arch_time_ns() + r % 5000); break;
		}
	}
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static bool all_finished(void *arg)
{
	return __atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 3;
}

static bool some_are_armed(void)
{
	for (unsigned i = 0; i < 12; i++)
		if (timer_armed(&crowd[i].t))
			return true;
	return false;
}

static void queues_stay_whole_under_concurrent_use(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_boot(3, 32 << 20, seed);
		finished = 0;
		for (unsigned i = 0; i < 12; i++)
			alarm_init(&crowd[i], i % 3);
		for (unsigned c = 0; c < 3; c++)
			sim_on_cpu(c, meddle, (void *)(uintptr_t)(seed * 3 + c));
		assert_true(sim_run(all_finished, NULL));
		/* On threads this is real time, and the machine may be busy. */
		for (unsigned i = 0; i < 500 && some_are_armed(); i++)
			sim_run_for(100000000);
		assert_false(some_are_armed());
		sim_shutdown();
	}
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(timers_fire_in_order_of_deadline),
		cmocka_unit_test(a_stopped_timer_does_not_fire),
		cmocka_unit_test(setting_again_moves_it),
		cmocka_unit_test(a_deadline_in_the_past_fires_at_once),
		cmocka_unit_test(a_function_may_set_its_timer_again),
		cmocka_unit_test(more_than_a_batch_may_be_due_at_once),
		cmocka_unit_test(a_migrated_timer_runs_on_the_new_cpu),
	};
	const struct CMUnitTest on_threads_too[] = {
		cmocka_unit_test(a_timer_runs_on_its_own_cpu),
		cmocka_unit_test(queues_stay_whole_under_concurrent_use),
	};

	return sim_run_tests(alone, on_threads_too);
}
