/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling. The scheduler moves units; a unit is one vCPU today and the vCPUs of one core when
 * core scheduling comes. A policy is an instance per cpupool behind struct sched_ops, and
 * owns its run queues and their locks (rank SCHED), which are tied to no CPU by anybody else.
 * One file a policy: credit2.c, null.c; the interface also fits RTDS (deadlines: pick returns a
 * slice) and ARINC 653 (a table in time: pick looks at `now` only).
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/bitmap.h>
#include <hv/rbtree.h>
#include <hv/lock.h>

struct cpu;
struct vcpu;
struct domain;

#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MAX     65535u

struct sched_unit {
	struct vcpu *vcpu;  /* [c] */
	struct cpu *cpu;    /* [a, written under l] queue it is on or ran on last */
	struct cpuset hard; /* [l] where it may run */
	struct cpuset soft; /* [l] where it should */
	struct rbnode node; /* [l] in a run queue */
	bool queued;        /* [l] */
	bool running;       /* [a, written under l] a CPU chose it and has not chosen again */
	bool yielded;       /* [own CPU] let equals go first, once */
	struct cpu *held;   /* [a] CPU that has its registers: nobody else may run it */
	struct cpu *wanted; /* [a] CPU that passed over it because of `held`: told when that ends */
	uint32_t weight;    /* [l] 1..65535 */
	uint64_t started;   /* [l] ns, when it last got a CPU */
	uint64_t vtime;     /* [l] policy: ns it ran, scaled by 256 / weight */
};

#define SLICE_NONE (~(uint64_t)0)

struct sched_ops {
	const char *name; /* what sched= takes: "credit2", "null" */
	uint32_t id;      /* XEN_SCHEDULER_* of xen/domctl.h */
	/* A new CPU, on itself, before it is in cpus_online. */
	MUST_USE int (*cpu_add)(struct cpu *c);
	/* First home of a unit (u->cpu). Refusals: no CPU in its affinity. */
	MUST_USE int (*unit_add)(struct sched_unit *u);
	/* The unit is not eligible, on no CPU, and will not come back. */
	void (*unit_remove)(struct sched_unit *u);
	/*
	 * The unit may have become eligible: unless it is queued or running, queue it and make some CPU look
	 * (softirq_raise SCHEDULE). Any CPU, also when nothing changed.
	 */
	void (*wake)(struct sched_unit *u);
	/* The unit may have stopped being eligible: take it off the queue if so. */
	void (*sleep)(struct sched_unit *u);
	/*
	 * On CPU `c`: `prev` (or NULL) ran until now; whether it still can is asked under the policy's lock
	 * (vcpu_eligible). Returns who is next, `running` set (NULL: idle), and until when at most
	 * (ns of arch_time_ns(), SLICE_NONE: until something happens). Who is not chosen is queued, or has neither mark.
	 */
	struct sched_unit *(*pick)(struct cpu *c, struct sched_unit *prev, uint64_t now,
				   uint64_t *end);
	/*
	 * Store new values (NULL: as before) under the policy's lock and act on them: a unit that is on a CPU
	 * it may no longer use leaves it at that CPU's next exit path.
	 */
	void (*set_affinity)(struct sched_unit *u, const struct cpuset *hard,
			     const struct cpuset *soft);
	void (*set_weight)(struct sched_unit *u, uint32_t weight);
};

extern const struct sched_ops sched_credit2, sched_null;

/* Choose by name at boot; -EINVAL-class refusal names the policies there are. */
MUST_USE int sched_init(const char *name);
const struct sched_ops *sched_policy(void);

MUST_USE int sched_cpu_add(struct cpu *c);
MUST_USE int sched_unit_add(struct vcpu *v);
void sched_unit_remove(struct vcpu *v);
void sched_wake(struct vcpu *v);
void sched_sleep(struct vcpu *v);
/* SCHEDOP_yield of the current vCPU. */
void sched_yield(struct vcpu *v);
/* No CPU runs the unit of `v` or still holds its registers. */
bool sched_unit_idle(const struct vcpu *v);
/* Checks that hard affinity and online CPUs meet. */
MUST_USE int sched_set_affinity(struct vcpu *v, const struct cpuset *hard,
				const struct cpuset *soft);
/* As they were set; NULL: not asked for. No lock: a change that happens meanwhile may show in parts. */
void sched_get_affinity(const struct vcpu *v, struct cpuset *hard, struct cpuset *soft);
MUST_USE int sched_set_weight(struct domain *d, uint32_t weight, uint32_t cap);

/*
 * For policies. May CPU `c` have `u` now? Not while another CPU still has its registers: then that one is told to
 * save them and `c` to look again afterwards. The owner of the queue `u` is on asks; its lock is held.
 */
MUST_USE bool sched_claimable(struct sched_unit *u, struct cpu *c);

/* For policies: who runs on this CPU goes on until `end` (as pick gives it), although somebody else came. No lock. */
void sched_slice(uint64_t end);

/* SOFTIRQ_SCHEDULE: account, pick, and make the choice current (arch_vcpu_switch). */
void sched_run(void);

/* Nanoseconds in which CPU `c` had nothing to run, up to now. */
uint64_t sched_idle_time(const struct cpu *c);
/* Who runs keeps its CPU for so long at least (us). */
#define SCHED_RATELIMIT_US 1000u

/* Nanoseconds `v` has run since it was created, up to now. */
uint64_t sched_cpu_time(const struct vcpu *v);

#endif
