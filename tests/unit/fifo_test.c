/* SPDX-License-Identifier: Apache-2.0 */
/* FIFO event channels: each test is one rule of the ABI, or one promise of core/evtchn/port_fifo.c. */
#include "evtchn.h"

#define PENDING     (1u << EVTCHN_FIFO_PENDING)
#define MASKED      (1u << EVTCHN_FIFO_MASKED)
#define LINKED      (1u << EVTCHN_FIFO_LINKED)
#define LINK        ((uint32_t)EVTCHN_FIFO_LINK_MASK)

/* Where `two`, the domain with FIFO ports, has its pages. */
#define CONTROL_GFN 4u /* one a vCPU */
#define ARRAY_GFN   8u
#define VCPUS       2u
#define DEFAULT     EVTCHN_FIFO_PRIORITY_DEFAULT

static void two_domains(unsigned cpus, uint64_t seed)
{
	struct domain_config cfg = {
		.max_vcpus = VCPUS,
		.max_frames = 64,
		.max_evtchn = 8192,
		.max_grant_frames = 4,
		.max_maptrack_frames = 4,
		.node = ALLOC_ANY_NODE,
	};

	sim_boot(cpus, 64 << 20, seed);
	one = sim_domain(VCPUS, 16);
	two = sim_domain_cfg(&cfg, 32);
}

static int setup_fifo(void **state)
{
	two_domains(2, 1);
	return 0;
}

/* ---- the operations, in a line each ---------------------------------------------------------- */

static int64_t init_control(struct domain *d, uint32_t vcpu, uint64_t g, uint32_t offset)
{
	struct evtchn_init_control op = { .control_gfn = g, .offset = offset, .vcpu = vcpu };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_init_control, &op);

	if (!err)
		assert_int_equal(op.link_bits, EVTCHN_FIFO_LINK_BITS);
	return err;
}

static int64_t expand(struct domain *d, uint64_t g)
{
	struct evtchn_expand_array op = { .array_gfn = g };

	return sim_evtchn(v0(d), EVTCHNOP_expand_array, &op);
}

static int64_t set_priority(struct domain *d, uint32_t port, uint32_t priority)
{
	struct evtchn_set_priority op = { .port = port, .priority = priority };

	return sim_evtchn(v0(d), EVTCHNOP_set_priority, &op);
}

/* A port of `two` for an event that it sends itself. */
static uint32_t ipi(uint32_t vcpu)
{
	uint32_t port;

	assert_int_equal(bind_ipi(two, vcpu, &port), 0);
	return port;
}

/* A port of `two` on which `one` sends by *theirs. */
static uint32_t channel(uint32_t *theirs)
{
	uint32_t port = unbound(two, one->id);

	assert_int_equal(bind(one, two->id, port, theirs), 0);
	return port;
}

/* `two` has FIFO ports: its vCPUs' control blocks and a page of words. */
static void fifo(void)
{
	for (uint32_t i = 0; i < VCPUS; i++)
		assert_int_equal(init_control(two, i, CONTROL_GFN + i, 64), 0);
	assert_int_equal(expand(two, ARRAY_GFN), 0);
}

/* ---- what the guest sees ----------------------------------------------------------------------- */

static gva_t word_at(uint32_t port)
{
	return gva(((uint64_t)ARRAY_GFN << PAGE_SHIFT) + port * sizeof(event_word_t));
}

static gva_t control_at(uint32_t vcpu, size_t offset)
{
	return gva(((uint64_t)(CONTROL_GFN + vcpu) << PAGE_SHIFT) + 64 + offset);
}

static uint32_t peek(gva_t at)
{
	uint32_t w;

	assert_true(sim_peek(v0(two), at, &w, sizeof(w)));
	return w;
}

static uint32_t word(uint32_t port)
{
	return peek(word_at(port));
}

static void set_word(uint32_t port, uint32_t w)
{
	assert_true(sim_poke(v0(two), word_at(port), &w, sizeof(w)));
}

static uint32_t head(uint32_t vcpu, unsigned priority)
{
	return peek(control_at(vcpu, offsetof(struct evtchn_fifo_control_block, head[priority])));
}

