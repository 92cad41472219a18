/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a port is: opening, joining, closing and describing ports. A change of one port takes its table's lock;
 * where two ports are joined or parted, both tables' locks. Each end of a channel counts a reference to
 * the domain of the other end.
 *
 *	FREE -> UNBOUND <-> INTERDOMAIN        FREE -> VIRQ, IPI        FREE -> SERVED -> INTERDOMAIN
 *
 * and from each of them to FREE. Closing one end of a channel leaves the other UNBOUND, waiting for the
 * same domain id again. Called by abi/evtchn.c, by the builder, by consoles and by destruction.
 */
#include "internal.h"

#include <hv/assert.h>
#include <hv/console.h>

static void hold(struct domain *d)
{
	bool alive = ref_get(&d->ref);

	assert_always(alive, "who names a domain holds a reference to it");
}

/* ---- opening --------------------------------------------------------------------------------- */

int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port)
{
	struct evtchn *e;
	int err;

	lock_take(&d->evtchn.lock);
	err = port_pick(d, port);
	if (!err) {
		e = port_claim(d, 0);
		e->remote_id = remote;
		port_open(e, EVTCHN_UNBOUND);
	}
	lock_release(&d->evtchn.lock);
	return err;
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
	int err;

	if (!domain_vcpu(d, vcpu))
		return refuse(R_NO_SUCH_VCPU, vcpu, d->max_vcpus, 0);
	lock_take(&d->evtchn.lock);
	err = port_pick(d, port);
	if (!err)
		port_open(port_claim(d, vcpu), EVTCHN_IPI);
	lock_release(&d->evtchn.lock);
	return err;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
	struct evtchn *e;
	struct vcpu *v;
	int err;

	if (virq >= NR_VIRQS)
		return refuse(R_NO_SUCH_VIRQ, virq, NR_VIRQS, 0);
	virq = (uint32_t)index_nospec(virq, NR_VIRQS);
	if (evtchn_virq_is_global(virq) && vcpu != 0)
		return refuse(R_VIRQ_IS_GLOBAL, virq, 0, vcpu);
	v = domain_find_vcpu(d, vcpu);
	if (!v)
		return refuse(R_NO_SUCH_VCPU, vcpu, d->max_vcpus, 0);

	lock_take(&d->evtchn.lock);
	if (v->virq_port[virq]) {
		err = refuse(R_VIRQ_BOUND, virq, v->virq_port[virq], vcpu);
		goto out;
	}
	err = port_pick(d, port);
	if (err)
		goto out;
	e = port_claim(d, vcpu);
	write_once(&e->virq, virq);
	port_open(e, EVTCHN_VIRQ);
	store_release(&v->virq_port[virq], *port);
out:
	lock_release(&d->evtchn.lock);
	return err;
}

int evtchn_bind_pirq(struct domain *d, uint32_t pirq, uint32_t flags, uint32_t *port)
{
	*port = 0;
	return refuse(R_NO_PIRQ, pirq, 0, 0);
}

/* ---- joining --------------------------------------------------------------------------------- */

/* The port of `remote` that waits for `d`: nobody has its other end, or the hypervisor until `d` comes. */
static int find_waiting(const struct domain *d, struct domain *remote, uint32_t port,
			struct evtchn **e)
{
	int err = port_check(remote, port, e);

	if (!err && (((*e)->state != EVTCHN_UNBOUND && (*e)->state != EVTCHN_SERVED) ||
		     (*e)->remote_id != d->id))
		err = refuse(R_PORT_NOT_WAITING, port, remote->id, d->id);
	return err;
}

static void join(struct evtchn *e, struct domain *remote, uint32_t remote_port)
{
	hold(remote);
	write_once(&e->remote_port, remote_port);
	port_open(e, EVTCHN_INTERDOMAIN);
	rcu_store(&e->remote, remote);
}

int evtchn_bind_interdomain(struct domain *d, struct vcpu *notify, struct domain *remote,
			    uint32_t remote_port, uint32_t *port)
{
	struct evtchn *e, *re;
	bool was_served = false;
	int err;

	lock_pair(&d->evtchn.lock, &remote->evtchn.lock);
	err = port_pick(d, port);
	if (!err)
		err = find_waiting(d, remote, remote_port, &re);
	if (err)
		goto out;
	e = port_claim(d, notify->id);
	was_served = re->state == EVTCHN_SERVED;
	join(e, remote, remote_port);
	join(re, d, *port);
	write_once(&re->xen_consumer, (uint8_t)0);
	/* The peer may have sent before anybody listened. */
	port_notify(d, e, *port);
out:
	lock_release_pair(&d->evtchn.lock, &remote->evtchn.lock);
	if (was_served) {
		console_taken(remote);
		/* A notification of ours may have found the port no longer served. */
		port_notify(remote, re, remote_port);
	}
	return err;
}

/* ---- closing --------------------------------------------------------------------------------- */

/*
 * Lock the table of `e` and, when it is one end of a channel, its peer's. The peer's domain cannot be freed
 * while we look (RCU); a port that changes in between is looked at again. Returns the peer, or NULL.
 */
NO_LOCK_CHECK static struct domain *lock_ends(struct domain *d, struct evtchn *e)
{
	for (;;) {
		struct domain *remote;

		lock_take(&d->evtchn.lock);
		if (e->state != EVTCHN_INTERDOMAIN)
			return NULL;
		remote = e->remote;
		if (remote == d)
			return d;
		lock_release(&d->evtchn.lock);
		lock_pair(&d->evtchn.lock, &remote->evtchn.lock);
		if (e->state == EVTCHN_INTERDOMAIN && e->remote == remote)
			return remote;
		lock_release_pair(&d->evtchn.lock, &remote->evtchn.lock);
	}
}

