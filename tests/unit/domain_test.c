/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of domains and vCPUs: creation, states, pausing, run states, watchdogs, destruction, permission. */
#include "sim.h"

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/timer.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <xen/vcpu.h>

#define MEMORY (64ull << 20)

static bool idle_guest(struct vcpu *v, void *arg)
{
	sim_guest_wait(v);
	return true;
}

static bool busy_guest(struct vcpu *v, void *arg)
{
	sim_guest_pause(v);
	return true;
}

static struct domain *running(sim_guest_fn *fn)
{
	struct domain *d = sim_domain(2, 16);

	sim_guest_set(d->vcpu[0], fn, NULL, NULL);
	sim_guest_set(d->vcpu[1], fn, NULL, NULL);
	sim_start(d);
	return d;
}

static void boot(void)
{
	sim_boot(2, MEMORY, 1);
}

static void end(void)
{
	sim_end_all();
	sim_shutdown();
}

/* ---- creation ---------------------------------------------------------------------------------- */

/* Tools may still mean the domain that is gone. */
static void an_id_is_not_given_again_at_once(void **state)
{
	struct domain *a, *b, *c;
	domid_t gone;

	boot();
	a = sim_domain(1, 4);
	b = sim_domain(1, 4);
	assert_int_equal(a->id, 1);
	assert_int_equal(b->id, 2);
	gone = b->id;
	sim_end(b);
	c = sim_domain(1, 4);
	assert_int_equal(c->id, gone + 1);
	end();
}

static void ids_are_unique_and_in_range(void **state)
{
	struct domain *d, *other;

	boot();
	assert_int_equal(domain_create(7, &sim_small, &d), 0);
	assert_int_equal(domain_create(7, &sim_small, &other), -EEXIST);
	assert_int_equal(reason_last()->id, R_DOMID_IN_USE);
	assert_int_equal(domain_create(DOMID_FIRST_RESERVED, &sim_small, &other), -EINVAL);
	assert_ptr_equal(domain_find(7), d);
	assert_null(domain_find(8));
	assert_null(domain_find(DOMID_XEN));
	end();
}

static void domains_are_walked_in_order_of_id(void **state)
{
	struct domain *d;

	boot();
	assert_int_equal(domain_create(500, &sim_small, &d), 0);
	assert_int_equal(domain_create(3, &sim_small, &d), 0);
	assert_int_equal(domain_create(499, &sim_small, &d), 0);
	d = domain_first();
	assert_int_equal(d->id, 3);
	d = domain_next(d);
	assert_int_equal(d->id, 499);
	d = domain_next(d);
	assert_int_equal(d->id, 500);
	assert_null(domain_next(d));
	end();
}

static void impossible_configurations_are_refused_by_name(void **state)
{
	static const struct {
		struct domain_config c;
		enum reason why;
	} bad[] = {
		{ { .max_vcpus = 0 }, R_BAD_VCPU_COUNT },
		{ { .max_vcpus = MAX_VCPUS + 1 }, R_BAD_VCPU_COUNT },
		{ { .max_vcpus = 1, .max_evtchn = 1 }, R_BAD_EVTCHN_LIMIT },
		{ { .max_vcpus = 1, .max_evtchn = EVTCHN_MAX_PORTS + 1 }, R_BAD_EVTCHN_LIMIT },
		{ { .max_vcpus = 1, .max_grant_frames = GNTTAB_MAX_FRAMES + 1 }, R_BAD_GRANT_LIMIT },
		{ { .max_vcpus = 1, .max_maptrack_frames = MAPTRACK_MAX_FRAMES + 1 },
		  R_BAD_MAPTRACK_LIMIT },
	};
	uint64_t before;
	struct domain *d;

	boot();
	before = sim_free_frames();
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(domain_create(DOMID_INVALID, &bad[i].c, &d), -EINVAL);
		assert_int_equal(reason_last()->id, bad[i].why);
	}
	assert_int_equal(sim_free_frames(), before);
	end();
}

static void more_memory_than_there_is_cannot_be_promised(void **state)
{
	struct domain_config c = sim_small;
	struct mem_stats was, is;
	struct domain *d;

	boot();
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &d), 0); /* leaves for ids exist */
	sim_end(d);
	frame_stats(&was);
	c.max_frames = MEMORY >> PAGE_SHIFT;
	assert_int_equal(domain_create(DOMID_INVALID, &c, &d), -ENOMEM);
	frame_stats(&is);
	assert_int_equal(is.free, was.free);
	assert_int_equal(is.claimed, was.claimed);
	end();
}