/* The ready bits, which are taken. */
static uint32_t ready(uint32_t vcpu)
{
	const gva_t at = control_at(vcpu, offsetof(struct evtchn_fifo_control_block, ready));
	uint32_t bits = peek(at), none = 0;

	assert_true(sim_poke(v0(two), at, &none, sizeof(none)));
	return bits;
}

/* Has it been told since the last time? */
static bool upcall_at(uint32_t vcpu)
{
	struct vcpu *v = two->vcpu[vcpu];
	bool yes = v->info->evtchn_upcall_pending && v->arch.upcall;

	v->info->evtchn_upcall_pending = 0;
	v->arch.upcall = 0;
	return yes;
}

/* The guest takes out what is at the head. */
static uint32_t take_out(uint32_t port)
{
	uint32_t w = word(port);

	set_word(port, w & ~(LINKED | LINK | PENDING));
	return w & LINK;
}

/* ---- setting up ---------------------------------------------------------------------------------- */

static void control_blocks_are_checked(void **state)
{
	const uint32_t last = PAGE_SIZE - sizeof(struct evtchn_fifo_control_block);

	assert_int_equal(init_control(two, VCPUS, CONTROL_GFN, 0), -ENOENT);
	assert_int_equal(init_control(two, 0xffffffff, CONTROL_GFN, 0), -ENOENT);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 4), -EINVAL);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, last + 8), -EINVAL);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 0xfffffff8), -EINVAL);
	assert_int_equal(init_control(two, 0, 0x10000, 0), -EINVAL);
	assert_int_equal(init_control(two, 0, ~0ull, 0), -EINVAL);
	assert_null(two->evtchn.fifo);
	assert_int_equal(expand(two, ARRAY_GFN), -EOPNOTSUPP);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, last & ~7u), 0);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 0), -EINVAL); /* has one */
	assert_int_equal(init_control(two, 1, CONTROL_GFN + 1, 0), 0);
}

static void the_array_grows_to_its_limit(void **state)
{
	fifo();
	assert_int_equal(expand(two, 0x10000), -EINVAL);
	for (unsigned i = 1; i < EVTCHN_MAX_PORTS / 1024; i++)
		assert_int_equal(expand(two, ARRAY_GFN), 0);
	assert_int_equal(expand(two, ARRAY_GFN), -ENOSPC);
}

static void without_memory_ports_stay_two_level(void **state)
{
	sim_fail_pool(1);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 0), -ENOMEM);
	assert_null(two->evtchn.fifo);
	sim_fail_pool(2);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 0), -ENOMEM);
	assert_null(two->evtchn.fifo);
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 0), 0);
}

static void there_may_be_more_ports_than_two_levels_have(void **state)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = one->id };
	uint32_t n = 1;

	while (sim_evtchn(v0(two), EVTCHNOP_alloc_unbound, &op) == 0)
		n++;
	assert_int_equal(n, 4096);
	assert_int_equal(reset(two), 0);
	fifo();
	n = 1;
	while (sim_evtchn(v0(two), EVTCHNOP_alloc_unbound, &op) == 0)
		n++;
	assert_int_equal(n, 8192);
	/* Back to two levels: the others are not given out. */
	assert_int_equal(reset(two), 0);
	assert_null(two->evtchn.fifo);
	domain_check_invariants(two);
	n = 1;
	while (sim_evtchn(v0(two), EVTCHNOP_alloc_unbound, &op) == 0) {
		assert_true(op.port < 4096);
		n++;
	}
	assert_int_equal(n, 4096);
	/* And there again as FIFO ports. */
	assert_int_equal(init_control(two, 0, CONTROL_GFN, 64), 0);
	while (sim_evtchn(v0(two), EVTCHNOP_alloc_unbound, &op) == 0)
		n++;
	assert_int_equal(n, 8192);
}

