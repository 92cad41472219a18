/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios (scenario.h) of domains that send events, come and go, and of hostile ones. */
#include "scenario.h"

#include <arch/timer.h>
#include <xen/vcpu.h>

/* ---- events ------------------------------------------------------------------------------------- */

/* Two domains, joined by one channel. Each upcall counts its events. */
struct pair {
	struct domain *a, *b;
	unsigned rounds;
	uint32_t port_a, port_b;     /* [a] 0: not yet */
	unsigned events_a, events_b; /* [a] */
	unsigned done;               /* [a] guests that finished */
};

static void count_a(struct vcpu *v, void *arg)
{
	struct pair *p = arg;

	while (sim_next_event(v))
		__atomic_fetch_add(&p->events_a, 1, __ATOMIC_SEQ_CST);
}

static void count_b(struct vcpu *v, void *arg)
{
	struct pair *p = arg;

	while (sim_next_event(v))
		__atomic_fetch_add(&p->events_b, 1, __ATOMIC_SEQ_CST);
}

static void send(struct vcpu *v, uint32_t port)
{
	struct evtchn_send op = { .port = port };

	sim_check_equal(sim_evtchn(v, EVTCHNOP_send, &op), 0);
}

static bool ping(struct vcpu *v, void *arg)
{
	struct pair *p = arg;
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = p->b->id };

	sim_map_shared_info(v);
	sim_check_equal(sim_evtchn(v, EVTCHNOP_alloc_unbound, &op), 0);
	store_release(&p->port_a, op.port);
	/* The peer says hello once it has bound. */
	for (unsigned i = 0; i < p->rounds; i++) {
		sim_wait_change(v, &p->events_a, i);
		send(v, op.port);
	}
	__atomic_fetch_add(&p->done, 1, __ATOMIC_SEQ_CST);
	return false;
}

static bool pong(struct vcpu *v, void *arg)
{
	struct pair *p = arg;
	struct evtchn_bind_interdomain op = { .remote_dom = p->a->id };

	sim_map_shared_info(v);
	while (!(op.remote_port = load_acquire(&p->port_a)))
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	sim_check_equal(sim_evtchn(v, EVTCHNOP_bind_interdomain, &op), 0);
	for (unsigned i = 0; i < p->rounds; i++) {
		/* Binding made one event pending, as the ABI says; do not count it. */
		unsigned seen = read_once(&p->events_b);

		send(v, op.local_port);
		sim_wait_change(v, &p->events_b, seen);
	}
	__atomic_fetch_add(&p->done, 1, __ATOMIC_SEQ_CST);
	return false;
}

static bool pair_done(void *arg)
{
	return read_once(&((struct pair *)arg)->done) == 2;
}

static void start_pair(struct pair *p, unsigned rounds)
{
	memset(p, 0, sizeof(*p));
	p->rounds = rounds;
	p->a = sim_domain(1, 8);
	p->b = sim_domain(1, 8);
	sim_guest_set(p->a->vcpu[0], ping, count_a, p);
	sim_guest_set(p->b->vcpu[0], pong, count_b, p);
	sim_start(p->a);
	sim_start(p->b);
}

static void events_go_back_and_forth(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct pair p;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		start_pair(&p, 30);
		assert_true(sim_run(pair_done, &p));
		sim_end_all();
		sim_shutdown();
	}
}

static void events_survive_spurious_interrupts(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct pair p;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		sim_spurious_kick(20);
		start_pair(&p, 20);
		assert_true(sim_run(pair_done, &p));
		sim_end_all();
		sim_shutdown();
	}
}

/* A set of one CPU, of those that there are. */
static struct cpuset one_of(unsigned cpus)
{
	struct cpuset set = { .bits = { 0 } };

	cpuset_set(&set, (unsigned)sim_random(cpus));
	return set;
}

