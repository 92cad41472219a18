/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels, their table and who is joined to whom: each test is one rule of the ABI, or one promise of hv/evtchn.h. */
#include "evtchn.h"

/* ---- the table ------------------------------------------------------------------------------- */

static void port_0_is_never_given_out(void **state)
{
	assert_int_equal(unbound(one, two->id), 1);
	assert_int_equal(status(one, 0).status, EVTCHNSTAT_closed);
	assert_int_equal(send(one, 0), -EINVAL);
	assert_int_equal(close_port(one, 0), -EINVAL);
}

static void a_closed_port_is_used_again(void **state)
{
	uint32_t port = unbound(one, two->id);

	assert_int_equal(close_port(one, port), 0);
	assert_int_equal(status(one, port).status, EVTCHNSTAT_closed);
	assert_int_equal(unbound(one, two->id), port);
}

static void ports_beyond_the_limit_are_refused_with_ENOSPC(void **state)
{
	uint32_t port, n = 0;

	while (alloc_unbound(one, DOMID_SELF, two->id, &port) == 0)
		n++;
	assert_int_equal(n, one->evtchn.limit - 1);
	assert_int_equal(alloc_unbound(one, DOMID_SELF, two->id, &port), -ENOSPC);
	assert_int_equal(v0(one)->refusal.id, R_NOT_ENOUGH_PORTS);
	assert_int_equal(close_port(one, 700), 0);
	assert_int_equal(unbound(one, two->id), 700);
}

static void growth_that_finds_no_frame_changes_nothing(void **state)
{
	uint32_t port, ports = one->evtchn.nr_ports;

	for (uint32_t i = 1; i < ports; i++)
		(void)unbound(one, two->id);
	sim_fail_pool(1);
	assert_int_equal(alloc_unbound(one, DOMID_SELF, two->id, &port), -ENOMEM);
	assert_int_equal(one->evtchn.nr_ports, ports);
	assert_int_equal(unbound(one, two->id), ports);
	assert_true(one->evtchn.nr_ports > ports);
}

static void every_operation_refuses_ports_that_do_not_exist(void **state)
{
	static const uint32_t ports[] = { 1024, 65535, 65536, 0x80000000, 0xffffffff };

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		struct evtchn_status s = { .dom = DOMID_SELF, .port = ports[i] };
		struct evtchn_set_priority p = { .port = ports[i] };

		assert_int_equal(send(one, ports[i]), -EINVAL);
		assert_int_equal(close_port(one, ports[i]), -EINVAL);
		assert_int_equal(unmask(one, ports[i]), -EINVAL);
		assert_int_equal(bind_vcpu(one, ports[i], 0), -EINVAL);
		assert_int_equal(sim_evtchn(v0(one), EVTCHNOP_status, &s), -EINVAL);
		assert_int_equal(sim_evtchn(v0(one), EVTCHNOP_set_priority, &p), -EINVAL);
	}
}

static void unknown_operations_and_priorities_are_not_implemented(void **state)
{
	struct evtchn_init_control op = { 0 };
	struct evtchn_set_priority p = { .port = unbound(one, two->id), .priority = 3 };

	assert_int_equal(sim_evtchn(v0(one), 14, &op), -ENOSYS);
	assert_int_equal(sim_evtchn(v0(one), 0xffffffff, &op), -ENOSYS);
	assert_int_equal(sim_evtchn(v0(one), EVTCHNOP_set_priority, &p), -ENOSYS);
}

/* ---- joining --------------------------------------------------------------------------------- */

static void an_unbound_port_names_whom_it_waits_for(void **state)
{
	uint32_t port = unbound(one, two->id);

	assert_int_equal(status(one, port).status, EVTCHNSTAT_unbound);
	assert_int_equal(status(one, port).u.unbound.dom, two->id);
	assert_int_equal(status(one, port).vcpu, 0);
	port = unbound(one, DOMID_SELF);
	assert_int_equal(status(one, port).u.unbound.dom, one->id);
}

static void a_domain_may_not_allocate_ports_of_another(void **state)
{
	uint32_t port;

	assert_int_equal(alloc_unbound(one, two->id, one->id, &port), -EPERM);
	assert_int_equal(two->evtchn.nr_active, 0);
	assert_int_equal(alloc_unbound(one, 77, one->id, &port), -ESRCH);
}

