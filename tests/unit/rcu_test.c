/* SPDX-License-Identifier: Apache-2.0 */
/* RCU: a call-back runs after every reader that was inside has left, once, on its own CPU, and soon. */
#include "sim.h"

#include <arch/cpu.h>
#include <arch/timer.h>

struct object {
	struct rcu_head rcu;
	unsigned alive; /* [a] cleared by the call-back: a reader that still holds it would see that */
	unsigned cpu;  /* where the call-back ran */
	unsigned runs; /* [a] */
};

static struct object object[128];
static struct object *published; /* [RCU] */
static unsigned freed;           /* [a] */

static void retire(struct rcu_head *h)
{
	struct object *o = container_of(h, struct object, rcu);

	__atomic_store_n(&o->alive, 0, __ATOMIC_SEQ_CST);
	o->cpu = this_cpu()->id;
	__atomic_add_fetch(&o->runs, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
}

static bool freed_at_least(void *arg)
{
	return __atomic_load_n(&freed, __ATOMIC_SEQ_CST) >= *(unsigned *)arg;
}

static void a_call_back_runs_on_its_cpu_once(void **state)
{
	unsigned want = 3;

	sim_boot(2, 32 << 20, 1);
	memset(object, 0, sizeof(object));
	freed = 0;
	for (unsigned i = 0; i < 3; i++)
		rcu_call(&object[i].rcu, retire);
	assert_int_equal(freed, 0);
	assert_true(sim_run(freed_at_least, &want));
	sim_run_for(1000000);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(object[i].runs, 1);
		assert_int_equal(object[i].cpu, 0);
	}
	sim_shutdown();
}

static void many_call_backs_all_run(void **state)
{
	unsigned want = 64;

	sim_boot(1, 32 << 20, 1);
	memset(object, 0, sizeof(object));
	freed = 0;
	for (unsigned i = 0; i < 64; i++)
		rcu_call(&object[i].rcu, retire);
	assert_true(sim_run(freed_at_least, &want));
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(object[i].runs, 1);
	sim_shutdown();
}

static void idle_cpus_are_not_waited_for(void **state)
{
	unsigned want = 1;

	sim_boot(4, 32 << 20, 1);
	memset(object, 0, sizeof(object));
	freed = 0;
	sim_run(NULL, NULL);
	for (unsigned c = 1; c < 4; c++)
		assert_int_equal(cpu_get(c)->softirqs, 0);
	/* As the others would be if they slept in hardware while CPU 0 goes on. */
	for (unsigned c = 1; c < 4; c++)
		cpu_get(c)->mode = CPU_IDLE;
	rcu_call(&object[0].rcu, retire);
	rcu_run();
	assert_true(freed_at_least(&want));
	for (unsigned c = 1; c < 4; c++)
		assert_int_equal(cpu_get(c)->softirqs, 0);
	sim_shutdown();
}

/* ---- readers and writers at once ------------------------------------------------------------------- */

static unsigned finished, next_object, rounds_left[4];

/* Looks again and again at what is published, within one stay in the hypervisor. */
static void read_it(void *arg)
{
	struct object *o;

	o = rcu_load(&published);
	for (unsigned i = 0; i < 5; i++) {
		sim_check(__atomic_load_n(&o->alive, __ATOMIC_SEQ_CST));
		sim_switch_point();
	}
}

/* Two CPUs replace the object, so that one registers while a grace period of the other runs. */
static void read_and_write(void *arg)
{
	unsigned c = this_cpu()->id;

	if (c < 2) {
		unsigned n = __atomic_fetch_add(&next_object, 1, __ATOMIC_SEQ_CST);
		struct object *old;

		object[n].alive = 1;
		old = __atomic_exchange_n(&published, &object[n], __ATOMIC_SEQ_CST);
		rcu_call(&old->rcu, retire);
	} else {
		read_it(NULL);
	}
	if (--rounds_left[c])
		sim_on_cpu(c, read_and_write, NULL);
	else
		__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static bool all_finished(void *arg)
{
	return __atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 4;
}

static void no_reader_sees_a_freed_object(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		unsigned want = 80;

		sim_boot(4, 32 << 20, seed);
		memset(object, 0, sizeof(object));
		freed = finished = 0;
		object[0].alive = 1;
		published = &object[0];
		next_object = 1;
		for (unsigned c = 0; c < 4; c++) {
			rounds_left[c] = 40;
			sim_on_cpu(c, read_and_write, NULL);
		}
		assert_true(sim_run(all_finished, NULL));
		assert_true(sim_run(freed_at_least, &want));
		sim_shutdown();
	}
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_call_back_runs_on_its_cpu_once),
		cmocka_unit_test(many_call_backs_all_run),
		cmocka_unit_test(idle_cpus_are_not_waited_for),
	};
	const struct CMUnitTest on_threads_too[] = {
		cmocka_unit_test(no_reader_sees_a_freed_object),
	};

	return sim_run_tests(alone, on_threads_too);
}
