/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of event channels share: two domains, the operations in a line each, and what the guest sees. */
#ifndef TESTS_UNIT_EVTCHN_H
#define TESTS_UNIT_EVTCHN_H

#include "sim.h"

/* Two domains with two vCPUs each; the test makes their hypercalls, nothing runs. */
static struct domain *one, *two;

UNUSED static int setup(void **state)
{
	sim_boot(2, 64 << 20, 1);
	one = sim_domain(2, 16);
	two = sim_domain(2, 16);
	return 0;
}

UNUSED static struct vcpu *v0(struct domain *d)
{
	return d->vcpu[0];
}

/* ---- the operations, in a line each ---------------------------------------------------------- */

UNUSED static int64_t alloc_unbound(struct domain *d, domid_t dom, domid_t remote, uint32_t *port)
{
	struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_alloc_unbound, &op);

	*port = op.port;
	return err;
}

UNUSED static uint32_t unbound(struct domain *d, domid_t remote)
{
	uint32_t port;

	assert_int_equal(alloc_unbound(d, DOMID_SELF, remote, &port), 0);
	return port;
}

UNUSED static int64_t bind(struct domain *d, domid_t remote, uint32_t remote_port, uint32_t *port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_bind_interdomain, &op);

	*port = op.local_port;
	return err;
}

UNUSED static int64_t bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_bind_virq, &op);

	*port = op.port;
	return err;
}

UNUSED static int64_t bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	int64_t err = sim_evtchn(v0(d), EVTCHNOP_bind_ipi, &op);

	*port = op.port;
	return err;
}

UNUSED static int64_t bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

	return sim_evtchn(v0(d), EVTCHNOP_bind_vcpu, &op);
}

UNUSED static int64_t send(struct domain *d, uint32_t port)
{
	struct evtchn_send op = { .port = port };

	return sim_evtchn(v0(d), EVTCHNOP_send, &op);
}

UNUSED static int64_t close_port(struct domain *d, uint32_t port)
{
	struct evtchn_close op = { .port = port };

	return sim_evtchn(v0(d), EVTCHNOP_close, &op);
}

UNUSED static int64_t unmask(struct domain *d, uint32_t port)
{
	struct evtchn_unmask op = { .port = port };

	return sim_evtchn(v0(d), EVTCHNOP_unmask, &op);
}

UNUSED static int64_t reset(struct domain *d)
{
	struct evtchn_reset op = { .dom = DOMID_SELF };

	return sim_evtchn(v0(d), EVTCHNOP_reset, &op);
}

UNUSED static struct evtchn_status status(struct domain *d, uint32_t port)
{
	struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

	assert_int_equal(sim_evtchn(v0(d), EVTCHNOP_status, &op), 0);
	return op;
}

/* A channel from `a` to `b`. */
UNUSED static void join(struct domain *a, struct domain *b, uint32_t *pa, uint32_t *pb)
{
	*pb = unbound(b, a->id);
	assert_int_equal(bind(a, b->id, *pb, pa), 0);
}

/* ---- what the guest sees in its shared pages ------------------------------------------------- */

#define WORD (8 * sizeof(xen_ulong_t))

UNUSED static bool pending(struct domain *d, uint32_t port)
{
	return d->shared_info->evtchn_pending[port / WORD] >> port % WORD & 1;
}

UNUSED static void set_mask(struct domain *d, uint32_t port, bool masked)
{
	xen_ulong_t bit = (xen_ulong_t)1 << port % WORD,
		    *w = &d->shared_info->evtchn_mask[port / WORD];

	*w = masked ? *w | bit : *w & ~bit;
}

UNUSED static bool selected(struct vcpu *v, uint32_t port)
{
	return v->info->evtchn_pending_sel >> port / WORD & 1;
}

UNUSED static bool told(struct vcpu *v)
{
	return v->arch.upcall != 0;
}

/* As if the guest had handled everything. */
UNUSED static void quiet(struct domain *d)
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

UNUSED static bool delivered(struct vcpu *v, uint32_t port)
{
	return pending(v->domain, port) && selected(v, port) && v->info->evtchn_upcall_pending &&
	       told(v);
}

#endif