/* Ports beyond those with two levels are as good as unknown once the domain is back to these. */
static void no_port_leads_out_of_the_shared_page(void **state)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = one->id };
	struct {
		struct sched_poll p;
		evtchn_port_t port;
	} a = { .p = { .nr_ports = 1, .timeout = 1 }, .port = 4096 };
	const struct evtchn_port_ops *ops;
	uint32_t n = 1;

	fifo();
	while (sim_evtchn(v0(two), EVTCHNOP_alloc_unbound, &op) == 0)
		n++;
	assert_int_equal(n, 8192);
	assert_int_equal(unmask(two, 8191), 0);
	assert_int_equal(reset(two), 0);
	assert_int_equal(unmask(two, 4095), 0);
	assert_int_equal(unmask(two, 4096), -EINVAL);
	assert_int_equal(unmask(two, 8191), -EINVAL);
	assert_int_equal(bind_vcpu(two, 4096, 0), -EINVAL);
	set_xen_guest_handle(a.p.ports,
			     (evtchn_port_t *)(uintptr_t)(sim_arg(v0(two)).a + sizeof(a.p)));
	assert_int_equal(sim_call(v0(two), __HYPERVISOR_sched_op, SCHEDOP_poll, &a), -EINVAL);

	/* A sender that had looked up the port before: its event goes to one of those that there are. */
	ops = two->evtchn.ops;
	ops->set_pending(two, v0(two), 8191);
	assert_true(two->shared_info->evtchn_pending[4095 / 64] >> 63);
	assert_int_equal(v0(two)->info->evtchn_pending_sel, 1ull << 63);
	assert_true(ops->is_pending(two, 8191));
	ops->clear_pending(two, 8191);
	assert_false(ops->is_pending(two, 4095));
}

/* ---- queues ----------------------------------------------------------------------------------------- */

static void the_first_event_becomes_the_head(void **state)
{
	uint32_t port;

	fifo();
	port = ipi(1);
	assert_int_equal(send(two, port), 0);
	assert_int_equal(word(port), PENDING | LINKED);
	assert_int_equal(head(1, DEFAULT), port);
	assert_int_equal(ready(1), 1u << DEFAULT);
	assert_true(upcall_at(1));
	assert_int_equal(ready(0), 0);
	assert_false(upcall_at(0));
}

static void events_are_linked_in_order(void **state)
{
	uint32_t a, b, c;

	fifo();
	a = ipi(0), b = ipi(0), c = ipi(0);
	assert_int_equal(send(two, b), 0);
	assert_true(upcall_at(0));
	assert_int_equal(ready(0), 1u << DEFAULT);
	assert_int_equal(send(two, a), 0);
	assert_int_equal(send(two, c), 0);
	assert_int_equal(head(0, DEFAULT), b);
	assert_int_equal(word(b), PENDING | LINKED | a);
	assert_int_equal(word(a), PENDING | LINKED | c);
	assert_int_equal(word(c), PENDING | LINKED);
	/* The queue was not empty: the guest knows. */
	assert_false(upcall_at(0));
	assert_int_equal(ready(0), 0);
}

static void an_event_is_linked_once(void **state)
{
	uint32_t a, b;

	fifo();
	a = ipi(0), b = ipi(0);
	assert_int_equal(send(two, a), 0);
	assert_int_equal(send(two, b), 0);
	assert_int_equal(send(two, a), 0);
	assert_int_equal(send(two, b), 0);
	assert_int_equal(word(a), PENDING | LINKED | b);
	assert_int_equal(word(b), PENDING | LINKED);
	/* Handled, but not taken out yet: pending again where it is. */
	set_word(a, word(a) & ~PENDING);
	assert_int_equal(send(two, a), 0);
	assert_int_equal(word(a), PENDING | LINKED | b);
}

static void an_empty_queue_begins_at_the_head_again(void **state)
{
	uint32_t a, b;

	fifo();
	a = ipi(0), b = ipi(0);
	assert_int_equal(send(two, a), 0);
	assert_true(upcall_at(0));
	ready(0);
	assert_int_equal(take_out(a), 0);
	/* What was the tail is not any more, be it another port or the same. */
	assert_int_equal(send(two, b), 0);
	assert_int_equal(head(0, DEFAULT), b);
	assert_int_equal(word(a), 0);
	assert_int_equal(ready(0), 1u << DEFAULT);
	assert_true(upcall_at(0));
	assert_int_equal(take_out(b), 0);
	assert_int_equal(send(two, b), 0);
	assert_int_equal(word(b), PENDING | LINKED);
	assert_int_equal(head(0, DEFAULT), b);
	assert_true(upcall_at(0));
}