static void binding_joins_both_ends(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	assert_int_equal(status(one, a).status, EVTCHNSTAT_interdomain);
	assert_int_equal(status(one, a).u.interdomain.dom, two->id);
	assert_int_equal(status(one, a).u.interdomain.port, b);
	assert_int_equal(status(two, b).u.interdomain.dom, one->id);
	assert_int_equal(status(two, b).u.interdomain.port, a);
}

static void binding_makes_the_local_port_pending(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	assert_true(delivered(v0(one), a));
	assert_false(pending(two, b));
}

static void only_the_named_domain_binds_and_only_once(void **state)
{
	uint32_t port, waiting = unbound(one, one->id), a, b;

	assert_int_equal(bind(two, one->id, waiting, &port), -EINVAL);
	assert_int_equal(bind(two, one->id, 1000000, &port), -EINVAL);
	assert_int_equal(bind(two, 77, waiting, &port), -ESRCH);
	join(one, two, &a, &b);
	assert_int_equal(bind(one, two->id, b, &port), -EINVAL);
	assert_int_equal(two->evtchn.nr_active, 1);
}

static void no_free_port_wins_over_a_bad_remote_port(void **state)
{
	uint32_t port;

	while (alloc_unbound(one, DOMID_SELF, two->id, &port) == 0)
		;
	assert_int_equal(bind(one, two->id, 5, &port), -ENOSPC);
}

static void a_domain_may_join_two_ports_of_its_own(void **state)
{
	uint32_t waiting = unbound(one, DOMID_SELF), port;

	assert_int_equal(bind(one, DOMID_SELF, waiting, &port), 0);
	assert_int_not_equal(port, waiting);
	quiet(one);
	assert_int_equal(send(one, port), 0);
	assert_true(delivered(v0(one), waiting));
	assert_int_equal(send(one, waiting), 0);
	assert_true(pending(one, port));
	assert_int_equal(close_port(one, port), 0);
	assert_int_equal(status(one, waiting).u.unbound.dom, one->id);
}

static bool read_only(struct vcpu *v, gva_t va, bool write, gpa_t *pa)
{
	*pa = gpa(va.a);
	return !write;
}

static void an_answer_that_cannot_be_written_opens_no_port(void **state)
{
	static const uint32_t answering[] = {
		EVTCHNOP_bind_interdomain, EVTCHNOP_bind_virq, EVTCHNOP_alloc_unbound,
		EVTCHNOP_bind_ipi,         EVTCHNOP_status,
	};
	union {
		struct evtchn_alloc_unbound alloc;
		struct evtchn_bind_interdomain bind;
		struct evtchn_status status;
	} op = { .status = { 0 } };
	uint32_t port = unbound(two, one->id);

	sim_guest_set_translate(v0(one), read_only);
	for (unsigned i = 0; i < ARRAY_SIZE(answering); i++) {
		op.status.dom = DOMID_SELF;
		if (answering[i] == EVTCHNOP_bind_interdomain)
			op.bind = (struct evtchn_bind_interdomain){ .remote_dom = two->id,
								    .remote_port = port };
		assert_int_equal(sim_evtchn(v0(one), answering[i], &op), -EFAULT);
	}
	assert_int_equal(one->evtchn.nr_active, 0);
	assert_int_equal(evtchn_of(two, port)->state, EVTCHN_UNBOUND);
}

