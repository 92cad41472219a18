/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: the hot path. No lock is taken. A port is read once; the peer's domain stays in memory for as long as
 * we are in the hypervisor (RCU), even when the channel is closed under our feet. A send that races
 * with closing is then either delivered or dropped, and never reaches a port that did not belong
 * to the channel's peer and to us.
 */
#include "internal.h"

void port_wake_pollers(struct domain *d, uint32_t port)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, d)
	{
		uint32_t only = read_once(&v->poll_port);

		if (!read_once(&v->polling) || (only && only != port))
			continue;
		evtchn_poll_end(v);
		vcpu_wake(v);
	}
}

void evtchn_poll_begin(struct vcpu *v, uint32_t port)
{
	write_once(&v->poll_port, port);
	if (!atomic_xchg(&v->polling, true))
		(void)atomic_add(&v->domain->evtchn.pollers, 1u);
	atomic_fence(); /* the ports are looked at afterwards: pairs with port_has_pollers() */
}

void evtchn_poll_end(struct vcpu *v)
{
	if (read_once(&v->polling) && atomic_xchg(&v->polling, false))
		(void)atomic_sub(&v->domain->evtchn.pollers, 1u);
}

/*
 * What was read of our own port may be a mixture of an old and a new channel. The peer's port decides: what it
 * names as its peer was allowed to send to it.
 */
static int send_interdomain(const struct domain *d, const struct evtchn *e, struct domain *remote)
{
	uint32_t port = read_once(&e->remote_port);
	const struct evtchn *re = port_find(remote, port);

	if (likely(re && read_once(&re->remote) == d))
		port_notify(remote, re, port);
	return 0;
}

int evtchn_send(struct domain *d, uint32_t port)
{
	struct evtchn *e = port_find(d, port);
	struct domain *remote;

	if (unlikely(!e))
		return refuse(R_NO_SUCH_PORT, port, read_once(&d->evtchn.nr_ports), d->id);
	remote = rcu_load(&e->remote);
	if (likely(remote))
		return send_interdomain(d, e, remote);
	switch (load_acquire(&e->state)) {
	case EVTCHN_IPI: port_notify(d, e, port); return 0;
	case EVTCHN_SERVED: port_serve(d, port, e); return 0;
	case EVTCHN_INTERDOMAIN: /* closed a moment ago */
	case EVTCHN_UNBOUND: /* nobody listens: dropped */ return 0;
	default: return refuse(R_PORT_NOT_SENDABLE, port, 0, d->id);
	}
}

void evtchn_notify_served(struct domain *d, uint32_t port)
{
	const struct evtchn *e = port_find(d, port);

	if (e && load_acquire(&e->state) == EVTCHN_SERVED)
		port_notify(d, e, port);
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
	struct evtchn *e;
	int err;

	err = port_check(d, port, &e);
	if (!err)
		rcu_load(&d->evtchn.ops)->unmask(d, port);
	return err;
}
