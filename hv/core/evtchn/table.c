/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of one domain's ports: made with the domain, grown by a frame when no port is free, emptied
 * in steps by reset and destruction, freed when no sender can look at it any more. Free ports
 * form a list. Everything here runs under the table's lock, except finding a port.
 */
#include "internal.h"

#include <hv/assert.h>
#include <hv/err.h>

/* Ports closed between two looks at the clock. */
#define CLOSE_STEP 64u

_Static_assert(sizeof(struct evtchn) <= 32, "EVTCHN_PER_FRAME counts 32 bytes a port");
_Static_assert(sizeof(struct evtchn *) != 8 || EVTCHN_MAX_PORTS == PORT_SPAN,
	       "one frame of pointers");

/* ---- growing --------------------------------------------------------------------------------- */

/* One frame of ports more, all on the free list in ascending order. */
static int grow(struct domain *d) HOLDS(d->evtchn.lock)
{
	struct evtchn_table *t = &d->evtchn;
	uint32_t first = t->nr_ports, limit = MIN(t->limit, t->ops->max_ports),
		 n = MIN(limit - first, EVTCHN_PER_FRAME);
	struct evtchn *e;

	if (n == 0)
		return refuse(R_NOT_ENOUGH_PORTS, d->id, limit, t->nr_active);
	/* There already, if it had FIFO ports before. */
	e = t->bucket[first / EVTCHN_PER_FRAME];
	if (!e)
		e = pool_alloc_page(&d->pool);
	if (!e)
		return reason_err(R_POOL_EXHAUSTED);
	for (uint32_t i = n; i-- > 0;) {
		if (first + i == 0) {
			e[i].state = EVTCHN_RESERVED;
			continue;
		}
		e[i].next_free = t->free;
		t->free = first + i;
	}
	rcu_store(&t->bucket[first / EVTCHN_PER_FRAME], e);
	write_once(&t->nr_ports, first + n);
	return 0;
}

int evtchn_init(struct domain *d, uint32_t limit)
{
	struct evtchn_table *t = &d->evtchn;
	int err;

	lock_init(&t->lock, RANK_EVTCHN);
	t->ops = &evtchn_2l_ops;
	t->limit = limit;
	assert_always(t->limit <= EVTCHN_MAX_PORTS, "one frame points to all frames of ports");
	t->bucket = pool_alloc_page(&d->pool);
	if (!t->bucket)
		return reason_err(R_POOL_EXHAUSTED);
	lock_take(&d->evtchn.lock);
	err = grow(d);
	lock_release(&d->evtchn.lock);
	if (err)
		evtchn_free(d);
	return err;
}

void evtchn_free(struct domain *d)
{
	struct evtchn_table *t = &d->evtchn;

	if (!t->bucket)
		return;
	assert(t->nr_active == 0, "ports are closed before their table is freed");
	for (uint32_t i = 0; i < PAGE_SIZE / sizeof(*t->bucket) && t->bucket[i]; i++)
		pool_free(&d->pool, frame_from_va(t->bucket[i]));
	pool_free(&d->pool, frame_from_va(t->bucket));
	t->bucket = NULL;
	t->nr_ports = 0;
}

/* ---- one port -------------------------------------------------------------------------------- */

struct evtchn *evtchn_of(const struct domain *d, uint32_t port)
{
	return port < read_once(&d->evtchn.nr_ports) ? port_find(d, port) : NULL;
}

int port_check(const struct domain *d, uint32_t port, struct evtchn **e)
{
	*e = evtchn_of(d, port);
	return likely(*e) ? 0 : refuse(R_NO_SUCH_PORT, port, read_once(&d->evtchn.nr_ports), d->id);
}

int port_pick(struct domain *d, uint32_t *port)
{
	struct evtchn_table *t = &d->evtchn;
	int err = 0;

	/* What destruction has passed by must stay closed. */
	if (read_once(&d->dying))
		return refuse(R_DOMAIN_DYING, d->id, 0, 0);
	if (t->free == 0)
		err = grow(d);
	*port = t->free;
	return err;
}

struct evtchn *port_claim(struct domain *d, uint32_t vcpu)
{
	struct evtchn_table *t = &d->evtchn;
	struct evtchn *e = port_at(d, t->free);

	assert(e->state == EVTCHN_FREE, "the free list holds free ports");
	t->free = e->next_free;
	t->nr_active++;
	e->next_free = 0;
	e->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	write_once(&e->vcpu, (uint16_t)vcpu);
	return e;
}

void port_free(struct domain *d, uint32_t port)
{
	struct evtchn_table *t = &d->evtchn;
	struct evtchn *e = port_at(d, port);

	write_once(&e->remote, (struct domain *)NULL);
	write_once(&e->state, (uint8_t)EVTCHN_FREE);
	t->ops->clear_pending(d, port);
	e->xen_consumer = 0;
	e->next_free = t->free;
	t->free = port;
	t->nr_active--;
}

/* ---- closing all of them --------------------------------------------------------------------- */

/* Close up to CLOSE_STEP ports from *next on. True: the end of the table was reached. */
static bool close_some(struct domain *d, uint32_t *next, bool forced)
{
	for (uint32_t n = 0; n < CLOSE_STEP; n++) {
		uint32_t port = atomic_add(next, 1u) - 1;
		struct evtchn *e = port_find(d, port);
		uint8_t state;

		if (!e)
			return true;
		state = read_once(&e->state);
		if (state == EVTCHN_FREE || state == EVTCHN_RESERVED ||
		    (state == EVTCHN_SERVED && !forced))
			continue;
		/* Refused only when somebody else closed it in between. */
		if (port_close(d, port, forced))
			continue;
	}
	return false;
}

/* The table without ports that 2-level events have no bits for. False: one of these is open. */
static bool shrink_table(struct domain *d) HOLDS(d->evtchn.lock)
{
	struct evtchn_table *t = &d->evtchn;
	uint32_t active = 0;

	if (t->nr_ports <= evtchn_2l_ops.max_ports)
		return true;
	for (uint32_t port = 1; port < evtchn_2l_ops.max_ports; port++)
		active += port_at(d, port)->state != EVTCHN_FREE;
	if (active != t->nr_active)
		return false;
	t->free = 0;
	write_once(&t->nr_ports, evtchn_2l_ops.max_ports);
	for (uint32_t port = t->nr_ports; port-- > 1;) {
		struct evtchn *e = port_at(d, port);

		if (e->state != EVTCHN_FREE)
			continue;
		e->next_free = t->free;
		t->free = port;
	}
	return true;
}

int evtchn_reset(struct domain *d)
{
	if (!close_some(d, &d->evtchn.reset_next, false))
		return -ERR_RESTART;
	write_once(&d->evtchn.reset_next, 0u);
	lock_take(&d->evtchn.lock);
	/* Somebody opens ports while they are closed: then they stay what they are. */
	if (shrink_table(d))
		fifo_drop(d);
	lock_release(&d->evtchn.lock);
	return 0;
}

void evtchn_detach(struct domain *d)
{
	lock_take(&d->evtchn.lock);
	fifo_drop(d);
	lock_release(&d->evtchn.lock);
}

int evtchn_destroy_step(struct domain *d)
{
	return close_some(d, &d->evtchn.destroy_next, true) ? 0 : -ERR_RESTART;
}
