/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the machine's control interface (sysctl*.c). */
#ifndef ABI_SYSCTL_H
#define ABI_SYSCTL_H

#include <hv/hypercall.h>
#include <xen/sysctl.h>

/* One call. */
struct sysctl_call {
	struct vcpu *v;       /* the caller */
	uint64_t *a;          /* its arguments: progress is kept there (hv/control.h) */
	struct xen_sysctl op; /* as it came in */
	bool answer;          /* copy it back, also with a refusal */
};

/* 0, a refusal, or -ERR_RESTART. Permission is checked, the answer's place can be written. */
typedef int sysctl_fn(struct sysctl_call *c);

/* sysctl_sched.c */
sysctl_fn sysctl_sched_id, sysctl_scheduler, sysctl_cpupool;
/* sysctl_trace.c */
sysctl_fn sysctl_tbuf;

#endif
