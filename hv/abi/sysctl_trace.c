/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace buffers: which events are recorded, and switching it on and off. The records are the hypervisor's own to
 * read: no frames of them can be mapped, so a reader is told that there are none (buffer_mfn and size 0).
 */
#include "sysctl.h"

#include <hv/reason.h>
#include <hv/trace.h>

int sysctl_tbuf(struct sysctl_call *c)
{
	struct xen_sysctl_tbuf_op *t = &c->op.u.tbuf_op;

	switch (t->cmd) {
	case XEN_SYSCTL_TBUFOP_get_info:
		t->evt_mask = read_once(&trace_mask);
		t->buffer_mfn = 0;
		t->size = 0;
		c->answer = true;
		return 0;
	case XEN_SYSCTL_TBUFOP_disable: return trace_enable(0, 0);
	case XEN_SYSCTL_TBUFOP_set_cpu_mask:
	case XEN_SYSCTL_TBUFOP_set_evt_mask:
	case XEN_SYSCTL_TBUFOP_set_size:
	case XEN_SYSCTL_TBUFOP_enable: return refuse(R_TRACE_NOT_SHARED, t->cmd, 0, 0);
	default: return refuse(R_BAD_CONTROL_OP, t->cmd, 0, c->op.cmd);
	}
}
