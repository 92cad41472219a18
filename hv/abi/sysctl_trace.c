/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace buffers: their size, which events are recorded, and switching it on and off. A reader maps the frames that
 * get_info leads to, as foreign ones of DOMID_XEN (abi/memory.c).
 */
#include "ctlmap.h"
#include "sysctl.h"

#include <hv/cpu.h>
#include <hv/trace.h>

static int get_info(struct sysctl_call *c)
{
	struct xen_sysctl_tbuf_op *t = &c->op.u.tbuf_op;
	mfn_t m;

	trace_info(&t->evt_mask, &m, &t->size);
	t->buffer_mfn = m.n;
	c->answer = true;
	return 0;
}

/* All CPUs that there are: what is done anyway. */
static int set_cpus(struct sysctl_call *c)
{
	struct cpuset set;
	int err = ctlmap_get(c->v, &set, &c->op.u.tbuf_op.cpu_mask);

	cpuset_for_each(id, &cpus_online) if (!err && !cpuset_has(&set, id))
	    err = refuse(R_TRACE_CPUS, id, 0, 0);
	return err;
}

int sysctl_tbuf(struct sysctl_call *c)
{
	const struct xen_sysctl_tbuf_op *t = &c->op.u.tbuf_op;

	switch (t->cmd) {
	case XEN_SYSCTL_TBUFOP_get_info: return get_info(c);
	case XEN_SYSCTL_TBUFOP_set_cpu_mask: return set_cpus(c);
	case XEN_SYSCTL_TBUFOP_set_evt_mask: trace_set_mask(t->evt_mask); return 0;
	case XEN_SYSCTL_TBUFOP_set_size: return trace_set_size(t->size);
	case XEN_SYSCTL_TBUFOP_enable: return trace_switch(true);
	case XEN_SYSCTL_TBUFOP_disable: return trace_switch(false);
	default: return refuse(R_BAD_CONTROL_OP, t->cmd, 0, c->op.cmd);
	}
}
