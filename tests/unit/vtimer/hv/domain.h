/* SPDX-License-Identifier: Apache-2.0 */
/* For vtimer_test.c: a domain with one vCPU. */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <asm/vcpu.h>
#include <hv/atomic.h>

struct cpu;

enum { VCPU_RUNNING, VCPU_READY, VCPU_BLOCKED };

struct vcpu {
	struct domain *domain;
	struct cpu *cpu;
	unsigned state;
	struct {
		uint32_t work;
		bool loaded;
		struct guest_timer vtimer, ptimer;
		struct {
			struct {
				uint8_t flags;
			} private[32];
		} vgic;
	} arch;
};

struct domain {
	struct {
		uint64_t cntvoff;
	} arch;
};

#define this_cpu()          ((struct cpu *)NULL)
#define vcpu_state(v)       ((v)->state)
#define vcpu_wake(v)        ((void)((v)->state = VCPU_READY))
#define vcpu_kick(v)        vcpu_wake(v)
#define timer_init(t, f, c) ((t)->fn = (f))
#define timer_set(t, ns)    ((t)->expires = (ns) + 1)
#define timer_stop(t)       ((t)->expires = 0)
#define timer_migrate(t, c) ((void)(t))

#endif
