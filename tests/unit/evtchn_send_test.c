/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels, what becomes of an event: each test is one rule of the ABI, or one promise of hv/evtchn.h. */
#include "evtchn.h"

/* ---- sending --------------------------------------------------------------------------------- */

static void a_send_sets_pending_selector_and_upcall(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	assert_int_equal(send(one, a), 0);
	assert_true(delivered(v0(two), b));
	assert_false(told(two->vcpu[1]));
}

static void a_masked_port_becomes_pending_only(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	set_mask(two, b, true);
	assert_int_equal(send(one, a), 0);
	assert_true(pending(two, b));
	assert_false(selected(v0(two), b));
	assert_false(told(v0(two)));
}

static void unmasking_delivers_what_is_pending(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	set_mask(two, b, true);
	assert_int_equal(send(one, a), 0);
	assert_int_equal(unmask(two, b), 0);
	assert_true(delivered(v0(two), b));
	quiet(two);
	assert_int_equal(unmask(two, b), 0);
	assert_false(told(v0(two)));
}

static void a_pending_port_is_not_told_again(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	assert_int_equal(send(one, a), 0);
	v0(two)->arch.upcall = 0;
	assert_int_equal(send(one, a), 0);
	assert_false(told(v0(two)));
}

static void a_vcpu_that_has_an_upcall_pending_is_not_told_again(void **state)
{
	uint32_t a, b, a2, b2;

	join(one, two, &a, &b);
	for (unsigned i = 0; i < WORD; i++)
		(void)unbound(two, one->id);
	join(one, two, &a2, &b2);
	assert_int_equal(send(one, a), 0);
	v0(two)->arch.upcall = 0;
	assert_int_equal(send(one, a2), 0);
	assert_true(pending(two, b2) && selected(v0(two), b2));
	assert_false(told(v0(two)));
}

static void a_send_reaches_the_vcpu_that_the_port_is_bound_to(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	assert_int_equal(bind_vcpu(two, b, 1), 0);
	assert_int_equal(status(two, b).vcpu, 1);
	assert_int_equal(send(one, a), 0);
	assert_true(delivered(two->vcpu[1], b));
	assert_false(told(v0(two)));
}

/* What a sender may see of a port that is closed and bound anew at that moment. */
static void a_send_never_reaches_a_port_of_somebody_elses_channel(void **state)
{
	struct domain *three = sim_domain(1, 16);
	uint32_t a, b, c, d;

	join(one, two, &a, &b);
	join(three, two, &c, &d);
	quiet(two);
	evtchn_of(one, a)->remote_port = d;
	assert_int_equal(send(one, a), 0);
	assert_false(pending(two, d));
	evtchn_of(one, a)->remote_port = b;
	assert_int_equal(send(three, c), 0);
	assert_true(pending(two, d));
}

static void a_vcpu_without_vcpu_info_keeps_the_pending_bit(void **state)
{
	uint32_t a, b;
	struct vcpu_info *info = v0(two)->info;

	join(one, two, &a, &b);
	v0(two)->info = NULL;
	assert_int_equal(send(one, a), 0);
	assert_true(pending(two, b));
	assert_false(told(v0(two)));
	v0(two)->info = info;
}

static void a_send_on_an_unbound_port_is_dropped(void **state)
{
	assert_int_equal(send(one, unbound(one, two->id)), 0);
}

static void a_send_on_a_closed_or_interrupt_port_is_refused(void **state)
{
	uint32_t port;

	assert_int_equal(send(one, 3), -EINVAL);
	assert_int_equal(v0(one)->refusal.id, R_PORT_NOT_SENDABLE);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 0, &port), 0);
	assert_int_equal(send(one, port), -EINVAL);
}

static void an_ipi_port_notifies_its_own_vcpu(void **state)
{
	uint32_t port;

	assert_int_equal(bind_ipi(one, 7, &port), -ENOENT);
	assert_int_equal(bind_ipi(one, 1, &port), 0);
	assert_int_equal(status(one, port).status, EVTCHNSTAT_ipi);
	assert_int_equal(status(one, port).vcpu, 1);
	assert_int_equal(send(one, port), 0);
	assert_true(delivered(one->vcpu[1], port));
	assert_int_equal(bind_vcpu(one, port, 0), -EINVAL);
}

static void binding_to_a_vcpu_checks_the_vcpu_first(void **state)
{
	assert_int_equal(bind_vcpu(one, 1000000, 2), -ENOENT);
	assert_int_equal(bind_vcpu(one, 1000000, 1), -EINVAL);
	assert_int_equal(bind_vcpu(one, 9, 1), -EINVAL);
}

