/* SPDX-License-Identifier: Apache-2.0 */
/* XEN_DOMCTL_*: vCPUs of a domain: making them, their registers, where they may run and what they did. */
#include "ctlmap.h"
#include "domctl.h"

#include <arch/vcpu.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/sched.h>

static int find_vcpu(const struct domctl_call *c, uint32_t id, struct vcpu **v)
{
	if (id >= c->d->max_vcpus)
		return refuse(R_VCPU_RANGE, id, c->d->max_vcpus, c->d->id);
	*v = domain_find_vcpu(c->d, id);
	return *v ? 0 : refuse(R_VCPU_NOT_MADE, id, 0, c->d->id);
}

/* All of them, of the number that the domain was created for; those that exist already stay. */
int domctl_max_vcpus(struct domctl_call *c)
{
	uint32_t max = c->op.u.max_vcpus.max;
	struct domain *d = c->d;
	struct vcpu *v;
	int err = 0;

	if (d == c->v->domain)
		return refuse(R_NOT_ON_SELF, d->id, 0, c->op.cmd);
	if (max != d->max_vcpus)
		return refuse(R_VCPU_COUNT_FIXED, d->id, d->max_vcpus, max);
	lock_take(&d->lock);
	if (d->dying)
		err = refuse(R_DOMAIN_DYING, d->id, 0, 0);
	for (uint32_t i = 0; !err && i < max; i++) {
		if (domain_vcpu(d, i))
			continue;
		err = vcpu_create(d, i, &v);
		if (!err && i + 1 < max && hypercall_preempt(c->v))
			err = -ERR_RESTART;
	}
	lock_release(&d->lock);
	return err;
}

/* ---- registers ---------------------------------------------------------------------------------- */

/* A vCPU takes its context while no CPU has it; VGCF_online says whether it may run. */
static int set_context(struct domctl_call *c, struct vcpu *v)
{
	vcpu_guest_context_t context;
	int err;

	err = guest_get(c->v, &context, handle_gva(c->op.u.vcpucontext.ctxt));
	if (err)
		return err;
	err = arch_vcpu_set_context(v, &context);
	if (err)
		return err;
	lock_take(&c->d->lock);
	v->initialised = true;
	lock_release(&c->d->lock);
	(void)vcpu_transition(v, context.flags & VGCF_online ? VCPU_UP : VCPU_DOWN);
	return 0;
}

int domctl_set_context(struct domctl_call *c)
{
	struct vcpu *v;
	int err;

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	v = domain_find_vcpu(c->d, c->op.u.vcpucontext.vcpu);
	if (!v)
		return refuse(R_VCPU_RANGE, c->op.u.vcpucontext.vcpu, c->d->max_vcpus, c->d->id);
	if (!handle_gva(c->op.u.vcpucontext.ctxt).a)
		return refuse(R_CONTEXT_NONE, v->id, 0, c->d->id);
	err = control_hold(c->v->domain, c->d);
	if (err)
		return err;
	err = set_context(c, v);
	control_release(c->d);
	return err;
}

int domctl_get_context(struct domctl_call *c)
{
	vcpu_guest_context_t context;
	struct vcpu *v = domain_find_vcpu(c->d, c->op.u.vcpucontext.vcpu);
	int err;

	if (c->d == c->v->domain || !v)
		return refuse(R_VCPU_RANGE, c->op.u.vcpucontext.vcpu, c->d->max_vcpus, c->d->id);
	if (!read_once(&v->initialised))
		return refuse(R_CONTEXT_NOT_YET, v->id, 0, c->d->id);
	err = control_hold(c->v->domain, c->d);
	if (err)
		return err;
	arch_vcpu_get_context(v, &context);
	control_release(c->d);
	return guest_put(c->v, handle_gva(c->op.u.vcpucontext.ctxt), &context);
}

int domctl_vcpu_info(struct domctl_call *c)
{
	struct xen_domctl_getvcpuinfo *info = &c->op.u.getvcpuinfo;
	enum vcpu_state state;
	struct vcpu *v;
	int err = find_vcpu(c, info->vcpu, &v);

	if (err)
		return err;
	state = vcpu_state(v);
	info->online = state != VCPU_OFFLINE;
	info->blocked = state == VCPU_BLOCKED;
	info->running = state == VCPU_RUNNING;
	info->cpu_time = sched_cpu_time(v);
	info->cpu = read_once(&v->cpu)->id;
	c->answer = true;
	return 0;
}

