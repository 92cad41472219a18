/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels: each test is one rule of the ABI, or one promise of hv/evtchn.h. */
#include "sim.h"

#include <xen/sched.h>

/* Runs of the races; on real threads the order is the host's anyway. */
#ifdef HV_TSAN
#define SEEDS 5u
#else
#define SEEDS 40u
#endif

/* Two domains with two vCPUs each; the test makes their hypercalls, nothing runs. */
static struct domain *one, *two;

static int setup(void **state)
{
	sim_boot(2, 64 << 20, 1);
	one = sim_domain(2, 16);
	two = sim_domain(2, 16);
	return 0;
}

static void check_all(void)
{
	for (struct domain *d = domain_first(); d; d = domain_next(d))
		domain_check_invariants(d);
}

static int teardown(void **state)
{
	check_all();
	sim_end_all();
	sim_shutdown();
	return 0;
}

static struct vcpu *v0(struct domain *d)
{
	return d->vcpu[0];
}

/* ---- the operations, in a line each ---------------------------------------------------------- */

static int64_t alloc_unbound(struct domain *d, domid_t dom, domid_t remote, uint32_t *port)
{
	struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_alloc_unbound, &op);

	*port = op.port;
	return err;
}

static uint32_t unbound(struct domain *d, domid_t remote)
{
	uint32_t port;

	assert_int_equal(alloc_unbound(d, DOMID_SELF, remote, &port), 0);
	return port;
}

static int64_t bind(struct domain *d, domid_t remote, uint32_t remote_port, uint32_t *port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_bind_interdomain, &op);

	*port = op.local_port;
	return err;
}

static int64_t bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_bind_virq, &op);

	*port = op.port;
	return err;
}

static int64_t bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_bind_ipi, &op);

	*port = op.port;
	return err;
}

static int64_t bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

	return sim_evtchn(v0(d), EVTCHNOP_bind_vcpu, &op);
}

static int64_t send(struct domain *d, uint32_t port)
{
	struct evtchn_send op = { .port = port };

	return sim_evtchn(v0(d), EVTCHNOP_send, &op);
}

static int64_t close_port(struct domain *d, uint32_t port)
{
	struct evtchn_close op = { .port = port };

	return sim_evtchn(v0(d), EVTCHNOP_close, &op);
}

static int64_t unmask(struct domain *d, uint32_t port)
{
	struct evtchn_unmask op = { .port = port };

	return sim_evtchn(v0(d), EVTCHNOP_unmask, &op);
}

static int64_t reset(struct domain *d)
{
	struct evtchn_reset op = { .dom = DOMID_SELF };

	return sim_evtchn(v0(d), EVTCHNOP_reset, &op);
}

static struct evtchn_status status(struct domain *d, uint32_t port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

	assert_int_equal(sim_evtchn(v0(d), EVTCHNOP_status, &op), 0);
	return op;
}

/* A channel from `a` to `b`. */
static void join(struct domain *a, struct domain *b, uint32_t *pa, uint32_t *pb)
{
	*pb = unbound(b, a->id);
	assert_int_equal(bind(a, b->id, *pb, pa), 0);
}

/* ---- what the guest sees in its shared pages ------------------------------------------------- */

#define WORD (8 * sizeof(xen_ulong_t))

static bool pending(struct domain *d, uint32_t port)
{
	return d->shared_info->evtchn_pending[port / WORD] >> port % WORD & 1;
}

static void set_mask(struct domain *d, uint32_t port, bool masked)
{
	xen_ulong_t bit = (xen_ulong_t)1 << port % WORD,
		    *w = &d->shared_info->evtchn_mask[port / WORD];

	*w = masked ? *w | bit : *w & ~bit;
}

static bool selected(struct vcpu *v, uint32_t port)
{
	return v->info->evtchn_pending_sel >> port / WORD & 1;
}

static bool told(struct vcpu *v)
{
	return v->arch.upcall != 0;
}

/* As if the guest had handled everything. */
static void quiet(struct domain *d)
{
	struct vcpu *v;

	memset(d->shared_info->evtchn_pending, 0, sizeof(d->shared_info->evtchn_pending));
	domain_for_each_vcpu(v, d)
	{
		v->info->evtchn_pending_sel = 0;
		v->info->evtchn_upcall_pending = 0;
		v->arch.upcall = 0;
	}
}

static bool delivered(struct vcpu *v, uint32_t port)
{
	return pending(v->domain, port) && selected(v, port) && v->info->evtchn_upcall_pending &&
	       told(v);
}

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

static void a_served_port_stays_until_it_is_released(void **state)
{
	uint32_t port, other;

	served_times = 0;
	assert_int_equal(evtchn_alloc_served(one, two->id, 0, serve, &port), 0);
	assert_int_equal(close_port(one, port), -EINVAL);
	assert_int_equal(reset(one), 0);
	assert_int_equal(bind(two, one->id, port, &other), -EINVAL);
	evtchn_release_served(one, port);
	assert_int_equal(send(one, port), 0);
	assert_int_equal(served_times, 0);
	assert_int_equal(bind(two, one->id, port, &other), 0);
	quiet(two);
	assert_int_equal(send(one, port), 0);
	assert_true(delivered(v0(two), other));
	evtchn_notify_served(one, port);
	assert_false(pending(one, port));
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
	teardown(NULL);
	for (uint64_t seed = 1; seed <= 5 * SEEDS; seed++) {
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
		teardown(NULL);
	}
	setup(NULL);
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
	teardown(NULL);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
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
		check_all();
		sim_end(seed & 1 ? one : two);
		teardown(NULL);
	}
	setup(NULL);
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
	teardown(NULL);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
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
		teardown(NULL);
	}
	setup(NULL);
}

static bool wait_for_ever(struct vcpu *v, void *arg)
{
	sim_guest_wait(v);
	return true;
}

static bool two_is_down(void *arg)
{
	return two->state == DOMAIN_SHUTDOWN;
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

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(port_0_is_never_given_out),
		RULE(a_guest_that_starves_us_is_crashed),
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
		RULE(a_served_port_stays_until_it_is_released),
		RULE(a_poll_ends_with_an_event_of_a_masked_port_of_another_vcpu),
		RULE(no_wake_up_of_a_poll_is_lost),
		RULE(sends_race_with_closing_and_binding),
		RULE(a_peer_may_die_while_it_is_sent_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
