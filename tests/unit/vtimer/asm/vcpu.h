/* SPDX-License-Identifier: Apache-2.0 */
/* For vtimer_test.c: what the virtual timers use of vCPUs. */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <asm/gic.h>
#include <hv/compiler.h>

/* No tree of timers: when it will fire is all that is asked. */
struct timer {
	uint64_t expires; /* ns; 0: not armed */
	void (*fn)(struct timer *t);
};

struct guest_timer {
	uint64_t cval;
	uint32_t ctl;
	struct timer wake;
};

#define WORK_PTIMER 0x4u
#define TRAPPED(op0, op1, crn, crm, op2) \
	((uint32_t)((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1))

#endif
