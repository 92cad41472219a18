/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: finding a port without a lock, and what changes a port. */
#ifndef EVTCHN_INTERNAL_H
#define EVTCHN_INTERNAL_H

#include <arch/vcpu.h>
#include <hv/domain.h>
#include <hv/nospec.h>

extern const struct evtchn_port_ops evtchn_2l_ops, evtchn_fifo_ops;

/* FIFO pages, when there are any, go once no sender can be looking at them; ports are 2-level. */
void fifo_drop(struct domain *d) HOLDS(d->evtchn.lock);

/* Ports that one frame of pointers leads to. A port number is cut to fewer bits, so nothing is read outside it. */
#define PORT_SPAN (PAGE_SIZE / (uint32_t)sizeof(struct evtchn *) * EVTCHN_PER_FRAME)

/* The port's struct, or NULL where there is none. That of a port beyond the table, which was smaller or larger before, is FREE. */
static inline struct evtchn *port_find(const struct domain *d, uint32_t port)
{
	struct evtchn *e;

	if (unlikely(port >= PORT_SPAN))
		return NULL;
	e = rcu_load(&d->evtchn.bucket[port % PORT_SPAN / EVTCHN_PER_FRAME]);
	return likely(e) ? e + port % EVTCHN_PER_FRAME : NULL;
}

/* The same for a port that is known to exist. */
static inline struct evtchn *port_at(const struct domain *d, uint32_t port)
{
	return rcu_load(&d->evtchn.bucket[port / EVTCHN_PER_FRAME]) + port % EVTCHN_PER_FRAME;
}

/* Wake the vCPUs of `d` that poll for this port. */
void port_wake_pollers(struct domain *d, uint32_t port);

/* Whom a port of `d` notifies. NULL only while `d` is being built. */
static inline struct vcpu *port_vcpu(const struct domain *d, const struct evtchn *e)
{
	return rcu_load(&d->vcpu[read_once(&e->vcpu)]);
}

/* A port without binding in mind: one that the table has. R_NO_SUCH_PORT. */
MUST_USE int port_check(const struct domain *d, uint32_t port, struct evtchn **e);

/*
 * port_pick() finds a free port, growing the table when there is none; nothing has changed for the guest
 * yet. port_claim() takes the port that was picked; its state stays FREE until port_open() shows
 * it to senders, after the caller has filled in the rest.
 */
MUST_USE int port_pick(struct domain *d, uint32_t *port) HOLDS(d->evtchn.lock);
struct evtchn *port_claim(struct domain *d, uint32_t vcpu) HOLDS(d->evtchn.lock);

static inline void port_open(struct evtchn *e, enum evtchn_state state)
{
	store_release(&e->state, (uint8_t)state);
}

/* Back to FREE, not pending. */
void port_free(struct domain *d, uint32_t port) HOLDS(d->evtchn.lock);

/* Close a port in any state but FREE and RESERVED. `forced`: one of the hypervisor's own as well. */
MUST_USE int port_close(struct domain *d, uint32_t port, bool forced);

/* Make a port of `d` pending for the vCPU that it notifies. Lock-free. */
static inline void port_notify(struct domain *d, const struct evtchn *e, uint32_t port)
{
	rcu_load(&d->evtchn.ops)->set_pending(d, port_vcpu(d, e), port);
}

/* For the port operations, once a port is pending: somebody may wait for it in SCHEDOP_poll. */
static inline bool port_has_pollers(const struct domain *d)
{
	return unlikely(atomic_load(&d->evtchn.pollers));
}

/* Run the function of a SERVED port. */
void port_serve(struct domain *d, uint32_t port, const struct evtchn *e);

/* The vCPU that finds a virtual interrupt's port: the one it was bound on, 0 for global ones. */
static inline struct vcpu *virq_home(const struct domain *d, const struct evtchn *e)
{
	return domain_vcpu(d, evtchn_virq_is_global(e->virq) ? 0 : e->vcpu);
}

#endif