static void each_priority_has_a_queue(void **state)
{
	uint32_t a, b;

	fifo();
	a = ipi(0), b = ipi(0);
	assert_int_equal(set_priority(two, a, EVTCHN_FIFO_PRIORITY_MIN), 0);
	assert_int_equal(set_priority(two, b, EVTCHN_FIFO_PRIORITY_MAX), 0);
	assert_int_equal(set_priority(two, a, EVTCHN_FIFO_PRIORITY_MIN + 1), -EINVAL);
	assert_int_equal(set_priority(two, 8000, 0), -EINVAL);
	assert_int_equal(send(two, a), 0);
	assert_int_equal(send(two, b), 0);
	assert_int_equal(head(0, EVTCHN_FIFO_PRIORITY_MIN), a);
	assert_int_equal(head(0, EVTCHN_FIFO_PRIORITY_MAX), b);
	assert_int_equal(ready(0), 1u << EVTCHN_FIFO_PRIORITY_MIN | 1u << EVTCHN_FIFO_PRIORITY_MAX);
}

static void a_new_port_has_the_default_priority(void **state)
{
	uint32_t port;
	struct evtchn_close op;

	fifo();
	port = ipi(0);
	assert_int_equal(set_priority(two, port, 3), 0);
	op.port = port;
	assert_int_equal(sim_evtchn(v0(two), EVTCHNOP_close, &op), 0);
	assert_int_equal(ipi(0), port);
	assert_int_equal(send(two, port), 0);
	assert_int_equal(head(0, DEFAULT), port);
}

/* A port that moves while it is linked stays where it is; next time it goes to the new queue, and is no tail of the old one. */
static void a_port_moves_when_it_is_linked_next(void **state)
{
	uint32_t mine, theirs, other;

	fifo();
	mine = channel(&theirs);
	other = ipi(0);
	assert_int_equal(send(one, theirs), 0);
	assert_int_equal(bind_vcpu(two, mine, 1), 0);
	assert_int_equal(set_priority(two, mine, 2), 0);
	assert_int_equal(send(one, theirs), 0);
	assert_int_equal(head(0, DEFAULT), mine);
	assert_int_equal(head(1, 2), 0);
	take_out(mine);
	assert_int_equal(send(one, theirs), 0);
	assert_int_equal(head(1, 2), mine);
	assert_true(upcall_at(1));
	/* The old queue's tail is LINKED again, but elsewhere: this one starts a queue. */
	assert_int_equal(send(two, other), 0);
	assert_int_equal(head(0, DEFAULT), other);
	assert_int_equal(word(mine), PENDING | LINKED);
}

static void a_masked_event_is_pending_only(void **state)
{
	uint32_t port;

	fifo();
	port = ipi(0);
	set_word(port, MASKED);
	assert_int_equal(send(two, port), 0);
	assert_int_equal(word(port), PENDING | MASKED);
	assert_false(upcall_at(0));
	assert_int_equal(unmask(two, port), 0);
	assert_int_equal(word(port), PENDING | LINKED);
	assert_int_equal(head(0, DEFAULT), port);
	assert_true(upcall_at(0));
	assert_int_equal(unmask(two, port), 0);
	assert_int_equal(word(port), PENDING | LINKED);
	assert_int_equal(unmask(two, 5000), -EINVAL);
}

static void a_closed_port_is_not_pending(void **state)
{
	struct evtchn_close op;

	fifo();
	op.port = ipi(0);
	assert_int_equal(send(two, op.port), 0);
	assert_int_equal(sim_evtchn(v0(two), EVTCHNOP_close, &op), 0);
	/* Where it is in its queue the guest sees. */
	assert_int_equal(word(op.port), LINKED);
}

/* ---- events without a word --------------------------------------------------------------------------- */

