/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EVTCHNOP_*: decoding. An operation that answers asks first whether the answer can be written, so that
 * no port is left open that nobody knows of (Xen leaves it bound).
 */
#include <hv/hypercall.h>

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/policy.h>

static int64_t no_domain(domid_t id)
{
	return refuse(R_NO_SUCH_DOMAIN, id, 0, 0);
}

static int64_t send(struct vcpu *v, gva_t arg)
{
	struct evtchn_send op;
	int err;

	err = guest_get(v, &op, arg);
	return unlikely(err) ? err : evtchn_send(v->domain, op.port);
}

static int64_t alloc_unbound(struct vcpu *v, gva_t arg)
{
	struct evtchn_alloc_unbound op;
	struct domain *d;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	d = domain_get(op.dom);
	if (!d)
		return no_domain(op.dom);
	err = policy_evtchn_alloc(v->domain, d);
	if (err)
		goto out;
	err = evtchn_alloc_unbound(d, op.remote_dom == DOMID_SELF ? v->domain->id : op.remote_dom,
				   &op.port);
	if (!err)
		err = guest_put(v, arg, &op);
out:
	domain_put(d);
	return err;
}

static int64_t bind_interdomain(struct vcpu *v, gva_t arg)
{
	struct evtchn_bind_interdomain op;
	struct domain *remote;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	remote = domain_get(op.remote_dom);
	if (!remote)
		return no_domain(op.remote_dom);
	err = policy_evtchn_bind(v->domain, remote);
	if (err)
		goto out;
	err = evtchn_bind_interdomain(v->domain, domain_vcpu(v->domain, 0), remote, op.remote_port,
				      &op.local_port);
	if (!err)
		err = guest_put(v, arg, &op);
out:
	domain_put(remote);
	return err;
}

static int64_t bind_virq(struct vcpu *v, gva_t arg)
{
	struct evtchn_bind_virq op;
	int err;

	err = guest_fetch(v, &op, arg);
	if (!err)
		err = op.virq < NR_VIRQS ? policy_virq(v->domain, op.virq) : 0;
	if (!err)
		err = evtchn_bind_virq(v->domain, op.virq, op.vcpu, &op.port);
	return err ? err : guest_put(v, arg, &op);
}

static int64_t bind_ipi(struct vcpu *v, gva_t arg)
{
	struct evtchn_bind_ipi op;
	int err;

	err = guest_fetch(v, &op, arg);
	if (!err)
		err = evtchn_bind_ipi(v->domain, op.vcpu, &op.port);
	return err ? err : guest_put(v, arg, &op);
}

static int64_t bind_pirq(struct vcpu *v, gva_t arg)
{
	struct evtchn_bind_pirq op;
	int err;

	err = guest_fetch(v, &op, arg);
	if (!err)
		err = evtchn_bind_pirq(v->domain, op.pirq, op.flags, &op.port);
	return err ? err : guest_put(v, arg, &op);
}

static int64_t close(struct vcpu *v, gva_t arg)
{
	struct evtchn_close op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : evtchn_close(v->domain, op.port);
}

static int64_t status(struct vcpu *v, gva_t arg)
{
	struct evtchn_status op;
	struct domain *d;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	d = domain_get(op.dom);
	if (!d)
		return no_domain(op.dom);
	err = policy_manage(v->domain, d, EVTCHNOP_status);
	if (!err)
		err = evtchn_status(d, op.port, &op);
	if (!err)
		err = guest_put(v, arg, &op);
	domain_put(d);
	return err;
}

static int64_t bind_vcpu(struct vcpu *v, gva_t arg)
{
	struct evtchn_bind_vcpu op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : evtchn_bind_vcpu(v->domain, op.port, op.vcpu);
}

static int64_t unmask(struct vcpu *v, gva_t arg)
{
	struct evtchn_unmask op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : evtchn_unmask(v->domain, op.port);
}

/* Ports closed so far stay closed, so going on is doing the same again. */
static int64_t reset(struct vcpu *v, gva_t arg)
{
	struct evtchn_reset op;
	struct domain *d;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	d = domain_get(op.dom);
	if (!d)
		return no_domain(op.dom);
	err = policy_manage(v->domain, d, EVTCHNOP_reset);
	if (!err && d != v->domain && !read_once(&d->control_pauses))
		err = refuse(R_NOT_PAUSED, d->id, 0, 0);
	if (!err)
		do
			err = evtchn_reset(d);
		while (err == -ERR_RESTART && !hypercall_preempt(v));
	domain_put(d);
	return err;
}

static int64_t set_priority(struct vcpu *v, gva_t arg)
{
	struct evtchn_set_priority op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : evtchn_set_priority(v->domain, op.port, op.priority);
}

static int64_t init_control(struct vcpu *v, gva_t arg)
{
	struct evtchn_init_control op;
	int err;

	err = guest_fetch(v, &op, arg);
	if (!err)
		err = evtchn_init_control(v->domain, op.vcpu, gfn(op.control_gfn), op.offset);
	op.link_bits = EVTCHN_FIFO_LINK_BITS;
	return err ? err : guest_put(v, arg, &op);
}

static int64_t expand_array(struct vcpu *v, gva_t arg)
{
	struct evtchn_expand_array op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : evtchn_expand_array(v->domain, gfn(op.array_gfn));
}

/* Everything but sending; apart, so that sending saves fewer registers. */
static NOINLINE int64_t other(struct vcpu *v, uint32_t cmd, gva_t arg)
{
	switch (cmd) {
	case EVTCHNOP_alloc_unbound: return alloc_unbound(v, arg);
	case EVTCHNOP_bind_interdomain: return bind_interdomain(v, arg);
	case EVTCHNOP_bind_virq: return bind_virq(v, arg);
	case EVTCHNOP_bind_ipi: return bind_ipi(v, arg);
	case EVTCHNOP_bind_pirq: return bind_pirq(v, arg);
	case EVTCHNOP_close: return close(v, arg);
	case EVTCHNOP_status: return status(v, arg);
	case EVTCHNOP_bind_vcpu: return bind_vcpu(v, arg);
	case EVTCHNOP_unmask: return unmask(v, arg);
	case EVTCHNOP_reset: return reset(v, arg);
	case EVTCHNOP_set_priority: return set_priority(v, arg);
	case EVTCHNOP_init_control: return init_control(v, arg);
	case EVTCHNOP_expand_array: return expand_array(v, arg);
	default: return refuse(R_NOT_IMPLEMENTED, cmd, 0, __HYPERVISOR_event_channel_op);
	}
}

int64_t abi_event_channel_op(struct vcpu *v, uint64_t *a)
{
	if (likely((uint32_t)a[0] == EVTCHNOP_send))
		return send(v, gva(a[1]));
	return other(v, (uint32_t)a[0], gva(a[1]));
}
