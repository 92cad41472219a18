/* SPDX-License-Identifier: Apache-2.0 */
/* VCPUOP_*: what a guest asks about its own vCPUs. All of it concerns the caller's domain only. */
#include <hv/hypercall.h>

#include <arch/timer.h>
#include <arch/vcpu.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

static int64_t up(struct vcpu *v)
{
	bool ready;

	lock_take(&v->domain->lock);
	ready = v->initialised;
	lock_release(&v->domain->lock);
	if (!ready)
		return refuse(R_VCPU_NOT_INITIALISED, v->id, 0, 0);
	(void)vcpu_transition(v, VCPU_UP);
	return 0;
}

/* The last one to go down has switched the domain off. */
static int64_t down(struct vcpu *v)
{
	(void)vcpu_transition(v, VCPU_DOWN);
	if (domain_all_down(v->domain))
		domain_shutdown(v->domain, SHUTDOWN_poweroff);
	return 0;
}

static int64_t set_periodic(struct vcpu *caller, struct vcpu *v, gva_t arg)
{
	struct vcpu_set_periodic_timer op;
	int err;

	err = guest_get(caller, &op, arg);
	if (err)
		return err;
	if (op.period_ns < VCPU_PERIOD_MIN_NS)
		return refuse(R_PERIOD_TOO_SHORT, v->id, VCPU_PERIOD_MIN_NS, op.period_ns);
	if (op.period_ns > VCPU_PERIOD_MAX_NS)
		return refuse(R_PERIOD_TOO_LONG, v->id, VCPU_PERIOD_MAX_NS, op.period_ns);
	write_once(&v->period, op.period_ns);
	timer_set(&v->periodic, arch_time_ns() + op.period_ns);
	return 0;
}

/* A guest's absolute time in ours; times before boot become "at once". */
static uint64_t host_deadline(const struct vcpu *v, uint64_t guest_ns)
{
	return guest_ns - (uint64_t)v->domain->time_offset;
}

int vcpu_set_singleshot(struct vcpu *v, const struct vcpu_set_singleshot_timer *op)
{
	uint64_t now = arch_time_ns(), deadline = host_deadline(v, op->timeout_abs_ns);

	if ((op->flags & VCPU_SSHOTTMR_future) && deadline < now)
		return refuse(R_DEADLINE_PASSED, v->id, now, op->timeout_abs_ns);
	timer_set(&v->singleshot, deadline);
	return 0;
}

static int64_t set_singleshot(struct vcpu *v, gva_t arg)
{
	struct vcpu_set_singleshot_timer op;
	int err;

	err = guest_get(v, &op, arg);
	return err ? err : vcpu_set_singleshot(v, &op);
}

static int64_t register_info(struct vcpu *caller, struct vcpu *v, gva_t arg)
{
	struct vcpu_register_vcpu_info op;
	int err;

	err = guest_get(caller, &op, arg);
	if (err)
		return err;
	lock_take(&v->domain->lock);
	err = vcpu_set_info(caller, v, gfn(op.mfn), op.offset);
	lock_release(&v->domain->lock);
	return err;
}

/* Of another vCPU while that is down: held there, so that nobody else touches what the record needs. */
static int64_t register_runstate_of(struct vcpu *caller, struct vcpu *v, gva_t area)
{
	int64_t err;

	vcpu_pause(v);
	if (vcpu_state(v) != VCPU_OFFLINE) {
		err = refuse(R_VCPU_RUNS, v->id, caller->id, VCPUOP_register_runstate_memory_area);
	} else if (!vcpu_off_cpu(v)) { /* it has just gone down, and is told to leave */
		sched_yield(caller);
		err = -ERR_RESTART;
	} else {
		lock_take(&v->domain->lock);
		err = vcpu_set_runstate_area(caller, v, area);
		lock_release(&v->domain->lock);
	}
	vcpu_unpause(v);
	return err;
}

static int64_t register_runstate(struct vcpu *caller, struct vcpu *v, gva_t arg)
{
	struct vcpu_register_runstate_memory_area op;
	int err;

	err = guest_get(caller, &op, arg);
	if (err)
		return err;
	if (v != caller)
		return register_runstate_of(caller, v, handle_gva(op.addr.h));
	return vcpu_set_runstate_area(v, v, handle_gva(op.addr.h));
}

static int64_t runstate_info(struct vcpu *caller, struct vcpu *v, gva_t arg)
{
	struct vcpu_runstate_info info;

	vcpu_runstate(v, &info);
	return guest_put(caller, arg, &info);
}

/* The singleshot timer is its vCPU's own, as in Xen. The periodic one is the domain's to set: Linux that was suspended stops all of them. */
static int64_t timer_op(struct vcpu *caller, struct vcpu *v, uint32_t op, gva_t arg)
{
	bool single = op == VCPUOP_set_singleshot_timer || op == VCPUOP_stop_singleshot_timer;

	if (single && v != caller)
		return refuse(R_NOT_OWN_VCPU, v->id, caller->id, op);
	switch (op) {
	case VCPUOP_set_periodic_timer: return set_periodic(caller, v, arg);
	case VCPUOP_stop_periodic_timer: vcpu_stop_periodic(v); return 0;
	case VCPUOP_set_singleshot_timer: return set_singleshot(v, arg);
	default: /* VCPUOP_stop_singleshot_timer */ timer_stop(&v->singleshot); return 0;
	}
}

int64_t abi_vcpu_op(struct vcpu *caller, uint64_t *a)
{
	uint32_t op = (uint32_t)a[0], id = (uint32_t)a[1];
	struct vcpu *v = domain_find_vcpu(caller->domain, id);
	gva_t arg = gva(a[2]);

	if (!v)
		return refuse(R_NO_SUCH_VCPU, id, caller->domain->max_vcpus, id);
	if (op == VCPUOP_register_vcpu_info)
		return register_info(caller, v, arg);
	if (op == VCPUOP_register_runstate_memory_area)
		return register_runstate(caller, v, arg);
	if (!arch_has_vcpu_op(op))
		return refuse(R_NO_VCPUOP, id, 0, op);
	switch (op) {
	case VCPUOP_up: return up(v);
	case VCPUOP_down: return down(v);
	case VCPUOP_is_up: return vcpu_state(v) != VCPU_OFFLINE;
	case VCPUOP_get_runstate_info: return runstate_info(caller, v, arg);
	case VCPUOP_set_periodic_timer:
	case VCPUOP_stop_periodic_timer:
	case VCPUOP_set_singleshot_timer:
	case VCPUOP_stop_singleshot_timer: return timer_op(caller, v, op, arg);
	default: return arch_vcpu_op(caller, v, op, arg);
	}
}

/* The older way to set the singleshot timer: an absolute deadline, 0 stops it (xen.h). */
int64_t abi_set_timer_op(struct vcpu *v, uint64_t *a)
{
	if (!arch_has_vcpu_op(VCPUOP_set_singleshot_timer))
		return refuse(R_UNKNOWN_HYPERCALL, __HYPERVISOR_set_timer_op, 0, 0);
	if (a[0] == 0)
		timer_stop(&v->singleshot);
	else
		timer_set(&v->singleshot, host_deadline(v, a[0]));
	return 0;
}