static void events_from_before_are_delivered(void **state)
{
	uint32_t early = ipi(0), late;

	two->vcpu[0]->arch.upcall = 0;
	assert_int_equal(send(two, early), 0);
	upcall_at(0);
	for (uint32_t i = 0; i < VCPUS; i++)
		assert_int_equal(init_control(two, i, CONTROL_GFN + i, 64), 0);
	late = ipi(0);
	assert_int_equal(send(two, late), 0);
	assert_false(upcall_at(0));
	assert_int_equal(expand(two, ARRAY_GFN), 0);
	assert_int_equal(head(0, DEFAULT), early);
	assert_int_equal(word(early), PENDING | LINKED | late);
	assert_true(upcall_at(0));
}

/* The sender found two levels, and sets the bit after those that were set have been taken over. */
static void an_event_that_crosses_the_switch_is_delivered(void **state)
{
	const struct evtchn_port_ops *before = two->evtchn.ops;
	uint32_t port = ipi(0);

	for (uint32_t i = 0; i < VCPUS; i++)
		assert_int_equal(init_control(two, i, CONTROL_GFN + i, 64), 0);
	before->set_pending(two, v0(two), port);
	upcall_at(0);
	assert_int_equal(expand(two, ARRAY_GFN), 0);
	assert_int_equal(head(0, DEFAULT), port);
	assert_true(upcall_at(0));
	assert_false(before->is_pending(two, port));
}

static void a_closed_port_has_no_priority(void **state)
{
	struct evtchn_close op;

	op.port = ipi(0);
	assert_int_equal(set_priority(two, op.port, 0), -ENOSYS);
	fifo();
	assert_int_equal(set_priority(two, op.port, 16), -EINVAL);
	assert_int_equal(set_priority(two, op.port, 0), 0);
	assert_int_equal(sim_evtchn(v0(two), EVTCHNOP_close, &op), 0);
	assert_int_equal(set_priority(two, op.port, 16), -EACCES);
	assert_int_equal(set_priority(two, 0, 0), -EACCES);
	assert_int_equal(set_priority(two, 8192, 0), -EINVAL);
}

static void a_vcpu_without_queues_keeps_its_events_pending(void **state)
{
	uint32_t port;

	assert_int_equal(init_control(two, 0, CONTROL_GFN, 64), 0);
	assert_int_equal(expand(two, ARRAY_GFN), 0);
	port = ipi(1);
	assert_int_equal(send(two, port), 0);
	assert_int_equal(word(port), PENDING);
	assert_int_equal(init_control(two, 1, CONTROL_GFN + 1, 64), 0);
	assert_int_equal(send(two, port), 0);
	assert_int_equal(word(port), PENDING | LINKED);
	assert_true(upcall_at(1));
}

static void a_poll_sees_what_is_pending(void **state)
{
	struct {
		struct sched_poll p;
		evtchn_port_t port;
	} a = { .p = { .nr_ports = 1, .timeout = 1 } };

	fifo();
	a.port = ipi(0);
	set_word(a.port, MASKED);
	assert_int_equal(send(two, a.port), 0);
	set_xen_guest_handle(a.p.ports,
			     (evtchn_port_t *)(uintptr_t)(sim_arg(v0(two)).a + sizeof(a.p)));
	assert_int_equal(sim_call(v0(two), __HYPERVISOR_sched_op, SCHEDOP_poll, &a), 0);
	assert_false(v0(two)->polling);
}

static void a_reset_gives_the_pages_back(void **state)
{
	uint32_t port;

	fifo();
	assert_int_equal(reset(two), 0);
	assert_null(two->evtchn.fifo);
	port = ipi(0);
	assert_int_equal(send(two, port), 0);
	assert_int_equal(word(port), 0);
	assert_true(two->shared_info->evtchn_pending[0] >> port & 1);
	assert_int_equal(expand(two, ARRAY_GFN), -EOPNOTSUPP);
	fifo();
	assert_true(word(port) & PENDING);
}

/* ---- races -------------------------------------------------------------------------------------------- */

#define PORTS  6u
#define ROUNDS 40u

/* Of `two`'s ports: what was sent, and what the guest had seen sent when it handled the port last. */
static struct {
	uint32_t mine, theirs;
	unsigned sent, seen;
} ch[PORTS];