static void failed_creation_leaves_nothing(void **state)
{
	struct domain *d;

	for (unsigned nth = 1; nth < 40; nth++) {
		struct mem_stats was, is;

		boot();
		assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &d), 0);
		sim_end(d);
		frame_stats(&was);
		sim_fail_pool(nth);
		if (domain_create(DOMID_INVALID, &sim_small, &d) == 0) {
			assert_int_equal(sim_failures(FAULT_POOL), 0);
			sim_fail_pool(0);
			end();
			return;
		}
		frame_stats(&is);
		assert_int_equal(is.free, was.free);
		assert_int_equal(is.claimed, was.claimed);
		assert_null(domain_first());
		end();
	}
	fail_msg("creation takes more than 40 pool frames");
}

static void vcpus_are_made_once_and_within_the_limit(void **state)
{
	struct domain *d;
	struct vcpu *v, *again;

	boot();
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &d), 0);
	lock_take(&d->lock);
	assert_int_equal(vcpu_create(d, 1, &v), 0);
	assert_int_equal(vcpu_create(d, 1, &again), -EEXIST);
	assert_int_equal(vcpu_create(d, 2, &again), -ENOENT);
	lock_release(&d->lock);
	assert_int_equal(vcpu_state(v), VCPU_OFFLINE);
	assert_false(vcpu_eligible(v));
	end();
}

/* ---- states ------------------------------------------------------------------------------------ */

static void domain_without_context_does_not_start(void **state)
{
	struct domain *d;

	boot();
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &d), 0);
	assert_int_equal(domain_start(d), -EINVAL);
	assert_int_equal(reason_last()->id, R_NOT_STARTABLE);
	end();
}

static void pauses_count(void **state)
{
	struct domain *d;
	uint64_t ran;

	boot();
	d = running(busy_guest);
	sim_run_for(1000000);
	domain_pause(d);
	domain_pause(d);
	sim_run_for(1000000);
	assert_true(vcpu_off_cpu(d->vcpu[0]));
	assert_true(vcpu_off_cpu(d->vcpu[1]));
	ran = sched_cpu_time(d->vcpu[0]);
	domain_unpause(d);
	sim_run_for(1000000);
	assert_int_equal(sched_cpu_time(d->vcpu[0]), ran);
	domain_unpause(d);
	sim_run_for(1000000);
	assert_true(sched_cpu_time(d->vcpu[0]) > ran);
	end();
}

static void paused_vcpu_lets_the_others_run(void **state)
{
	struct domain *d;
	uint64_t ran0, ran1;

	boot();
	d = running(busy_guest);
	vcpu_pause(d->vcpu[1]);
	sim_run_for(1000000);
	ran0 = sched_cpu_time(d->vcpu[0]);
	ran1 = sched_cpu_time(d->vcpu[1]);
	sim_run_for(5000000);
	assert_true(sched_cpu_time(d->vcpu[0]) > ran0);
	assert_int_equal(sched_cpu_time(d->vcpu[1]), ran1);
	vcpu_unpause(d->vcpu[1]);
	end();
}

static void one_unpause_too_many(void *arg)
{
	domain_unpause(arg);
	domain_unpause(arg);
}

static void unpausing_too_often_is_our_bug(void **state)
{
	struct domain *d;

	boot();
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &d), 0);
	assert_non_null(sim_expect_panic(one_unpause_too_many, d));
	sim_abandon();
}

static unsigned hook_shutdown, hook_dead;

static void count_ends(struct domain *d)
{
	if (d->state == DOMAIN_DEAD)
		hook_dead++;
	else
		hook_shutdown++;
}

static void shutdown_happens_once_and_can_be_resumed(void **state)
{
	struct domain *d;

	boot();
	hook_shutdown = hook_dead = 0;
	domain_shutdown_hook = count_ends;
	d = running(idle_guest);
	sim_run_for(100000);
	domain_shutdown(d, SHUTDOWN_suspend);
	domain_shutdown(d, SHUTDOWN_crash);
	assert_int_equal(d->state, DOMAIN_SHUTDOWN);
	assert_int_equal(d->shutdown_code, SHUTDOWN_suspend);
	assert_int_equal(hook_shutdown, 1);
	assert_int_equal(domain_resume(d), 0);
	assert_int_equal(d->state, DOMAIN_ALIVE);
	assert_int_equal(domain_resume(d), -EINVAL);
	assert_int_equal(reason_last()->id, R_NOT_SHUT_DOWN);
	sim_end(d);
	assert_int_equal(hook_dead, 1);
	domain_shutdown_hook = NULL;
	end();
}