/* ---- virtual interrupts ---------------------------------------------------------------------- */

static void a_virq_is_bound_once_a_vcpu(void **state)
{
	uint32_t port, other;

	assert_int_equal(bind_virq(one, VIRQ_TIMER, 0, &port), 0);
	assert_int_equal(status(one, port).status, EVTCHNSTAT_virq);
	assert_int_equal(status(one, port).u.virq, VIRQ_TIMER);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 0, &other), -EEXIST);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 1, &other), 0);
	assert_int_equal(close_port(one, port), 0);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 0, &other), 0);
}

static void virq_errors_come_in_order(void **state)
{
	uint32_t port;

	assert_int_equal(evtchn_bind_virq(one, NR_VIRQS, 9, &port), -EINVAL);
	assert_int_equal(evtchn_bind_virq(one, VIRQ_CONSOLE, 9, &port), -EINVAL);
	assert_int_equal(evtchn_bind_virq(one, VIRQ_TIMER, 9, &port), -ENOENT);
}

static void a_virq_is_told_where_it_was_bound(void **state)
{
	uint32_t port;

	assert_int_equal(bind_virq(one, VIRQ_TIMER, 1, &port), 0);
	evtchn_send_virq_vcpu(v0(one), VIRQ_TIMER);
	assert_false(pending(one, port));
	evtchn_send_virq_vcpu(one->vcpu[1], VIRQ_TIMER);
	assert_true(delivered(one->vcpu[1], port));
	quiet(one);
	assert_int_equal(close_port(one, port), 0);
	evtchn_send_virq_vcpu(one->vcpu[1], VIRQ_TIMER);
	assert_false(told(one->vcpu[1]));
}

static void a_global_virq_moves_and_a_vcpus_own_does_not(void **state)
{
	uint32_t port, own;

	assert_int_equal(evtchn_bind_virq(one, VIRQ_CONSOLE, 0, &port), 0);
	assert_int_equal(bind_vcpu(one, port, 1), 0);
	evtchn_send_virq(one, VIRQ_CONSOLE);
	assert_true(delivered(one->vcpu[1], port));
	assert_int_equal(close_port(one, port), 0);
	assert_int_equal(evtchn_bind_virq(one, VIRQ_CONSOLE, 0, &port), 0);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 0, &own), 0);
	assert_int_equal(bind_vcpu(one, own, 1), -EINVAL);
}

static void an_ordinary_domain_may_not_bind_the_machines_virqs(void **state)
{
	uint32_t port;

	assert_int_equal(bind_virq(one, VIRQ_CONSOLE, 0, &port), -EPERM);
	assert_int_equal(one->evtchn.nr_active, 0);
}

static void no_physical_interrupt_is_an_event_channel(void **state)
{
	struct evtchn_bind_pirq op = { .pirq = 5 };

	assert_int_equal(sim_evtchn(v0(one), EVTCHNOP_bind_pirq, &op), -EINVAL);
	assert_int_equal(v0(one)->refusal.id, R_NO_PIRQ);
}

/* ---- ports that the hypervisor serves -------------------------------------------------------- */

static uint32_t served_port, served_times;

static void serve(struct domain *d, uint32_t port)
{
	served_port = port;
	served_times++;
}

static void a_served_port_runs_its_function(void **state)
{
	uint32_t port;

	served_times = 0;
	assert_int_equal(evtchn_alloc_served(one, 0, 0, serve, &port), 0);
	assert_int_equal(send(one, port), 0);
	assert_int_equal(served_times, 1);
	assert_int_equal(served_port, port);
	evtchn_notify_served(one, port);
	assert_true(delivered(v0(one), port));
}

static void a_served_port_stays_until_the_one_it_names_binds_to_it(void **state)
{
	uint32_t port, other, again;

	served_times = 0;
	assert_int_equal(evtchn_alloc_served(one, two->id, 0, serve, &port), 0);
	assert_int_equal(close_port(one, port), -EINVAL);
	assert_int_equal(reset(one), 0);
	assert_int_equal(bind(one, one->id, port, &other), -EINVAL);
	assert_int_equal(send(one, port), 0);
	assert_int_equal(served_times, 1);
	assert_int_equal(bind(two, one->id, port, &other), 0);
	assert_true(pending(one, port)); /* to look again */
	quiet(one);
	quiet(two);
	assert_int_equal(send(one, port), 0);
	assert_true(delivered(v0(two), other));
	assert_int_equal(served_times, 1);
	evtchn_notify_served(one, port);
	assert_false(pending(one, port));
	/* It is a channel like any other now: closed at one end, it waits for the same domain. */
	assert_int_equal(bind(two, one->id, port, &again), -EINVAL);
	assert_int_equal(close_port(two, other), 0);
	assert_int_equal(bind(two, one->id, port, &again), 0);
	assert_int_equal(close_port(one, port), 0);
}