static uint32_t place[VCPUS][EVTCHN_FIFO_MAX_QUEUES]; /* where `two` is in each queue */

static void clear_bits(struct vcpu *v, gva_t at, uint32_t bits, uint32_t *old)
{
	*old = 0;
	while (!sim_guest_cas(v, at, old, *old & ~bits))
		continue;
}

static void set_bits(struct vcpu *v, gva_t at, uint32_t bits, uint32_t *old)
{
	*old = 0;
	while (!sim_guest_cas(v, at, old, *old | bits))
		continue;
}

static void handle(struct vcpu *v, uint32_t port)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (ch[i].mine == port)
			__atomic_store_n(&ch[i].seen, __atomic_load_n(&ch[i].sent, __ATOMIC_SEQ_CST),
					 __ATOMIC_SEQ_CST);
}

/* As a kernel does it: mask now and then, move ports, change priorities. */
static void disturb(struct vcpu *v)
{
	uint32_t port = ch[sim_random(PORTS)].mine, old;
	struct evtchn_unmask u = { .port = port };
	struct evtchn_bind_vcpu b = { .port = port, .vcpu = (uint32_t)sim_random(VCPUS) };
	struct evtchn_set_priority p = { .port = port, .priority = (uint32_t)sim_random(3) };

	switch (sim_random(6)) {
	case 0: sim_check(sim_evtchn(v, EVTCHNOP_bind_vcpu, &b) == 0); break;
	case 1: sim_check(sim_evtchn(v, EVTCHNOP_set_priority, &p) == 0); break;
	case 2:
		set_bits(v, word_at(port), MASKED, &old);
		sim_check(sim_evtchn(v, EVTCHNOP_unmask, &u) == 0);
		break;
	default: break;
	}
}

/* Each vCPU takes what is in its own queues, from the highest priority on. */
static bool consumer(struct vcpu *v, void *arg)
{
	const gva_t ready_at = control_at(v->id, offsetof(struct evtchn_fifo_control_block, ready));
	const uint64_t info = ((uint64_t)SIM_SHARED_INFO_GFN << PAGE_SHIFT) +
			      v->id * sizeof(struct vcpu_info);
	uint32_t bits, old, got;
	uint8_t no = 0;

	sim_guest_mask(v, true);
	sim_guest_write(v, gva(info + offsetof(struct vcpu_info, evtchn_upcall_pending)), &no, 1);
	clear_bits(v, ready_at, ~0u, &bits);
	if (!bits) {
		disturb(v);
		sim_guest_wait(v);
		sim_guest_mask(v, false);
		return true;
	}
	sim_guest_mask(v, false);
	while (bits) {
		unsigned q = (unsigned)__builtin_ctz(bits);
		uint32_t port = place[v->id][q];

		if (!port) {
			gva_t h = control_at(v->id,
					     offsetof(struct evtchn_fifo_control_block, head[q]));

			sim_guest_read(v, h, &port, sizeof(port));
		}
		clear_bits(v, word_at(port), LINKED | LINK, &old);
		place[v->id][q] = old & LINK;
		if (!(old & LINK))
			bits &= ~(1u << q);
		if ((old & PENDING) && !(old & MASKED)) {
			clear_bits(v, word_at(port), PENDING, &old);
			handle(v, port);
		}
		if (sim_random(4) == 0)
			disturb(v);
		clear_bits(v, ready_at, ~0u, &got);
		bits |= got;
	}
	return true;
}

static bool sender(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned c = (unsigned)sim_random(PORTS);
		struct evtchn_send op = { .port = ch[c].theirs };

		(void)__atomic_fetch_add(&ch[c].sent, 1, __ATOMIC_SEQ_CST);
		sim_check(sim_evtchn(v, EVTCHNOP_send, &op) == 0);
	}
	return false;
}

static bool all_seen(void *arg)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, one) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	for (unsigned i = 0; i < PORTS; i++)
		if (__atomic_load_n(&ch[i].seen, __ATOMIC_SEQ_CST) !=
		    __atomic_load_n(&ch[i].sent, __ATOMIC_SEQ_CST))
			return false;
	return true;
}