NO_LOCK_CHECK static void unlock_ends(struct domain *d, struct domain *remote)
{
	if (remote && remote != d)
		lock_release_pair(&d->evtchn.lock, &remote->evtchn.lock);
	else
		lock_release(&d->evtchn.lock);
}

/* The other end waits for a new connection from the same domain id. */
static void leave_unbound(const struct domain *d, struct domain *remote, uint32_t remote_port)
{
	struct evtchn *re = port_at(remote, remote_port);

	assert(re->state == EVTCHN_INTERDOMAIN && re->remote == d,
	       "both ends of a channel name each other");
	write_once(&re->remote, (struct domain *)NULL);
	write_once(&re->remote_id, d->id);
	port_open(re, EVTCHN_UNBOUND);
}

NO_LOCK_CHECK int port_close(struct domain *d, uint32_t port, bool forced)
{
	struct evtchn *e;
	struct domain *remote;
	int err;

	err = port_check(d, port, &e);
	if (err)
		return err;
	remote = lock_ends(d, e);
	switch (e->state) {
	case EVTCHN_FREE:
	case EVTCHN_RESERVED: err = refuse(R_PORT_NOT_OPEN, port, 0, d->id); goto out;
	case EVTCHN_SERVED:
		if (!forced) {
			err = refuse(R_PORT_SERVED, port, 0, d->id);
			goto out;
		}
		break;
	case EVTCHN_VIRQ: write_once(&virq_home(d, e)->virq_port[e->virq], 0u); break;
	case EVTCHN_INTERDOMAIN: leave_unbound(d, remote, e->remote_port); break;
	default: break;
	}
	port_free(d, port);
out:
	unlock_ends(d, remote);
	if (remote) {
		domain_put(remote);
		domain_put(d);
	}
	return err;
}

int evtchn_close(struct domain *d, uint32_t port)
{
	return port_close(d, port, false);
}

/* ---- asking and adjusting -------------------------------------------------------------------- */

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
	struct evtchn *e;
	int err;

	if (!domain_vcpu(d, vcpu))
		return refuse(R_NO_SUCH_VCPU, vcpu, d->max_vcpus, 0);
	err = port_check(d, port, &e);
	if (err)
		return err;
	lock_take(&d->evtchn.lock);
	switch (e->state) {
	case EVTCHN_VIRQ:
		if (!evtchn_virq_is_global(e->virq)) {
			err = refuse(R_PORT_VCPU_FIXED, port, e->vcpu, vcpu);
			break;
		}
		/* fall through */
	case EVTCHN_UNBOUND:
	case EVTCHN_INTERDOMAIN:
	case EVTCHN_PIRQ:
	case EVTCHN_SERVED: write_once(&e->vcpu, (uint16_t)vcpu); break;
	case EVTCHN_IPI: err = refuse(R_PORT_VCPU_FIXED, port, e->vcpu, vcpu); break;
	default: err = refuse(R_PORT_NOT_OPEN, port, 0, d->id); break;
	}
	lock_release(&d->evtchn.lock);
	return err;
}

int evtchn_status(struct domain *d, uint32_t port, struct evtchn_status *out)
{
	struct evtchn *e;
	int err;

	err = port_check(d, port, &e);
	if (err)
		return err;
	lock_take(&d->evtchn.lock);
	out->vcpu = e->vcpu;
	switch (e->state) {
	case EVTCHN_UNBOUND:
	case EVTCHN_SERVED: /* nobody else is bound to it */
		out->status = EVTCHNSTAT_unbound;
		out->u.unbound.dom = e->remote_id;
		break;
	case EVTCHN_INTERDOMAIN:
		out->status = EVTCHNSTAT_interdomain;
		out->u.interdomain.dom = e->remote->id;
		out->u.interdomain.port = e->remote_port;
		break;
	case EVTCHN_PIRQ:
		out->status = EVTCHNSTAT_pirq;
		out->u.pirq = e->pirq;
		break;
	case EVTCHN_VIRQ:
		out->status = EVTCHNSTAT_virq;
		out->u.virq = e->virq;
		break;
	case EVTCHN_IPI: out->status = EVTCHNSTAT_ipi; break;
	default: out->status = EVTCHNSTAT_closed; break;
	}
	lock_release(&d->evtchn.lock);
	return 0;
}

/* ---- ports whose other end is the hypervisor ------------------------------------------------- */

/* Functions in use by any domain, each once; evtchn.xen_consumer is an index plus one. */
static evtchn_served_fn *served[8];

static uint8_t served_index(evtchn_served_fn *fn)
{
	for (unsigned i = 0; i < ARRAY_SIZE(served); i++) {
		evtchn_served_fn *found = NULL;

		if (atomic_cas(&served[i], &found, fn) || found == fn)
			return (uint8_t)(i + 1);
	}
	panic("more than %zu functions serve event channels", ARRAY_SIZE(served));
}

void port_serve(struct domain *d, uint32_t port, const struct evtchn *e)
{
	uint8_t i = read_once(&e->xen_consumer);

	if (i) /* 0: closed or given up since the caller looked */
		served[i - 1](d, port);
}

int evtchn_alloc_served(struct domain *d, domid_t remote, uint32_t vcpu, evtchn_served_fn *fn,
			uint32_t *port)
{
	struct evtchn *e;
	int err;

	lock_take(&d->evtchn.lock);
	err = port_pick(d, port);
	if (!err) {
		e = port_claim(d, vcpu);
		e->remote_id = remote;
		write_once(&e->xen_consumer, served_index(fn));
		port_open(e, EVTCHN_SERVED);
	}
	lock_release(&d->evtchn.lock);
	return err;
}
