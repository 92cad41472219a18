/* SPDX-License-Identifier: Apache-2.0 */
/* SCHEDOP_*: giving the CPU away, and the end of a domain. */
#include <hv/hypercall.h>

#include <arch/timer.h>
#include <hv/domain.h>
#include <hv/policy.h>
#include <hv/watchdog.h>
#include <xen/sched.h>

#define POLL_MAX_PORTS 128u /* Xen's limit */

static int64_t shutdown(struct vcpu *v, gva_t arg)
{
	struct sched_shutdown op;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	if ((uint8_t)op.reason == SHUTDOWN_crash) /* with a report */
		domain_crash(v->domain, "its kernel says so");
	else
		domain_shutdown(v->domain, (uint8_t)op.reason);
	return 0;
}

static int64_t remote_shutdown(struct vcpu *v, gva_t arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	d = domain_get(op.domain_id);
	if (!d)
		return refuse(R_NO_SUCH_DOMAIN, op.domain_id, 0, 0);
	err = policy_manage(v->domain, d, SCHEDOP_remote_shutdown);
	if (!err)
		domain_shutdown(d, (uint8_t)op.reason);
	domain_put(d);
	return err;
}

/*
 * Wait until one of the ports is pending, whether masked or not. What is being waited for is announced before the
 * ports are looked at, so that a send between the two is not missed.
 */
static int poll_any_pending(struct vcpu *v, gva_t ports, uint32_t n, bool *pending)
{
	struct domain *d = v->domain;

	for (uint32_t i = 0; i < n; i++) {
		evtchn_port_t port;
		int err;

		err = guest_get(v, &port, gva_add(ports, i * sizeof(port)));
		if (err)
			return err;
		if (!evtchn_of(d, port))
			return refuse(R_POLL_BAD_PORT, port, d->evtchn.nr_ports, port);
		if (n == 1)
			write_once(&v->poll_port, port);
		if (rcu_load(&d->evtchn.ops)->is_pending(d, port))
			*pending = true;
	}
	return 0;
}

static int64_t poll(struct vcpu *v, gva_t arg)
{
	struct sched_poll op;
	bool pending = false;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	if (op.nr_ports > POLL_MAX_PORTS)
		return refuse(R_POLL_TOO_MANY, v->id, POLL_MAX_PORTS, op.nr_ports);
	evtchn_poll_begin(v, 0);
	err = poll_any_pending(v, handle_gva(op.ports), op.nr_ports, &pending);
	if (err || pending) {
		evtchn_poll_end(v);
		return err;
	}
	if (op.timeout)
		timer_set(&v->poll, op.timeout - (uint64_t)v->domain->time_offset);
	else
		timer_stop(&v->poll); /* that of an earlier poll, which an event ended */
	vcpu_block(v);
	/* A send since we looked found us still running: its wake-up had no effect. */
	if (!atomic_load(&v->polling))
		vcpu_wake(v);
	return 0;
}

static int64_t shutdown_code(struct vcpu *v, gva_t arg)
{
	struct sched_shutdown op;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	lock_take(&v->domain->lock);
	v->domain->shutdown_code = (uint8_t)op.reason;
	lock_release(&v->domain->lock);
	return 0;
}

static int64_t watchdog(struct vcpu *v, gva_t arg)
{
	struct sched_watchdog op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : watchdog_op(v->domain, op.id, op.timeout);
}

int64_t abi_sched_op(struct vcpu *v, uint64_t *a)
{
	gva_t arg = gva(a[1]);

	switch ((uint32_t)a[0]) {
	case SCHEDOP_yield: sched_yield(v); return 0;
	case SCHEDOP_block:
		if (v->info)
			vcpu_upcall_unmask(v->info);
		vcpu_block(v);
		return 0;
	case SCHEDOP_shutdown: return shutdown(v, arg);
	case SCHEDOP_poll: return poll(v, arg);
	case SCHEDOP_remote_shutdown: return remote_shutdown(v, arg);
	case SCHEDOP_shutdown_code: return shutdown_code(v, arg);
	case SCHEDOP_watchdog: return watchdog(v, arg);
	default: return refuse(R_NOT_IMPLEMENTED, a[0], 0, __HYPERVISOR_sched_op);
	}
}
