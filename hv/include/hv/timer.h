/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers in host nanoseconds (arch_time_ns). A timer belongs to one CPU at a time; its
 * function runs there, from the hardware timer's interrupt or SOFTIRQ_TIMER, with no lock held, and may set the timer again.
 */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include <hv/cpu.h>

struct timer {
	struct rbnode node; /* in cpu->timers, under that queue's lock */
	uint64_t expires;   /* ns; meaningful while linked */
	void (*fn)(struct timer *t);
	struct cpu *cpu; /* [a] whose queue; changes only in timer_migrate */
};

/* `cpu` is where it will run. */
void timer_init(struct timer *t, void (*fn)(struct timer *t), struct cpu *cpu);
/* Arm, or move when armed. A deadline in the past fires at the next softirq. Any CPU. */
void timer_set(struct timer *t, uint64_t deadline_ns);
/* Disarm. The function may still be running on its CPU when this returns on another one. */
void timer_stop(struct timer *t);
/* The same expiry on another CPU. Its function may still be running on the old one: set again, it may then run on both at once. */
void timer_migrate(struct timer *t, struct cpu *to);
/* Armed and not yet fired. */
bool timer_armed(const struct timer *t);

/*
 * SOFTIRQ_TIMER, and the interrupt of the hardware timer, which holds no deadline any more: runs the earliest timer if it is due and
 * sets the hardware for the next one, even if it fired early, by rounding or because it counts down instead of comparing. No lock held.
 */
void timers_run(void);
/* A new CPU's queue. */
void timers_cpu_init(struct cpu *c);

#endif