/* Receivers move between CPUs, stop and go on at any moment: about to wait, waiting, being woken, running. */
static void moving_receivers_lose_nothing(void **state)
{
	FOR_EACH_SEED(seed)
	{
		unsigned cpus = 1 + cpus_of(seed);
		struct pair p;

		sim_boot(cpus, 32 << 20, seed);
		start_pair(&p, 30);
		for (unsigned i = 0; i < 2000 && !pair_done(&p); i++) {
			struct domain *d = sim_random(2) ? p.a : p.b;
			struct cpuset to = one_of(cpus);

			sim_run_for(TIME(1 + sim_random(3000)));
			switch (sim_random(3)) {
			case 0:
				domain_pause(d);
				sim_run_for(TIME(sim_random(3000)));
				domain_unpause(d);
				break;
			default: assert_int_equal(sched_set_affinity(d->vcpu[0], &to, NULL), 0);
			}
		}
		assert_true(sim_run(pair_done, &p));
		sim_end_all();
		sim_shutdown();
	}
}

/* ---- coming and going --------------------------------------------------------------------------- */

static bool busy(struct vcpu *v, void *arg)
{
	uint64_t word = 7;

	(void)sim_guest_write(v, gva((1 + sim_random(6)) << PAGE_SHIFT), &word, 8);
	switch (sim_random(4)) {
	case 0: sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield); break;
	case 1:
		sim_hypercall(v, __HYPERVISOR_set_timer_op, arch_time_ns() + 1000);
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_block);
		break;
	default: sim_guest_pause(v);
	}
	return true;
}

static void domains_come_and_go(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct domain *d[4] = { NULL };

		sim_boot(cpus_of(seed), 32 << 20, seed);
		for (unsigned n = 0; n < 24; n++) {
			struct domain **slot = &d[sim_random(4)];

			if (*slot) {
				sim_end(*slot);
				*slot = NULL;
			} else {
				*slot = sim_domain(1 + (unsigned)sim_random(3), 8);
				for (unsigned i = 0; i < (*slot)->max_vcpus; i++)
					sim_guest_set((*slot)->vcpu[i], busy, NULL, NULL);
				sim_start(*slot);
			}
			sim_run_for(sim_random(100000));
		}
		sim_end_all();
		sim_shutdown();
	}
}

/* Sends to a domain that is being destroyed, or is no more, are refused at worst. */
static bool send_on(struct vcpu *v, void *arg)
{
	struct pair *p = arg;
	struct evtchn_send op = { .port = p->port_a };

	(void)sim_evtchn(v, EVTCHNOP_send, &op);
	__atomic_fetch_add(&p->events_a, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void receivers_may_die(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF };
		struct evtchn_bind_interdomain bind;
		struct pair p = { .rounds = 0 };

		sim_boot(cpus_of(seed), 32 << 20, seed);
		for (unsigned n = 0; n < 3; n++) {
			p.a = sim_domain(2, 8);
			p.b = sim_domain(2, 8);
			unbound.remote_dom = p.a->id;
			assert_int_equal(sim_evtchn(p.b->vcpu[1], EVTCHNOP_alloc_unbound, &unbound),
					 0);
			bind = (struct evtchn_bind_interdomain){ .remote_dom = p.b->id,
								 .remote_port = unbound.port };
			assert_int_equal(sim_evtchn(p.a->vcpu[0], EVTCHNOP_bind_interdomain, &bind),
					 0);
			p.port_a = bind.local_port;
			for (unsigned i = 0; i < 2; i++) {
				sim_guest_set(p.a->vcpu[i], send_on, NULL, &p);
				sim_guest_set(p.b->vcpu[i], busy, NULL, NULL);
				/* Its bits lie in its own memory, which goes while somebody sends. */
				lock_take(&p.b->lock);
				assert_int_equal(vcpu_set_info(NULL, p.b->vcpu[i], gfn(7), 128 * i),
						 0);
				lock_release(&p.b->lock);
			}
			sim_start(p.a);
			sim_start(p.b);
			sim_run_for(TIME(sim_random(30000)));
			domain_destroy(p.b);
			sim_run_for(TIME(sim_random(100000)));
			sim_end(p.a);
		}
		sim_shutdown();
	}
}

