/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedulers and CPU pools as toolstacks see them. There is one pool, number 0, with all CPUs and all domains; making
 * others is refused by name.
 */
#include "ctlmap.h"
#include "sysctl.h"

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/sched.h>
#include <xen/domctl.h>

#define POOL 0u

int sysctl_sched_id(struct sysctl_call *c)
{
	c->op.u.sched_id.sched_id = sched_policy()->id;
	c->answer = true;
	return 0;
}

/* Parameters of the whole policy: credit2's shortest time between two decisions, which is fixed here. */
int sysctl_scheduler(struct sysctl_call *c)
{
	struct xen_sysctl_scheduler_op *s = &c->op.u.scheduler_op;

	if (s->cpupool_id != POOL)
		return refuse(R_SCHED_PARAMS, s->cpupool_id, 0, s->cmd);
	if (s->sched_id != sched_policy()->id)
		return refuse(R_SCHED_MISMATCH, s->sched_id, sched_policy()->id, 0);
	switch (s->cmd) {
	case XEN_SYSCTL_SCHEDOP_getinfo:
		s->u.sched_credit2.ratelimit_us = SCHED_RATELIMIT_US;
		c->answer = true;
		return 0;
	case XEN_SYSCTL_SCHEDOP_putinfo:
		if (s->sched_id == XEN_SCHEDULER_CREDIT2 &&
		    s->u.sched_credit2.ratelimit_us == SCHED_RATELIMIT_US)
			return 0;
		return refuse(R_SCHED_FIXED, s->sched_id, SCHED_RATELIMIT_US,
			      s->u.sched_credit2.ratelimit_us);
	default: return refuse(R_SCHED_PARAMS, s->cpupool_id, 0, s->cmd);
	}
}

static uint32_t count_domains(void)
{
	uint32_t n = 0;

	for (struct domain *d = domain_first(); d; d = domain_next(d))
		n++;
	return n;
}

/* The first pool with this number or a higher one. */
static int pool_of_all(struct sysctl_call *c)
{
	struct xen_sysctl_cpupool_op *p = &c->op.u.cpupool_op;
	struct cpuset online = cpus_online;

	if (p->cpupool_id != POOL)
		return refuse(R_NO_SUCH_POOL, p->cpupool_id, 0, p->op);
	p->sched_id = sched_policy()->id;
	p->n_dom = count_domains();
	c->answer = true;
	return ctlmap_put(c->v, &p->cpumap, &online);
}

/* CPUs that are in no pool. */
static int free_cpus(struct sysctl_call *c)
{
	struct cpuset none = { .bits = { 0 } };

	c->answer = true;
	return ctlmap_put(c->v, &c->op.u.cpupool_op.cpumap, &none);
}

/* A domain is where it always is. */
static int pool_move(struct sysctl_call *c)
{
	struct xen_sysctl_cpupool_op *p = &c->op.u.cpupool_op;
	struct domain *d = p->domid < DOMID_FIRST_RESERVED ? domain_find((domid_t)p->domid) : NULL;

	if (!d)
		return refuse(R_POOL_NO_DOMAIN, p->domid, 0, 0);
	return p->cpupool_id == POOL ? 0 : refuse(R_NO_SUCH_POOL, p->cpupool_id, 0, p->op);
}

int sysctl_cpupool(struct sysctl_call *c)
{
	const struct xen_sysctl_cpupool_op *p = &c->op.u.cpupool_op;

	switch (p->op) {
	case XEN_SYSCTL_CPUPOOL_OP_INFO: return pool_of_all(c);
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO: return free_cpus(c);
	case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN: return pool_move(c);
	case XEN_SYSCTL_CPUPOOL_OP_CREATE:
	case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
	case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
	case XEN_SYSCTL_CPUPOOL_OP_RMCPU: return refuse(R_ONE_POOL, p->cpupool_id, 0, p->op);
	default: return refuse(R_NOT_IMPLEMENTED, p->op, 0, __HYPERVISOR_sysctl);
	}
}