static void crash_says_why(void **state)
{
	struct domain *d;

	boot();
	d = running(idle_guest);
	domain_crash(d, "it did %s", "something");
	assert_int_equal(d->shutdown_code, SHUTDOWN_crash);
	assert_true(sim_console_has("crashed: it did something"));
	end();
}

static void reference_keeps_the_structure_not_the_domain(void **state)
{
	struct domain *d, *ref;
	domid_t id;

	boot();
	d = running(busy_guest);
	id = d->id;
	ref = domain_get(id);
	assert_ptr_equal(ref, d);
	sim_end(d);
	assert_null(domain_find(id));
	assert_int_equal(ref->state, DOMAIN_DEAD);
	domain_put(ref);
	end();
}

static void destruction_while_everything_runs(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_boot(3, MEMORY, seed);
		running(busy_guest);
		running(idle_guest);
		running(busy_guest);
		sim_run_for(sim_random(3000000));
		sim_end_all();
		sim_shutdown();
	}
}

/* ---- run states -------------------------------------------------------------------------------- */

/* A CPU inside the hypervisor, as a sender that has found the event words of a vCPU and stands still. */
struct sender {
	struct vcpu *v;
	mfn_t m;
	uint64_t until;
	bool gone;
};

static void stand_still(void *arg)
{
	struct sender *s = arg;

	while (arch_time_ns() < s->until) {
		sim_check(frame_of(s->m)->owner == s->v->domain->id);
		s->gone |= !read_once(&s->v->info);
		arch_cpu_relax();
	}
}

static void event_words_stay_while_a_sender_may_use_them(void **state)
{
	struct sender s = { .gone = false };
	struct domain *d;
	domid_t id;

	boot();
	d = sim_domain(1, 16);
	id = d->id;
	lock_take(&d->lock);
	assert_int_equal(vcpu_set_info(NULL, d->vcpu[0], gfn(7), 0), 0);
	lock_release(&d->lock);
	s.v = d->vcpu[0];
	s.m = p2m_lookup(d, gfn(7)).mfn;
	s.until = arch_time_ns() + 2000000;
	sim_on_cpu(1, stand_still, &s);
	domain_destroy(d);
	assert_true(sim_run(sim_domain_gone, &id));
	assert_true(s.gone); /* destruction had come so far while it stood there */
	assert_int_not_equal(frame_of(s.m)->owner, id);
	end();
}

static void interrupt_lines_come_back(void **state)
{
	struct domain *d, *other;

	boot();
	d = running(idle_guest);
	other = running(idle_guest);
	assert_int_equal(arch_irq_assign(5, d, 40, true), 0);
	assert_int_equal(arch_irq_assign(63, d, 41, false), 0);
	assert_int_equal(arch_irq_assign(6, other, 40, true), 0);
	assert_int_equal(arch_irq_assign(5, other, 42, true), -EBUSY);
	sim_end(d);
	assert_int_equal(arch_irq(5)->state, IRQ_FREE);
	assert_int_equal(arch_irq(63)->state, IRQ_FREE);
	assert_ptr_equal(arch_irq(6)->owner, other);
	assert_int_equal(arch_irq_assign(5, other, 42, true), 0);
	end();
}

static void moves_that_mean_nothing_change_nothing(void **state)
{
	struct domain *d;
	struct vcpu *v;

	boot();
	d = sim_domain(1, 4);
	v = d->vcpu[0];
	assert_int_equal(vcpu_transition(v, VCPU_WAKE), VCPU_OFFLINE);
	assert_int_equal(vcpu_transition(v, VCPU_DONE), VCPU_OFFLINE);
	assert_int_equal(vcpu_transition(v, VCPU_SCHED_OUT), VCPU_OFFLINE);
	assert_int_equal(vcpu_state(v), VCPU_OFFLINE);
	(void)vcpu_transition(v, VCPU_UP);
	assert_int_equal(vcpu_state(v), VCPU_READY);
	/* The domain is not started: paused. */
	assert_false(vcpu_eligible(v));
	(void)vcpu_transition(v, VCPU_SCHED_IN);
	assert_int_equal(vcpu_state(v), VCPU_READY);
	(void)vcpu_transition(v, VCPU_DOWN);
	assert_int_equal(vcpu_state(v), VCPU_OFFLINE);
	end();
}