/* Timers, polls, vCPUs going down and up: everything that waits is woken. */
struct waiter {
	unsigned rounds, done;
};

static bool wait_in_ways(struct vcpu *v, void *arg)
{
	struct waiter *w = arg;
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = v->id };
	struct sched_poll poll = { .nr_ports = 1 };
	struct {
		struct sched_poll poll;
		uint32_t port;
	} a;

	if (v->id == 0)
		sim_map_shared_info(v);
	sim_check_equal(sim_evtchn(v, EVTCHNOP_bind_virq, &virq), 0);
	for (unsigned i = 0; i < w->rounds; i++) {
		uint64_t deadline = arch_time_ns() + TIME(1 + sim_random(20000));

		while (sim_next_event(v))
			;
		/* Poll: until the port is pending, or the time has come. */
		a.poll = poll;
		a.poll.timeout = deadline;
		a.port = virq.port;
		set_xen_guest_handle(
		    a.poll.ports,
		    (evtchn_port_t *)(uintptr_t)(sim_arg(v).a + offsetof(__typeof__(a), port)));
		if (i & 1)
			sim_hypercall(v, __HYPERVISOR_set_timer_op, deadline);
		sim_check_equal(sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &a), 0);
		/* Another vCPU goes down by itself and is brought up. */
		if (v->id == 0)
			(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_up, 1);
		else if (sim_random(2))
			(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_down, v->id);
	}
	__atomic_fetch_add(&w->done, 1, __ATOMIC_SEQ_CST);
	if (v->id == 1)
		return false;
	/* The other may be down: bring it up until it has finished. */
	while (read_once(&w->done) < 2) {
		(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_up, 1);
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	}
	return false;
}

static bool both_waited(void *arg)
{
	return read_once(&((struct waiter *)arg)->done) == 2;
}

static void what_waits_is_woken(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct waiter w = { .rounds = 10 };
		struct domain *d;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		d = sim_domain(2, 8);
		for (unsigned i = 0; i < 2; i++)
			sim_guest_set(d->vcpu[i], wait_in_ways, NULL, &w);
		sim_start(d);
		assert_true(sim_run(both_waited, &w));
		sim_end_all();
		sim_shutdown();
	}
}

/* Pausing holds every vCPU, for as long as it lasts and not longer. */
struct counted {
	unsigned count, before;
};

static bool count_up(struct vcpu *v, void *arg)
{
	__atomic_fetch_add(&((struct counted *)arg)->count, 1, __ATOMIC_SEQ_CST);
	sim_guest_pause(v);
	return true;
}

static bool counted_on(void *arg)
{
	struct counted *c = arg;

	return __atomic_load_n(&c->count, __ATOMIC_SEQ_CST) != c->before;
}

static bool are_off(void *arg)
{
	struct domain *d = arg;

	return vcpu_off_cpu(d->vcpu[0]) && vcpu_off_cpu(d->vcpu[1]);
}

static void pauses_hold(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct counted c = { 0 };
		struct domain *d;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		d = sim_domain(2, 8);
		for (unsigned i = 0; i < 2; i++)
			sim_guest_set(d->vcpu[i], count_up, NULL, &c);
		sim_start(d);
		assert_true(sim_run(counted_on, &c));
		domain_pause(d);
		domain_pause(d);
		assert_true(sim_run(are_off, d));
		c.before = c.count;
		sim_run_for(TIME(100000));
		assert_int_equal(c.count, c.before);
		domain_unpause(d);
		sim_run_for(TIME(50000));
		assert_int_equal(c.count, c.before);
		domain_unpause(d);
		assert_true(sim_run(counted_on, &c));
		sim_end_all();
		sim_shutdown();
	}
}

/* ---- hostile guests ----------------------------------------------------------------------------- */