static void arguments_that_cannot_be_read_are_refused(void **state)
{
	for (uint64_t cmd = 0; cmd <= EVTCHNOP_reset; cmd++)
		assert_int_equal(
		    sim_hypercall(v0(one), __HYPERVISOR_event_channel_op, cmd, 0x1000000), -EFAULT);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void closing_one_end_leaves_the_other_waiting(void **state)
{
	uint32_t a, b, again, refs_one = one->ref.n, refs_two = two->ref.n;

	join(one, two, &a, &b);
	assert_int_equal(one->ref.n, refs_one + 1);
	assert_int_equal(close_port(one, a), 0);
	assert_int_equal(status(two, b).status, EVTCHNSTAT_unbound);
	assert_int_equal(status(two, b).u.unbound.dom, one->id);
	assert_null(evtchn_of(two, b)->remote);
	assert_int_equal(one->ref.n, refs_one);
	assert_int_equal(two->ref.n, refs_two);
	assert_int_equal(bind(one, two->id, b, &again), 0);
}

static void closing_twice_is_refused(void **state)
{
	uint32_t port = unbound(one, two->id);

	assert_int_equal(close_port(one, port), 0);
	assert_int_equal(close_port(one, port), -EINVAL);
	assert_int_equal(v0(one)->refusal.id, R_PORT_NOT_OPEN);
}

static void closing_clears_the_pending_bit(void **state)
{
	uint32_t a, b;

	join(one, two, &a, &b);
	assert_true(pending(one, a));
	assert_int_equal(close_port(one, a), 0);
	assert_false(pending(one, a));
}

static void reset_closes_every_port(void **state)
{
	uint32_t a, b, port;

	join(one, two, &a, &b);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 1, &port), 0);
	assert_int_equal(bind_ipi(one, 1, &port), 0);
	for (unsigned i = 0; i < 300; i++)
		(void)unbound(one, two->id);
	assert_int_equal(reset(one), 0);
	assert_int_equal(one->evtchn.nr_active, 0);
	assert_int_equal(status(two, b).status, EVTCHNSTAT_unbound);
	assert_int_equal(bind_virq(one, VIRQ_TIMER, 1, &port), 0);
	assert_int_equal(reset(one), 0);
	assert_int_equal(one->evtchn.nr_active, 0);
}

static void reset_goes_on_where_it_stopped(void **state)
{
	unsigned steps = 1;

	for (unsigned i = 0; i < 300; i++)
		(void)unbound(one, two->id);
	while (evtchn_reset(one) == -ERR_RESTART)
		steps++;
	assert_in_range(steps, 4, 8);
	assert_int_equal(one->evtchn.nr_active, 0);
}

static void a_dead_peer_leaves_ports_waiting_for_its_id(void **state)
{
	uint32_t a, b;
	domid_t id = one->id;

	join(one, two, &a, &b);
	sim_end(one);
	assert_int_equal(status(two, b).status, EVTCHNSTAT_unbound);
	assert_int_equal(status(two, b).u.unbound.dom, id);
	assert_int_equal(send(two, b), 0);
}

static void a_dying_domain_gets_no_new_port(void **state)
{
	uint32_t port;

	store_release(&one->dying, true);
	assert_int_equal(alloc_unbound(one, DOMID_SELF, two->id, &port), -EINVAL);
	assert_int_equal(v0(one)->refusal.id, R_DOMAIN_DYING);
	store_release(&one->dying, false);
}

static void destruction_closes_a_bounded_number_of_ports_a_step(void **state)
{
	unsigned steps = 1;

	for (unsigned i = 0; i < 500; i++)
		(void)unbound(one, two->id);
	while (evtchn_destroy_step(one) == -ERR_RESTART) {
		assert_true(one->evtchn.nr_active + 64 * steps >= 500);
		steps++;
	}
	assert_true(steps > 7);
	assert_int_equal(one->evtchn.nr_active, 0);
}

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, setup, sim_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(port_0_is_never_given_out),
		RULE(a_closed_port_is_used_again),
		RULE(ports_beyond_the_limit_are_refused_with_ENOSPC),
		RULE(growth_that_finds_no_frame_changes_nothing),
		RULE(every_operation_refuses_ports_that_do_not_exist),
		RULE(unknown_operations_and_priorities_are_not_implemented),
		RULE(an_unbound_port_names_whom_it_waits_for),
		RULE(a_domain_may_not_allocate_ports_of_another),
		RULE(binding_joins_both_ends),
		RULE(binding_makes_the_local_port_pending),
		RULE(only_the_named_domain_binds_and_only_once),
		RULE(no_free_port_wins_over_a_bad_remote_port),
		RULE(a_domain_may_join_two_ports_of_its_own),
		RULE(an_answer_that_cannot_be_written_opens_no_port),
		RULE(arguments_that_cannot_be_read_are_refused),
		RULE(closing_one_end_leaves_the_other_waiting),
		RULE(closing_twice_is_refused),
		RULE(closing_clears_the_pending_bit),
		RULE(reset_closes_every_port),
		RULE(reset_goes_on_where_it_stopped),
		RULE(a_dead_peer_leaves_ports_waiting_for_its_id),
		RULE(a_dying_domain_gets_no_new_port),
		RULE(destruction_closes_a_bounded_number_of_ports_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