/* ---- polling --------------------------------------------------------------------------------- */

static struct {
	uint32_t port;
	bool polling, woken;
} poller;

static bool poll_guest(struct vcpu *v, void *arg)
{
	struct sched_poll op = { .nr_ports = 1 };
	gva_t ports = gva_add(sim_arg(v), 128);

	sim_check(sim_poke(v, ports, &poller.port, sizeof(poller.port)));
	op.ports.p = (void *)(uintptr_t)ports.a;
	write_once(&poller.polling, true);
	sim_check(sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &op) == 0);
	write_once(&poller.woken, true);
	return false;
}

static bool is_polling(void *arg)
{
	return read_once(&poller.polling) && vcpu_state(arg) == VCPU_BLOCKED;
}

static bool was_woken(void *arg)
{
	return read_once(&poller.woken);
}

static bool idle_guest(struct vcpu *v, void *arg)
{
	sim_guest_wait(v);
	return true;
}

static void a_poll_ends_with_an_event_of_a_masked_port_of_another_vcpu(void **state)
{
	uint32_t a;

	memset(&poller, 0, sizeof(poller));
	join(one, two, &a, &poller.port);
	set_mask(two, poller.port, true);
	sim_guest_set(two->vcpu[0], idle_guest, NULL, NULL);
	sim_guest_set(two->vcpu[1], poll_guest, NULL, NULL);
	sim_start(two);
	assert_true(sim_run(is_polling, two->vcpu[1]));
	assert_int_equal(two->evtchn.pollers, 1);
	assert_int_equal(send(one, a), 0);
	assert_true(sim_run(was_woken, NULL));
	assert_int_equal(two->evtchn.pollers, 0);
}

static bool send_once(struct vcpu *v, void *arg)
{
	struct evtchn_send op = { .port = *(uint32_t *)arg };

	sim_check(sim_evtchn(v, EVTCHNOP_send, &op) == 0);
	return false;
}

static void no_wake_up_of_a_poll_is_lost(void **state)
{
	for (uint64_t seed = 1; seed <= 5 * RACE_SEEDS; seed++) {
		uint32_t a;

		sim_boot(3, 64 << 20, seed);
		one = sim_domain(1, 16);
		two = sim_domain(1, 16);
		memset(&poller, 0, sizeof(poller));
		join(one, two, &a, &poller.port);
		set_mask(two, poller.port, true);
		sim_guest_set(two->vcpu[0], poll_guest, NULL, NULL);
		sim_guest_set(one->vcpu[0], send_once, NULL, &a);
		sim_start(two);
		sim_start(one);
		assert_true(sim_run(was_woken, NULL));
		sim_teardown(NULL);
	}
}

/* ---- races ----------------------------------------------------------------------------------- */

/* `one` sends on all its ports while `two` closes and opens its own; then one of them dies. */
#define RACE_PORTS  4u
#define RACE_ROUNDS 60u

static bool race_send(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		struct evtchn_send op = { .port = 1 + (uint32_t)sim_random(RACE_PORTS) };
		int64_t err = sim_evtchn(v, EVTCHNOP_send, &op);

		sim_check(err == 0 || err == -EINVAL);
	}
	return false;
}

static bool race_rebind(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		uint32_t port = 1 + (uint32_t)sim_random(RACE_PORTS);
		struct evtchn_close c = { .port = port };
		struct evtchn_bind_interdomain b = { .remote_dom = one->id, .remote_port = port };

		(void)sim_evtchn(v, EVTCHNOP_close, &c);
		(void)sim_evtchn(v, EVTCHNOP_bind_interdomain, &b);
	}
	return false;
}

static bool all_down(void *arg)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, one) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	domain_for_each_vcpu(v, two) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	return true;
}

static void sends_race_with_closing_and_binding(void **state)
{
	for (uint64_t seed = 1; seed <= RACE_SEEDS; seed++) {
		sim_boot(4, 64 << 20, seed);
		one = sim_domain(2, 16);
		two = sim_domain(2, 16);
		for (unsigned i = 0; i < RACE_PORTS; i++) {
			uint32_t port, waiting = unbound(one, two->id);

			assert_int_equal(bind(two, one->id, waiting, &port), 0);
		}
		for (unsigned i = 0; i < 2; i++) {
			sim_guest_set(one->vcpu[i], race_send, NULL, NULL);
			sim_guest_set(two->vcpu[i], race_rebind, NULL, NULL);
		}
		sim_start(one);
		sim_start(two);
		assert_true(sim_run(all_down, NULL));
		sim_check_domains();
		sim_end(seed & 1 ? one : two);
		sim_teardown(NULL);
	}
}