static void set_up_channels(void)
{
	sim_map_shared_info(v0(two));
	fifo();
	memset(ch, 0, sizeof(ch));
	memset(place, 0, sizeof(place));
	for (unsigned i = 0; i < PORTS; i++) {
		ch[i].mine = channel(&ch[i].theirs);
		assert_int_equal(bind_vcpu(two, ch[i].mine, i % VCPUS), 0);
	}
}

/* `one` sends from all its vCPUs while those of `two` do `theirs`, until `end`. */
static void race(uint64_t seed, sim_guest_fn *theirs, bool (*end)(void *))
{
	two_domains(4, seed);
	set_up_channels();
	for (unsigned i = 0; i < VCPUS; i++) {
		sim_guest_set(one->vcpu[i], sender, NULL, NULL);
		sim_guest_set(two->vcpu[i], theirs, NULL, NULL);
	}
	sim_start(two);
	sim_start(one);
	if (!sim_run(end, NULL))
		sim_fail("it does not end: an event was lost, or somebody waits for ever");
}

static void no_event_is_lost(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(RACE_SEEDS); seed++) {
		race(seed, consumer, all_seen);
		sim_teardown(NULL);
	}
}

static bool scribble(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < 4 * ROUNDS; i++) {
		uint32_t w = (uint32_t)sim_random(1ull << 32), old;
		gva_t at = sim_random(2)
			       ? word_at((uint32_t)sim_random(2 * PORTS))
			       : control_at((uint32_t)sim_random(VCPUS), 4 * sim_random(18));

		set_bits(v, at, w, &old);
		clear_bits(v, at, ~w, &old);
	}
	return false;
}

static bool senders_done(void *arg)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, one) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	return true;
}

/* Whatever it writes there, only it has the trouble. */
static void a_wild_guest_hurts_itself_only(void **state)
{
	for (uint64_t seed = 1; seed <= RACE_SEEDS; seed++) {
		race(seed, scribble, senders_done);
		sim_teardown(NULL);
	}
}

static bool resetter(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		struct evtchn_reset r = { .dom = DOMID_SELF };
		struct evtchn_init_control c = { .control_gfn = CONTROL_GFN + v->id,
						 .offset = 64,
						 .vcpu = v->id };
		struct evtchn_expand_array x = { .array_gfn = ARRAY_GFN };

		sim_check(sim_evtchn(v, EVTCHNOP_reset, &r) == 0);
		(void)sim_evtchn(v, EVTCHNOP_init_control, &c);
		(void)sim_evtchn(v, EVTCHNOP_expand_array, &x);
	}
	return false;
}

static void resets_race_with_sends(void **state)
{
	for (uint64_t seed = 1; seed <= RACE_SEEDS; seed++) {
		race(seed, resetter, senders_done);
		if (seed & 1)
			sim_end(two);
		sim_teardown(NULL);
	}
}

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, setup_fifo, sim_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(control_blocks_are_checked),
		RULE(the_array_grows_to_its_limit),
		RULE(without_memory_ports_stay_two_level),
		RULE(there_may_be_more_ports_than_two_levels_have),
		RULE(no_port_leads_out_of_the_shared_page),
		RULE(the_first_event_becomes_the_head),
		RULE(events_are_linked_in_order),
		RULE(an_event_is_linked_once),
		RULE(an_empty_queue_begins_at_the_head_again),
		RULE(each_priority_has_a_queue),
		RULE(a_new_port_has_the_default_priority),
		RULE(a_port_moves_when_it_is_linked_next),
		RULE(a_masked_event_is_pending_only),
		RULE(a_closed_port_is_not_pending),
		RULE(events_from_before_are_delivered),
		RULE(an_event_that_crosses_the_switch_is_delivered),
		RULE(a_closed_port_has_no_priority),
		RULE(a_vcpu_without_queues_keeps_its_events_pending),
		RULE(a_poll_sees_what_is_pending),
		RULE(a_reset_gives_the_pages_back),
		cmocka_unit_test(no_event_is_lost),
		cmocka_unit_test(a_wild_guest_hurts_itself_only),
		cmocka_unit_test(resets_race_with_sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
