/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long work in small steps: destroying domains, rebuilding them, clearing free memory. Each CPU has its queue and
 * touches no other's, so there is no lock. Steps of different works take turns.
 */
#include <hv/softirq.h>

#include <arch/timer.h>
#include <hv/frame.h>
#include <hv/timer.h>

/* The share of a busy CPU that work may have is one part in PAUSE_FACTOR + 1. */
#define PAUSE_FACTOR 4
#define PAUSE_MIN_NS 20000

static void pause_over(struct timer *t)
{
	softirq_raise_here(SOFTIRQ_WORK);
}

void work_cpu_init(struct cpu *c, struct timer *pause)
{
	c->work.first = NULL;
	c->work.tail = &c->work.first;
	c->work.pause = pause;
	timer_init(pause, pause_over, c);
}

static void append(struct cpu *c, struct work *w)
{
	w->next = NULL;
	*c->work.tail = w;
	c->work.tail = &w->next;
}

void work_queue(struct work *w)
{
	if (atomic_xchg(&w->queued, 1u))
		return;
	append(this_cpu(), w);
	softirq_raise_here(SOFTIRQ_WORK);
}

/* One step of `w`, which goes to the end of the queue when there is more. */
static void run_step(struct cpu *c, struct work *w)
{
	c->work.first = w->next;
	if (!c->work.first)
		c->work.tail = &c->work.first;
	write_once(&w->queued, 0u);
	if (w->step(w) && !atomic_xchg(&w->queued, 1u))
		append(c, w);
}

void work_run(void)
{
	struct cpu *c = this_cpu();
	uint64_t start, now;

	if (!c->work.first) {
		if (c->idle && frame_scrub_step(c->node))
			softirq_raise_here(SOFTIRQ_WORK);
		return;
	}
	start = arch_time_ns();
	run_step(c, c->work.first);
	if (c->idle) {
		softirq_raise_here(SOFTIRQ_WORK);
	} else if (c->work.first) {
		now = arch_time_ns();
		timer_set(c->work.pause,
			  now + MAX((now - start) * PAUSE_FACTOR, (uint64_t)PAUSE_MIN_NS));
	}
}