static bool started_sending(void *arg)
{
	return vcpu_state(one->vcpu[0]) == VCPU_RUNNING;
}

static bool send_forever(struct vcpu *v, void *arg)
{
	struct evtchn_send op = { .port = 1 };

	sim_check(sim_evtchn(v, EVTCHNOP_send, &op) == 0);
	return true;
}

static void a_peer_may_die_while_it_is_sent_to(void **state)
{
	for (uint64_t seed = 1; seed <= RACE_SEEDS; seed++) {
		uint32_t a, b;

		sim_boot(3, 64 << 20, seed);
		one = sim_domain(2, 16);
		two = sim_domain(1, 16);
		join(one, two, &a, &b);
		for (unsigned i = 0; i < 2; i++)
			sim_guest_set(one->vcpu[i], send_forever, NULL, NULL);
		sim_start(one);
		assert_true(sim_run(started_sending, NULL));
		sim_end(two);
		sim_run_for(100000);
		sim_check(evtchn_of(one, a)->state == EVTCHN_UNBOUND);
		sim_teardown(NULL);
	}
}

static bool wait_for_ever(struct vcpu *v, void *arg)
{
	sim_guest_wait(v);
	return true;
}

static bool two_is_down(void *arg)
{
	return read_once(&two->state) == DOMAIN_SHUTDOWN;
}

/* A guest that stores into a word without end keeps an exclusive access from ever succeeding: that is its end, not ours. */
static void a_guest_that_starves_us_is_crashed(void **state)
{
	uint32_t theirs, ours;

	sim_guest_set(v0(two), wait_for_ever, NULL, NULL);
	sim_start_vcpus(two, false);
	theirs = unbound(two, one->id);
	assert_int_equal(bind(one, two->id, theirs, &ours), 0);
	assert_int_equal(send(one, ours), 0);
	assert_int_equal(two->state, DOMAIN_ALIVE);
	sim_fail_nth(FAULT_ATOMIC, 1);
	assert_int_equal(send(one, ours), 0); /* the sender notices nothing */
	assert_int_equal(sim_failures(FAULT_ATOMIC), 1);
	assert_true(sim_run(two_is_down, NULL));
	assert_int_equal(two->shutdown_code, SHUTDOWN_crash);
	assert_int_equal(one->state, DOMAIN_BUILDING);
	assert_int_equal(send(one, ours), 0);
}

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, setup, sim_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_guest_that_starves_us_is_crashed),
		RULE(a_send_sets_pending_selector_and_upcall),
		RULE(a_masked_port_becomes_pending_only),
		RULE(unmasking_delivers_what_is_pending),
		RULE(a_pending_port_is_not_told_again),
		RULE(a_vcpu_that_has_an_upcall_pending_is_not_told_again),
		RULE(a_send_reaches_the_vcpu_that_the_port_is_bound_to),
		RULE(a_send_never_reaches_a_port_of_somebody_elses_channel),
		RULE(a_vcpu_without_vcpu_info_keeps_the_pending_bit),
		RULE(a_send_on_an_unbound_port_is_dropped),
		RULE(a_send_on_a_closed_or_interrupt_port_is_refused),
		RULE(an_ipi_port_notifies_its_own_vcpu),
		RULE(binding_to_a_vcpu_checks_the_vcpu_first),
		RULE(a_virq_is_bound_once_a_vcpu),
		RULE(virq_errors_come_in_order),
		RULE(a_virq_is_told_where_it_was_bound),
		RULE(a_global_virq_moves_and_a_vcpus_own_does_not),
		RULE(an_ordinary_domain_may_not_bind_the_machines_virqs),
		RULE(no_physical_interrupt_is_an_event_channel),
		RULE(a_served_port_runs_its_function),
		RULE(a_served_port_stays_until_the_one_it_names_binds_to_it),
		RULE(a_poll_ends_with_an_event_of_a_masked_port_of_another_vcpu),
		cmocka_unit_test(no_wake_up_of_a_poll_is_lost),
		cmocka_unit_test(sends_race_with_closing_and_binding),
		cmocka_unit_test(a_peer_may_die_while_it_is_sent_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