/* ---- scheduling ----------------------------------------------------------------------------------- */

static struct cpuset both(const struct cpuset *a, const struct cpuset *b)
{
	struct cpuset s;

	for (unsigned i = 0; i < ARRAY_SIZE(s.bits); i++)
		s.bits[i] = a->bits[i] & read_once(&b->bits[i]);
	return s;
}

/* What it comes to with the CPUs that there are is reported in place of what was asked. */
static int set_one(struct domctl_call *c, struct vcpu *v, const struct xenctl_bitmap *map, bool hard)
{
	struct cpuset set, now, other;
	int err;

	err = ctlmap_get(c->v, &set, map);
	if (err)
		return err;
	lock_take(&c->d->lock); /* a domain that dies leaves the scheduler afterwards */
	err = c->d->dying ? refuse(R_DOMAIN_DYING, c->d->id, 0, 0)
			  : sched_set_affinity(v, hard ? &set : NULL, hard ? NULL : &set);
	lock_release(&c->d->lock);
	if (err)
		return err;
	now = both(&set, &cpus_online);
	if (!hard) {
		sched_get_affinity(v, &other, NULL);
		now = both(&now, &other);
	}
	return ctlmap_put(c->v, map, &now);
}

static int affinity_vcpu(struct domctl_call *c, struct vcpu **v)
{
	const struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;

	if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
		return refuse(R_BAD_FLAGS, 0, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT,
			      a->flags);
	return find_vcpu(c, a->vcpu, v);
}

int domctl_set_affinity(struct domctl_call *c)
{
	const struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;
	struct vcpu *v;
	int err = affinity_vcpu(c, &v);

	if (!err && (a->flags & XEN_VCPUAFFINITY_HARD))
		err = set_one(c, v, &a->cpumap_hard, true);
	if (!err && (a->flags & XEN_VCPUAFFINITY_SOFT))
		err = set_one(c, v, &a->cpumap_soft, false);
	return err;
}

int domctl_get_affinity(struct domctl_call *c)
{
	const struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;
	struct cpuset hard, soft;
	struct vcpu *v;
	int err = affinity_vcpu(c, &v);

	if (err)
		return err;
	sched_get_affinity(v, &hard, &soft);
	if (a->flags & XEN_VCPUAFFINITY_HARD)
		err = ctlmap_put(c->v, &a->cpumap_hard, &hard);
	if (!err && (a->flags & XEN_VCPUAFFINITY_SOFT))
		err = ctlmap_put(c->v, &a->cpumap_soft, &soft);
	return err;
}

/* A weight is the whole domain's. The null policy has no parameters and takes none. */
static int credit2(struct domctl_call *c, bool set)
{
	struct xen_domctl_sched_credit2 *p = &c->op.u.scheduler_op.u.credit2;
	struct vcpu *v = domain_vcpu(c->d, 0);
	int err;

	if (!set) {
		p->weight = (uint16_t)(v ? read_once(&v->unit->weight) : SCHED_WEIGHT_DEFAULT);
		p->cap = 0;
		c->answer = true;
		return 0;
	}
	/* 0 means: as it is. */
	if (!p->weight && !p->cap)
		return 0;
	lock_take(&c->d->lock);
	err = c->d->dying
		  ? refuse(R_DOMAIN_DYING, c->d->id, 0, 0)
		  : sched_set_weight(c->d, p->weight ? p->weight : SCHED_WEIGHT_DEFAULT, p->cap);
	lock_release(&c->d->lock);
	return err;
}

int domctl_scheduler(struct domctl_call *c)
{
	const struct xen_domctl_scheduler_op *s = &c->op.u.scheduler_op;
	bool set = s->cmd == XEN_DOMCTL_SCHEDOP_putinfo;

	if (s->sched_id != sched_policy()->id)
		return refuse(R_SCHED_MISMATCH, s->sched_id, sched_policy()->id, 0);
	if (!set && s->cmd != XEN_DOMCTL_SCHEDOP_getinfo)
		return refuse(R_SCHED_PARAMS, s->sched_id, 0, s->cmd);
	return s->sched_id == XEN_SCHEDULER_CREDIT2 ? credit2(c, set) : 0;
}
