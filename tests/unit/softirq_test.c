/* SPDX-License-Identifier: Apache-2.0 */
/* Soft interrupts and long work: nothing raised is lost, nobody is kicked in vain, work leaves room for guests. */
#include "sim.h"

#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/softirq.h>

#include "../../hv/arch/host/internal.h"

static unsigned fired;

static void count(struct timer *t)
{
	__atomic_add_fetch(&fired, 1, __ATOMIC_SEQ_CST);
}

static bool has_fired(void *arg)
{
	return __atomic_load_n(&fired, __ATOMIC_SEQ_CST) >= *(unsigned *)arg;
}

static bool spin(struct vcpu *v, void *arg)
{
	sim_guest_pause(v);
	return true;
}

/* Each timer that CPU 0 sets for CPU 1 raises a softirq there, whatever that is doing. */
static void a_raise_reaches_a_cpu_in_guest_mode_or_idle(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		static struct timer t[20];
		struct domain *d = NULL;
		unsigned want = 0;

		sim_boot(2, 32 << 20, seed);
		fired = 0;
		if (seed % 2) {
			d = sim_domain(2, 8);
			sim_guest_set(d->vcpu[0], spin, NULL, NULL);
			sim_guest_set(d->vcpu[1], spin, NULL, NULL);
			sim_start(d);
		}
		for (unsigned i = 0; i < 20; i++) {
			timer_init(&t[i], count, cpu_get(1));
			sim_run_for(5000);
			timer_set(&t[i], arch_time_ns());
			want++;
			assert_true(sim_run(has_fired, &want));
		}
		sim_end_all();
		sim_shutdown();
	}
}

static void raising_in_the_hypervisor_sets_the_bit_only(void **state)
{
	sim_boot(2, 32 << 20, 1);
	assert_int_equal(cpu_get(1)->mode, CPU_HYPERVISOR);
	softirq_raise(cpu_get(1), SOFTIRQ_CONSOLE);
	softirq_raise(this_cpu(), SOFTIRQ_CONSOLE);
	assert_true(cpu_get(1)->softirqs & 1u << SOFTIRQ_CONSOLE);
	assert_true(softirq_pending());
	softirq_run();
	assert_false(softirq_pending());
	sim_run(NULL, NULL);
	assert_int_equal(cpu_get(1)->softirqs, 0);
	sim_shutdown();
}

/* Only a CPU in guest mode or idle needs an interrupt to look, and only the first raise sends one. */
static void kicks_go_where_they_are_needed(void **state)
{
	static const struct {
		enum cpu_mode mode;
		bool kicked;
	} row[] = { { CPU_GUEST, true }, { CPU_IDLE, true }, { CPU_OFFLINE, false } };

	sim_boot(2, 32 << 20, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		struct cpu *c = cpu_get(1);

		c->mode = row[i].mode;
		c->softirqs = 0;
		sim.cpu[1].kick_at = NEVER;
		softirq_raise(c, SOFTIRQ_CONSOLE);
		assert_int_equal(sim.cpu[1].kick_at != NEVER, row[i].kicked);
		sim.cpu[1].kick_at = NEVER;
		softirq_raise(c, SOFTIRQ_CONSOLE);
		assert_true(sim.cpu[1].kick_at == NEVER);
	}
	cpu_get(1)->mode = CPU_HYPERVISOR;
	sim_shutdown();
}

/* ---- work --------------------------------------------------------------------------------------------- */

struct task {
	struct work work;
	unsigned steps_left; /* [a] */
	uint64_t step_ns;
};

static struct task *order[100];
static unsigned nr_order;

static bool step(struct work *w)
{
	struct task *t = container_of(w, struct task, work);

	sim_advance(t->step_ns);
	if (nr_order < ARRAY_SIZE(order))
		order[nr_order++] = t;
	return __atomic_sub_fetch(&t->steps_left, 1, __ATOMIC_SEQ_CST) != 0;
}

static bool task_done(void *arg)
{
	return __atomic_load_n(&((struct task *)arg)->steps_left, __ATOMIC_SEQ_CST) == 0;
}

static void works_take_turns(void **state)
{
	struct task a = { .work.step = step, .steps_left = 4 };
	struct task b = { .work.step = step, .steps_left = 6 };

	sim_boot(1, 32 << 20, 1);
	nr_order = 0;
	work_queue(&a.work);
	work_queue(&b.work);
	work_queue(&a.work);
	assert_true(sim_run(task_done, &b));
	assert_int_equal(nr_order, 10);
	for (unsigned i = 0; i < 8; i++)
		assert_ptr_equal(order[i], i % 2 ? &b : &a);
	/* A finished one may be queued again. */
	a.steps_left = 1;
	work_queue(&a.work);
	assert_true(sim_run(task_done, &a));
	sim_shutdown();
}

static void work_leaves_most_of_a_busy_cpu_to_guests(void **state)
{
	struct task t = { .work.step = step, .steps_left = 100, .step_ns = 50000 };
	struct domain *d;
	uint64_t start, spent;

	sim_boot(1, 32 << 20, 1);
	d = sim_domain(1, 8);
	sim_guest_set(d->vcpu[0], spin, NULL, NULL);
	sim_start(d);
	sim_run_for(100000);
	nr_order = 0;
	start = arch_time_ns();
	work_queue(&t.work);
	assert_true(sim_run(task_done, &t));
	spent = arch_time_ns() - start;
	/* 100 steps of 50 us with pauses four times as long. */
	assert_in_range(spent, 24000000, 30000000);
	sim_end_all();
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(raising_in_the_hypervisor_sets_the_bit_only),
		cmocka_unit_test(kicks_go_where_they_are_needed),
		cmocka_unit_test(works_take_turns),
		cmocka_unit_test(work_leaves_most_of_a_busy_cpu_to_guests),
	};
	const struct CMUnitTest on_threads_too[] = {
		cmocka_unit_test(a_raise_reaches_a_cpu_in_guest_mode_or_idle),
	};

	return sim_run_tests(alone, on_threads_too);
}
