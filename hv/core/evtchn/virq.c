/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual interrupts: events that the hypervisor itself raises. Each vCPU remembers the port that each
 * of its own is bound to; global ones are kept by vCPU 0. Raised from any context without a lock: a
 * port that was closed a moment ago is then merely not told.
 */
#include "internal.h"

#include <hv/policy.h>

bool evtchn_virq_is_global(uint32_t virq)
{
	switch (virq) {
	case VIRQ_TIMER:
	case VIRQ_DEBUG:
	case VIRQ_XENOPROF:
	case VIRQ_XENPMU: return false;
	default: return true;
	}
}

/* `home` has bound `virq`: tell the vCPU that the port notifies. */
void evtchn_send_virq_vcpu(struct vcpu *home, uint32_t virq)
{
	struct domain *d = home->domain;
	uint32_t port = load_acquire(&home->virq_port[virq]);
	const struct evtchn *e;

	if (!port)
		return;
	e = port_at(d, port);
	if (load_acquire(&e->state) == EVTCHN_VIRQ && read_once(&e->virq) == virq)
		port_notify(d, e, port);
}

void evtchn_send_virq(struct domain *d, uint32_t virq)
{
	struct vcpu *v = domain_vcpu(d, 0);

	if (v)
		evtchn_send_virq_vcpu(v, virq);
}

void evtchn_send_global_virq(uint32_t virq)
{
	struct domain *d = policy_hardware_domain();

	if (d)
		evtchn_send_virq(d, virq);
}