static void pauses_survive_going_down(void **state)
{
	struct domain *d;
	struct vcpu *v;

	boot();
	d = running(busy_guest);
	v = d->vcpu[1];
	vcpu_pause(v);
	(void)vcpu_transition(v, VCPU_DOWN);
	(void)vcpu_transition(v, VCPU_UP);
	assert_false(vcpu_eligible(v));
	vcpu_unpause(v);
	assert_true(vcpu_eligible(v));
	end();
}

static void times_add_up(void **state)
{
	struct vcpu_runstate_info a, b;
	struct domain *d;
	uint64_t start, stop, sum = 0;

	boot();
	d = running(idle_guest);
	sim_run_for(1000000);
	start = arch_time_ns();
	vcpu_runstate(d->vcpu[0], &a);
	sim_run_for(10000000);
	vcpu_runstate(d->vcpu[0], &b);
	stop = arch_time_ns();
	for (unsigned i = 0; i < 4; i++) {
		assert_true(b.time[i] >= a.time[i]);
		sum += b.time[i] - a.time[i];
	}
	assert_in_range(sum, stop - start - 4, stop - start + 4); /* the looking itself takes time */
	assert_int_equal(b.state, RUNSTATE_blocked);
	assert_true(b.time[RUNSTATE_blocked] - a.time[RUNSTATE_blocked] >= 9000000);
	end();
}

/* How long `v` is in `state` while `ns` go by. */
static uint64_t share(struct vcpu *v, int state, uint64_t ns)
{
	struct vcpu_runstate_info a, b;

	vcpu_runstate(v, &a);
	sim_run_for(ns);
	vcpu_runstate(v, &b);
	return b.time[state] - a.time[state];
}

static void time_goes_to_the_state_that_a_vcpu_is_in(void **state)
{
	const uint64_t ms = 1000000;
	struct domain *d, *idle;
	struct vcpu *v;

	sim_boot_config(&(struct sim_config){ .cpus = 1, .memory = MEMORY, .step_ns = 640 });
	d = running(busy_guest);
	v = d->vcpu[1];
	sim_run_for(ms);
	/* Two that run on one CPU: each waits for it about half of the time. */
	assert_in_range(share(v, RUNSTATE_runnable, 200 * ms), 60 * ms, 140 * ms);
	vcpu_pause(v);
	sim_run_for(ms);
	assert_in_range(share(v, RUNSTATE_offline, 10 * ms), 10 * ms, 10 * ms + 9999);
	vcpu_unpause(v);
	domain_pause(d);
	sim_run_for(ms);
	assert_in_range(share(v, RUNSTATE_offline, 10 * ms), 10 * ms, 10 * ms + 9999);
	domain_unpause(d);
	(void)vcpu_transition(v, VCPU_DOWN);
	sim_run_for(ms);
	assert_in_range(share(v, RUNSTATE_offline, 10 * ms), 10 * ms, 10 * ms + 9999);
	(void)vcpu_transition(v, VCPU_UP);
	assert_true(share(v, RUNSTATE_offline, 100 * ms) < ms);
	/* One that waits for an event stays blocked while it is paused. */
	idle = running(idle_guest);
	v = idle->vcpu[0];
	sim_run_for(200 * ms);
	vcpu_pause(v);
	assert_in_range(share(v, RUNSTATE_blocked, 10 * ms), 10 * ms, 10 * ms + 9999);
	vcpu_wake(v);
	assert_in_range(share(v, RUNSTATE_offline, 10 * ms), 10 * ms, 10 * ms + 9999);
	vcpu_unpause(v);
	end();
}

/* ---- watchdogs ---------------------------------------------------------------------------------- */

static void watchdog_ends_a_domain_that_forgets_it(void **state)
{
	struct domain *d;

	boot();
	d = running(idle_guest);
	assert_int_equal(watchdog_op(d, 0, 1), 1);
	assert_int_equal(watchdog_op(d, 0, 5), 2);
	assert_int_equal(watchdog_op(d, 0, 5), -ENOSPC);
	assert_int_equal(reason_last()->id, R_WATCHDOGS_USED);
	sim_run_for(900000000);
	assert_int_equal(watchdog_op(d, 1, 1), 0);
	sim_run_for(900000000);
	assert_int_equal(d->state, DOMAIN_ALIVE);
	sim_run_for(200000000);
	assert_int_equal(d->state, DOMAIN_SHUTDOWN);
	assert_int_equal(d->shutdown_code, SHUTDOWN_watchdog);
	end();
}