/* Any call with any arguments, for ever. */
static bool wild(struct vcpu *v, void *arg)
{
	uint64_t a[6], nr = sim_random(50);
	uint64_t junk[8];

	/* The end of the machine is dom0's to ask for, and this is not dom0. */
	for (unsigned i = 0; i < 6; i++) {
		switch (sim_random(4)) {
		case 0: a[i] = sim_random(40); break;
		case 1: a[i] = sim_arg(v).a; break;
		case 2: a[i] = sim_random(64) << PAGE_SHIFT | sim_random(PAGE_SIZE); break;
		default: a[i] = sim_random(~0ull);
		}
	}
	for (unsigned i = 0; i < 8; i++)
		junk[i] = sim_random(2) ? sim_random(40) : sim_random(~0ull);
	(void)sim_guest_write(v, sim_arg(v), junk, sizeof(junk));
	/* It may not stop itself; everything else. */
	if (nr == __HYPERVISOR_sched_op && (uint32_t)a[0] == SCHEDOP_shutdown)
		return true;
	(void)sim_hypercall6(v, nr, a);
	return true;
}

/* Sends to itself and to a neighbour without end. */
static bool storm(struct vcpu *v, void *arg)
{
	struct evtchn_bind_ipi op = { .vcpu = 0 };
	struct evtchn_send s;

	if (sim_evtchn(v, EVTCHNOP_bind_ipi, &op) == 0) {
		s.port = op.port;
		for (unsigned i = 0; i < 50; i++)
			(void)sim_evtchn(v, EVTCHNOP_send, &s);
	} else {
		/* All ports are used: close one, begin again. */
		struct evtchn_close c = { .port = 1 + (unsigned)sim_random(1000) };

		(void)sim_evtchn(v, EVTCHNOP_close, &c);
	}
	return true;
}

/* Waits in every way, for what has come already or comes at once. */
static bool restless(struct vcpu *v, void *arg)
{
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = v->id };
	struct vcpu_set_periodic_timer periodic = { .period_ns = 1000000 };
	struct sched_poll poll = { .timeout = 1 };

	(void)sim_evtchn(v, EVTCHNOP_bind_virq, &virq); /* the first time */
	switch (sim_random(6)) {
	case 0: sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield); break;
	case 1: (void)sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &poll); break;
	case 2:
		poll.timeout = arch_time_ns() + sim_random(100);
		(void)sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
		break;
	case 3: sim_hypercall(v, __HYPERVISOR_set_timer_op, arch_time_ns() + sim_random(2)); break;
	case 4:
		sim_hypercall(v, __HYPERVISOR_set_timer_op, arch_time_ns() + 1);
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_block);
		break;
	default:
		(void)sim_guest_write(v, sim_arg(v), &periodic, sizeof(periodic));
		(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, v->id,
				    sim_arg(v).a);
	}
	return true;
}

/* Uses up every frame of its own pool and memory that it can name. */
static bool greedy(struct vcpu *v, void *arg)
{
	xen_pfn_t g = 0x100 + sim_random(1ull << 24);
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };

	(void)sim_reservation(v, XENMEM_populate_physmap, &g, 1);
	(void)sim_add_to_physmap(v, XENMAPSPACE_grant_table, sim_random(8), g + 1);
	(void)sim_evtchn(v, EVTCHNOP_alloc_unbound, &op);
	return true;
}

/* The pair must finish, whatever the third does. */
static void beside(sim_guest_fn *hostile, uint64_t seed)
{
	/* A clock that moves in large steps, so that time slices are short for the test. */
	struct sim_config cfg = {
		.cpus = cpus_of(seed),
		.memory = 32 << 20,
		.seed = seed,
		.step_ns = 2000,
	};
	struct domain *d;
	struct pair p;

	sim_boot_config(&cfg);
	d = sim_domain(2, 16);
	for (unsigned i = 0; i < 2; i++)
		sim_guest_set(d->vcpu[i], hostile, NULL, NULL);
	sim_start(d);
	start_pair(&p, 15);
	assert_true(sim_run(pair_done, &p));
	assert_int_equal(sim_ended(), SIM_RUNNING);
	domain_check_invariants(p.a);
	domain_check_invariants(p.b);
	domain_check_invariants(d);
	sim_end_all();
	sim_shutdown();
}

