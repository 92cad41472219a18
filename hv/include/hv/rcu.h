/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-mostly tables. A reader is any code between entry into the hypervisor and the exit path: it
 * writes nothing at all. A grace period ends when every online CPU has passed its exit path (rcu_run) or been
 * seen idle since it began; CPUs in guest mode are kicked. Idle CPUs are left alone (hv/softirq.h).
 */
#ifndef HV_RCU_H
#define HV_RCU_H

#include <hv/cpu.h>

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *h);
};

#define rcu_load(p)     load_acquire(p)
#define rcu_store(p, v) store_release(p, v)

/* Call `fn(h)` on this CPU after a grace period, from SOFTIRQ_RCU. */
void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *h));
/* SOFTIRQ_RCU: note this CPU's quiescence, start or end a grace period, run what is due. */
void rcu_run(void);
void rcu_cpu_init(struct cpu *c);

#endif