static void watchdog_given_back_does_nothing(void **state)
{
	struct domain *d;

	boot();
	d = running(idle_guest);
	assert_int_equal(watchdog_op(d, 1, 5), -EINVAL); /* not taken */
	assert_int_equal(watchdog_op(d, 0, 0), -EINVAL);
	assert_int_equal(watchdog_op(d, 0, 1), 1);
	assert_int_equal(watchdog_op(d, 1, 0), 0);
	assert_int_equal(watchdog_op(d, 3, 1), -EINVAL);
	sim_run_for(2000000000);
	assert_int_equal(d->state, DOMAIN_ALIVE);
	end();
}

/* ---- permission --------------------------------------------------------------------------------- */

static void managing_needs_the_role_or_being_the_target(void **state)
{
	struct domain_config c = sim_small;
	struct domain *control, *a, *stub;

	boot();
	c.roles = ROLE_CONTROL;
	assert_int_equal(domain_create(DOMID_INVALID, &c, &control), 0);
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &a), 0);
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &stub), 0);
	assert_int_equal(policy_manage(control, a, 0), 0);
	assert_int_equal(policy_manage(a, a, 0), 0);
	assert_int_equal(policy_manage(a, control, 0), -EPERM);
	assert_int_equal(policy_memory(stub, a), -EPERM);
	stub->target = a->id;
	assert_int_equal(policy_memory(stub, a), 0);
	assert_int_equal(policy_memory(stub, control), -EPERM);
	assert_int_equal(policy_sysctl(stub, 0), -EPERM);
	assert_int_equal(policy_hardware(control, 0), -EPERM);
	end();
}

static void global_virqs_are_for_their_roles(void **state)
{
	struct domain_config c = sim_small;
	struct domain *plain, *console;

	boot();
	assert_int_equal(domain_create(DOMID_INVALID, &sim_small, &plain), 0);
	c.roles = ROLE_CONSOLE;
	assert_int_equal(domain_create(DOMID_INVALID, &c, &console), 0);
	assert_int_equal(policy_virq(plain, VIRQ_TIMER), 0);
	assert_int_equal(policy_virq(plain, VIRQ_CONSOLE), -EPERM);
	assert_int_equal(policy_virq(console, VIRQ_CONSOLE), 0);
	assert_int_equal(policy_virq(console, VIRQ_DOM_EXC), -EPERM);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_not_given_again_at_once),
		cmocka_unit_test(ids_are_unique_and_in_range),
		cmocka_unit_test(domains_are_walked_in_order_of_id),
		cmocka_unit_test(impossible_configurations_are_refused_by_name),
		cmocka_unit_test(more_memory_than_there_is_cannot_be_promised),
		cmocka_unit_test(failed_creation_leaves_nothing),
		cmocka_unit_test(vcpus_are_made_once_and_within_the_limit),
		cmocka_unit_test(domain_without_context_does_not_start),
		cmocka_unit_test(pauses_count),
		cmocka_unit_test(paused_vcpu_lets_the_others_run),
		cmocka_unit_test(unpausing_too_often_is_our_bug),
		cmocka_unit_test(shutdown_happens_once_and_can_be_resumed),
		cmocka_unit_test(crash_says_why),
		cmocka_unit_test(reference_keeps_the_structure_not_the_domain),
		cmocka_unit_test(destruction_while_everything_runs),
		cmocka_unit_test(event_words_stay_while_a_sender_may_use_them),
		cmocka_unit_test(interrupt_lines_come_back),
		cmocka_unit_test(moves_that_mean_nothing_change_nothing),
		cmocka_unit_test(pauses_survive_going_down),
		cmocka_unit_test(times_add_up),
		cmocka_unit_test(time_goes_to_the_state_that_a_vcpu_is_in),
		cmocka_unit_test(watchdog_ends_a_domain_that_forgets_it),
		cmocka_unit_test(watchdog_given_back_does_nothing),
		cmocka_unit_test(managing_needs_the_role_or_being_the_target),
		cmocka_unit_test(global_virqs_are_for_their_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
