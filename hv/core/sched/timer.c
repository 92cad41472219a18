/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers. Each CPU has a tree of those that will run on it, under a lock of rank TIMER, and tells its
 * hardware the earliest. Stopping a timer leaves the hardware's deadline alone: an early interrupt costs less
 * than programming. Anybody arms and stops; functions run with no lock held, from the hardware
 * timer's interrupt, which finds a CPU idle or just out of a guest, or from SOFTIRQ_TIMER.
 */
#include <hv/timer.h>

#include <arch/timer.h>
#include <hv/softirq.h>

#define NEVER (~(uint64_t)0)

static bool earlier(const struct rbnode *a, const struct rbnode *b)
{
	return container_of(a, const struct timer, node)->expires <
	       container_of(b, const struct timer, node)->expires;
}

static struct timer *first_timer(const struct timer_queue *q)
{
	struct rbnode *n = rb_first(&q->tree);

	return n ? container_of(n, struct timer, node) : NULL;
}

static uint64_t first_deadline(const struct timer_queue *q)
{
	const struct timer *t = first_timer(q);

	return t ? t->expires : NEVER;
}

void timers_cpu_init(struct cpu *c)
{
	lock_init(&c->timers.lock, RANK_TIMER);
	rb_init(&c->timers.tree);
	c->timers.programmed = NEVER;
}

void timer_init(struct timer *t, void (*fn)(struct timer *t), struct cpu *cpu)
{
	*t = (struct timer){ .fn = fn, .cpu = cpu };
}

/* Takes the lock of the queue that the timer belongs to. */
NO_LOCK_CHECK static struct cpu *queue_take(struct timer *t)
{
	for (;;) {
		struct cpu *c = load_acquire(&t->cpu);

		lock_take(&c->timers.lock);
		if (read_once(&t->cpu) == c)
			return c;
		lock_release(&c->timers.lock);
	}
}

/* This CPU's hardware fires at `deadline`, or earlier. */
static void program(struct timer_queue *q, uint64_t deadline)
{
	if (deadline >= q->programmed)
		return;
	q->programmed = deadline;
	arch_timer_set(deadline);
}

/* The earliest timer of `c` changed: its hardware must know. No lock held. */
static void earliest_changed(struct cpu *c, uint64_t deadline)
{
	if (c != this_cpu())
		softirq_raise(c, SOFTIRQ_TIMER);
	else
		program(&c->timers, deadline);
}

NO_LOCK_CHECK void timer_set(struct timer *t, uint64_t deadline_ns)
{
	struct cpu *c = queue_take(t);
	struct timer_queue *q = &c->timers;
	bool first;

	if (rb_linked(&t->node))
		rb_remove(&q->tree, &t->node);
	t->expires = deadline_ns;
	rb_insert(&q->tree, &t->node, earlier);
	first = rb_first(&q->tree) == &t->node;
	lock_release(&q->lock);
	if (first)
		earliest_changed(c, deadline_ns);
}

NO_LOCK_CHECK void timer_stop(struct timer *t)
{
	struct cpu *c = queue_take(t);

	if (rb_linked(&t->node))
		rb_remove(&c->timers.tree, &t->node);
	lock_release(&c->timers.lock);
}

NO_LOCK_CHECK void timer_migrate(struct timer *t, struct cpu *to)
{
	struct cpu *from;
	uint64_t expires;
	bool first = false;

	for (;;) {
		from = load_acquire(&t->cpu);
		if (from == to)
			return;
		lock_pair(&from->timers.lock, &to->timers.lock);
		if (read_once(&t->cpu) == from)
			break;
		lock_release_pair(&from->timers.lock, &to->timers.lock);
	}
	expires = t->expires;
	store_release(&t->cpu, to);
	if (rb_linked(&t->node)) {
		rb_remove(&from->timers.tree, &t->node);
		rb_insert(&to->timers.tree, &t->node, earlier);
		first = rb_first(&to->timers.tree) == &t->node;
	}
	lock_release_pair(&from->timers.lock, &to->timers.lock);
	if (first)
		earliest_changed(to, expires);
}

NO_LOCK_CHECK bool timer_armed(const struct timer *t)
{
	struct cpu *c = queue_take((struct timer *)(uintptr_t)t);
	bool armed = rb_linked(&t->node);

	lock_release(&c->timers.lock);
	return armed;
}

void timers_run(void)
{
	struct timer_queue *q = &this_cpu()->timers;
	uint64_t now = arch_time_ns(), next;
	struct timer *t;

	lock_take(&q->lock);
	t = first_timer(q);
	if (t && t->expires <= now)
		rb_remove(&q->tree, &t->node);
	else
		t = NULL;
	next = first_deadline(q);
	lock_release(&q->lock);
	/* Before the timer's function, which may arm an earlier one. */
	q->programmed = next;
	if (next != NEVER)
		arch_timer_set(next);
	if (t)
		t->fn(t);
}