static void wild_guests_hurt_nobody(void **state)
{
	FOR_EACH_SEED(seed)
	beside(wild, seed);
}

static void event_storms_hurt_nobody(void **state)
{
	FOR_EACH_SEED(seed)
	beside(storm, seed);
}

static void waiting_storms_hurt_nobody(void **state)
{
	FOR_EACH_SEED(seed)
	beside(restless, seed);
}

static void greedy_guests_hurt_themselves(void **state)
{
	FOR_EACH_SEED(seed)
	beside(greedy, seed);
}

/* Whatever fails at whatever moment: nothing is half done, and nothing is lost. */
static void failures_leave_everything_whole(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct domain *d[2];

		sim_boot(cpus_of(seed), 32 << 20, seed);
		for (unsigned i = 0; i < 2; i++) {
			d[i] = sim_domain(2, 16);
			sim_guest_set(d[i]->vcpu[0], wild, NULL, NULL);
			sim_guest_set(d[i]->vcpu[1], greedy, NULL, NULL);
			sim_start(d[i]);
		}
		sim_fail_one_in(FAULT_ALLOC, 3);
		sim_fail_one_in(FAULT_POOL, 5);
		sim_fail_one_in(FAULT_COPY, 20);
		sim_spurious_kick(50);
		sim_run_for(TIME(300000));
		for (unsigned i = 0; i < 2; i++)
			domain_check_invariants(d[i]);
		sim_end_all();
		sim_shutdown();
	}
}

/* A domain at its ceiling is refused; another one with the same wish is not. */
static void pools_are_apart(void **state)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct domain *greedy_one, *other;
	int64_t err = 0;
	unsigned n;

	sim_boot(1, 32 << 20, 1);
	greedy_one = sim_domain(1, 8);
	other = sim_domain(1, 8);
	/* Mappings far apart need a table each. */
	for (n = 0; n < 10000 && !err; n++)
		err = sim_add_to_physmap(greedy_one->vcpu[0], XENMAPSPACE_shared_info, 0,
					 (uint64_t)(n + 1) << ORDER_2M);
	if (!err) {
		xen_pfn_t g;

		for (n = 1; n < 10000; n++) {
			g = (xen_pfn_t)n << ORDER_2M;
			if (sim_reservation(greedy_one->vcpu[0], XENMEM_populate_physmap, &g, 1) !=
			    1)
				break;
		}
		assert_in_range(n, 1, 9999);
	}
	op = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	assert_int_equal(sim_evtchn(other->vcpu[0], EVTCHNOP_alloc_unbound, &op), 0);
	assert_int_equal(
	    sim_add_to_physmap(other->vcpu[0], XENMAPSPACE_shared_info, 0, 1u << ORDER_2M), 0);
	domain_check_invariants(greedy_one);
	domain_check_invariants(other);
	sim_end_all();
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_go_back_and_forth),
		cmocka_unit_test(events_survive_spurious_interrupts),
		cmocka_unit_test(moving_receivers_lose_nothing),
		cmocka_unit_test(domains_come_and_go),
		cmocka_unit_test(receivers_may_die),
		cmocka_unit_test(what_waits_is_woken),
		cmocka_unit_test(pauses_hold),
		cmocka_unit_test(wild_guests_hurt_nobody),
		cmocka_unit_test(event_storms_hurt_nobody),
		cmocka_unit_test(waiting_storms_hurt_nobody),
		cmocka_unit_test(greedy_guests_hurt_themselves),
		cmocka_unit_test(failures_leave_everything_whole),
		cmocka_unit_test(pools_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
