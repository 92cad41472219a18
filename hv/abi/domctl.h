/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the domains' control interface (domctl*.c). */
#ifndef ABI_DOMCTL_H
#define ABI_DOMCTL_H

#include <hv/err.h>
#include <hv/hypercall.h>
#include <xen/domctl.h>

struct domain;

/* One call. */
struct domctl_call {
	struct vcpu *v;       /* the caller */
	struct domain *d;     /* whom it is about, counted; NULL: nobody, or not yet */
	uint64_t *a;          /* its arguments: progress is kept there (hv/control.h) */
	struct xen_domctl op; /* as it came in */
	bool answer;          /* copy it back, also with a refusal */
};

/* 0, a positive answer, a refusal, or -ERR_RESTART. Permission is checked, the answer's place can be written. */
typedef int domctl_fn(struct domctl_call *c);

/* Remember how far a call has come that is to be entered again. */
static inline int domctl_again(struct domctl_call *c, uint64_t progress)
{
	c->a[2] = progress;
	return -ERR_RESTART;
}

/* domctl_vcpu.c */
domctl_fn domctl_max_vcpus, domctl_set_context, domctl_get_context, domctl_vcpu_info,
    domctl_set_affinity, domctl_get_affinity, domctl_scheduler;
/* domctl_mem.c */
domctl_fn domctl_max_mem, domctl_set_paging_pool, domctl_get_paging_pool, domctl_cacheflush,
    domctl_frame_info, domctl_memory_mapping, domctl_iomem_permission, domctl_irq_permission,
    domctl_node_affinity;
/* domctl_state.c */
domctl_fn domctl_get_state, domctl_set_state, domctl_get_state_record;
/* domctl_dirty.c */
domctl_fn domctl_shadow;

#endif
