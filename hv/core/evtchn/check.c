/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true of one domain's ports while nobody works on them; part of domain_check_invariants(). */
#include "internal.h"

#include <hv/assert.h>

#ifdef HV_DEBUG

static void check_peer(const struct domain *d, uint32_t port, const struct evtchn *e)
{
	const struct evtchn *peer;

	assert_always(e->remote, "a port joined to another knows the other's domain");
	peer = port_find(e->remote, e->remote_port);
	assert_always(peer && peer->state == EVTCHN_INTERDOMAIN && peer->remote == d &&
			  peer->remote_port == port,
		      "two joined ports name each other");
}

void evtchn_check(struct domain *d)
{
	const struct evtchn_table *t = &d->evtchn;
	uint32_t active = 0, nr_free = 0;

	if (!t->bucket)
		return;
	assert_always((t->ops == &evtchn_fifo_ops) == (t->fifo != NULL),
		      "ports are FIFO ones while there are pages for them");
	assert_always(t->nr_ports <= t->ops->max_ports, "each port has its bits");
	for (uint32_t port = 0; port < t->nr_ports; port++) {
		const struct evtchn *e = port_at(d, port);

		if (e->state == EVTCHN_FREE || e->state == EVTCHN_RESERVED)
			continue;
		active++;
		assert_always(e->state <= EVTCHN_SERVED, "a port is in one of its states");
		assert_always(e->vcpu < d->max_vcpus, "a port notifies a vCPU of its domain");
		if (e->state == EVTCHN_INTERDOMAIN)
			check_peer(d, port, e);
	}
	assert_always(active == t->nr_active, "open ports are counted");
	for (uint32_t port = t->free; port; port = port_at(d, port)->next_free) {
		assert_always(port < t->nr_ports && port_at(d, port)->state == EVTCHN_FREE,
			      "what is on the free list is free");
		assert_always(++nr_free <= t->nr_ports, "the free list ends");
	}
	assert_always(active + nr_free + 1 == t->nr_ports,
		      "each port but 0 is open or on the list");
}

#endif
