/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that knows what a role or a target means. Each question is a function; each abi handler asks
 * before it changes anything. No state of its own and no lock: roles are fixed at
 * creation, targets change under the subject's domain lock and are read once.
 */
#include <hv/policy.h>

#include <hv/domain.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>

static bool has_role(const struct domain *d, uint32_t role)
{
	return (d->roles & role) != 0;
}

static int denied(const struct domain *subject, uint64_t op)
{
	return refuse(R_NOT_PERMITTED, subject->id, 0, op);
}

/* `subject` is `object`, manages everybody, or was created to serve `object` (a stub domain). */
static bool manages(const struct domain *subject, const struct domain *object)
{
	return subject == object || has_role(subject, ROLE_CONTROL) ||
	       read_once(&subject->target) == object->id;
}

int policy_manage(const struct domain *subject, const struct domain *object, uint32_t op)
{
	return likely(manages(subject, object)) ? 0 : denied(subject, op);
}

int policy_evtchn_alloc(const struct domain *subject, const struct domain *owner)
{
	return policy_manage(subject, owner, EVTCHNOP_alloc_unbound);
}

/* Any domain may bind to a port that its owner left unbound for it; the port itself says for whom. */
int policy_evtchn_bind(const struct domain *subject, const struct domain *remote)
{
	return 0;
}

/* A grant is the owner's own permission. */
int policy_grant(const struct domain *subject, const struct domain *owner)
{
	return 0;
}

/* A stub domain maps the memory of the domain it serves, nobody else's; DOMAIN_SELF needs no question. */
int policy_memory(const struct domain *subject, const struct domain *object)
{
	return policy_manage(subject, object, 0);
}

int policy_hvm_param(const struct domain *subject, const struct domain *object, uint32_t index,
		     bool set)
{
	return policy_manage(subject, object, index);
}

int policy_hardware(const struct domain *subject, uint32_t op)
{
	return has_role(subject, ROLE_HARDWARE) ? 0 : denied(subject, op);
}

int policy_console(const struct domain *subject, uint32_t op)
{
	return has_role(subject, ROLE_CONSOLE) ? 0 : denied(subject, op);
}

int policy_virq(const struct domain *subject, uint32_t virq)
{
	switch (virq) {
	case VIRQ_TIMER:
	case VIRQ_DEBUG:
	case VIRQ_XENOPROF:
	case VIRQ_XENPMU: return 0;
	case VIRQ_CONSOLE: return policy_console(subject, virq);
	case VIRQ_DOM_EXC:
		return has_role(subject, ROLE_STORE | ROLE_CONTROL) ? 0 : denied(subject, virq);
	default: return has_role(subject, ROLE_CONTROL | ROLE_HARDWARE) ? 0 : denied(subject, virq);
	}
}

/* What a device model may do to the domain it serves. */
static bool for_device_models(uint32_t op)
{
	switch (op) {
	case XEN_DOMCTL_ioport_mapping:
	case XEN_DOMCTL_memory_mapping:
	case XEN_DOMCTL_bind_pt_irq:
	case XEN_DOMCTL_unbind_pt_irq: return true;
	default: return false;
	}
}

int policy_domctl(const struct domain *subject, const struct domain *object, uint32_t op)
{
	if (likely(has_role(subject, ROLE_CONTROL)))
		return 0;
	if (op == XEN_DOMCTL_getdomaininfo && has_role(subject, ROLE_STORE))
		return 0;
	if (object && for_device_models(op) && read_once(&subject->target) == object->id)
		return 0;
	return denied(subject, op);
}

int policy_sysctl(const struct domain *subject, uint32_t op)
{
	return has_role(subject, ROLE_CONTROL) ? 0 : denied(subject, op);
}

struct domain *policy_hardware_domain(void)
{
	struct domain *d;

	for (d = domain_first(); d; d = domain_next(d))
		if (has_role(d, ROLE_HARDWARE))
			return d;
	return NULL;
}
