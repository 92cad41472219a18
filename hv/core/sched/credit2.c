/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default policy: fair shares by weight. Each CPU has a run queue ordered by virtual time, the time a unit ran
 * divided by its weight; whoever is furthest behind runs next. cpu->sched.queue is the CPU's struct queue; its
 * lock (rank SCHED) guards it and the units whose `cpu` it belongs to. A unit changes queues under both locks.
 *
 * A unit's vtime counts in its queue's own time. queue->offset turns it into the time that all queues share, so that
 * units on different CPUs can be compared and a queue that fell behind (its units cannot go anywhere else) is moved
 * forward as a whole.
 *
 * Work finds CPUs in three ways. A unit that wakes goes to an idle CPU of its affinity if there is one. A CPU that would
 * go idle pulls a waiting unit from another queue. A CPU with waiting units looks at a few others each time it
 * chooses, and tells one that is idle, or further ahead than MAX_AHEAD, to pull from it.
 *
 * Who runs keeps the CPU for RATELIMIT at least, and then until its slice ends or somebody is behind it by
 * WAKE_MARGIN. So a unit that wakes behind the others waits for RATELIMIT at most.
 */
#include <hv/sched.h>

#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>
#include <xen/domctl.h>

#define MS          1000000ll
#define RATELIMIT   (SCHED_RATELIMIT_US * (MS / 1000))
#define SLICE       (5 * MS) /* ahead of the next one, when there is a next one */
#define SLICE_MAX   (10 * MS)
#define WAKE_MARGIN (MS / 2)
#define SLEEP_BONUS (2 * MS)   /* how far behind its queue a unit may wake */
#define MAX_AHEAD   (6 * MS)   /* between CPUs */
#define MAX_BEHIND  (300 * MS) /* of a queue behind the one that is furthest */
#define MAX_LOOK    4          /* waiting units, and other CPUs, looked at in one go */

struct queue {
	struct lock lock;       /* rank SCHED */
	uint32_t waiting;       /* [a, written under l] units in the tree */
	struct rbtree tree;     /* [l] waiting units by vtime */
	struct cpu *cpu;        /* [c] NULL until the CPU is added */
	struct sched_unit *run; /* [l] chosen and not chosen again */
	uint64_t accounted;     /* [l] ns: until when run->vtime is right */
	uint64_t slice_end;     /* [l] ns */
	uint64_t vtime;         /* [l] of the unit furthest behind; never goes back */
	uint64_t offset;        /* [l] from own time to shared time */
	struct queue *look;     /* [a] another one asks to be relieved of a unit */
	uint32_t probe;         /* [own] CPU to look at next */
};
_Static_assert(sizeof(struct queue) <= CPU_QUEUE_WORDS * sizeof(uint64_t), "fits the CPU's area");

static unsigned long idle_cpus[MAX_CPUS / BITS_PER_LONG]; /* [a] set by themselves, cleared by wakers */
static uint64_t furthest;  /* [a] roughly the largest shared time of any queue */
static uint32_t next_home; /* [a] spreads new units */

static struct queue *queue_of(const struct cpu *c)
{
	return c->sched.queue;
}

static struct sched_unit *unit_of(const struct rbnode *n)
{
	return container_of(n, struct sched_unit, node);
}

/* ---- virtual time ------------------------------------------------------------------------------ */

/* a - b, also when they have wrapped around in between. */
static int64_t ahead(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b);
}

static bool behind(const struct rbnode *a, const struct rbnode *b)
{
	return ahead(unit_of(a)->vtime, unit_of(b)->vtime) < 0;
}

/* ns of a CPU in virtual time: times 256 / weight, by multiplications. */
static uint64_t scaled(const struct sched_unit *u, uint64_t ns)
{
	uint64_t inverse = (1u << 24) / u->weight;

	return (ns >> 16) * inverse + ((ns & 0xffff) * inverse >> 16);
}

/* The other way round, for gaps; a long one is cut short. */
static int64_t unscaled(const struct sched_unit *u, int64_t vtime)
{
	return vtime > SLICE_MAX * 256 ? SLICE_MAX : vtime * (int64_t)u->weight / 256;
}

/* Bring run->vtime and the queue's own time up to date. */
static void account(struct queue *q, uint64_t now)
{
	struct rbnode *first = rb_first(&q->tree);
	uint64_t least, shared, lead;

	now = MAX(now, q->accounted); /* others' clocks are read before they get the lock */
	if (q->run) {
		q->run->vtime += scaled(q->run, now - q->accounted);
		least = q->run->vtime;
		if (first && ahead(unit_of(first)->vtime, least) < 0)
			least = unit_of(first)->vtime;
	} else if (first) {
		least = unit_of(first)->vtime;
	} else {
		least = q->vtime;
	}
	q->accounted = now;
	if (ahead(least, q->vtime) > 0)
		q->vtime = least;

	shared = q->vtime + q->offset;
	lead = ahead(shared, read_once(&furthest));
	if ((int64_t)lead > 0)
		write_once(&furthest, shared);
	else if ((int64_t)lead < -MAX_BEHIND)
		q->offset -= lead + (uint64_t)MAX_BEHIND;
}

/* A queue without units has no past: it starts where the others are. */
static void catch_up(struct queue *q)
{
	int64_t lead = ahead(q->vtime + q->offset, read_once(&furthest));

	if (!q->run && !rb_first(&q->tree) && lead < 0)
		q->offset -= (uint64_t)lead;
}

/* ---- queues ------------------------------------------------------------------------------------ */

static void enqueue(struct queue *q, struct sched_unit *u)
{
	rb_insert(&q->tree, &u->node, behind);
	write_once(&u->queued, true);
	__atomic_store_n(&q->waiting, q->waiting + 1, __ATOMIC_SEQ_CST);
}

static void dequeue(struct queue *q, struct sched_unit *u)
{
	rb_remove(&q->tree, &u->node);
	write_once(&u->queued, false);
	write_once(&q->waiting, q->waiting - 1);
}

/* Takes the lock of the queue that `u` belongs to. */
NO_LOCK_CHECK static struct queue *queue_take(struct sched_unit *u)
{
	for (;;) {
		struct queue *q = queue_of(load_acquire(&u->cpu));

		lock_take(&q->lock);
		if (read_once(&u->cpu) == q->cpu)
			return q;
		lock_release(&q->lock);
	}
}

/* Before units are compared or moved: `to` first, which may be the one that is furthest. Both locks held. */
static void account_both(struct queue *to, struct queue *from, uint64_t now)
{
	account(to, now);
	catch_up(to);
	account(from, now);
}

/* Both locks held, both accounted; `u` neither queued nor running. */
static void move(struct sched_unit *u, struct queue *from, struct queue *to)
{
	u->vtime += from->offset - to->offset;
	store_release(&u->cpu, to->cpu);
}

/* ---- which CPU --------------------------------------------------------------------------------- */

static bool is_idle(unsigned id)
{
	return atomic_load(&idle_cpus[id / BITS_PER_LONG]) >> (id % BITS_PER_LONG) & 1;
}

/* The CPU is about to get work; true when it was idle. */
static bool claim_idle(unsigned id)
{
	return is_idle(id) && atomic_test_and_clear_bit(id, idle_cpus);
}

/* An idle member of `s`, the first from `start` on, or MAX_CPUS. */
static unsigned find_idle(const struct cpuset *s, unsigned start)
{
	unsigned id = start, end = read_once(&nr_cpus);

	for (unsigned n = 0; n < end; n++) {
		if (id >= end)
			id = 0;
		if (cpuset_has(s, id) && is_idle(id))
			return id;
		id++;
	}
	return MAX_CPUS;
}

static unsigned least_waiting(const struct cpuset *s)
{
	unsigned best = MAX_CPUS;
	uint32_t least = UINT32_MAX;

	cpuset_for_each(id, s)
	{
		uint32_t waiting = read_once(&queue_of(cpu_get(id))->waiting);

		if (waiting < least) {
			least = waiting;
			best = id;
		}
	}
	return best;
}

static void online_of(struct cpuset *out, const struct cpuset *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(out->bits); i++)
		out->bits[i] = s->bits[i] & read_once(&cpus_online.bits[i]);
}

static void both_of(struct cpuset *out, const struct cpuset *a, const struct cpuset *b)
{
	for (unsigned i = 0; i < ARRAY_SIZE(out->bits); i++)
		out->bits[i] = a->bits[i] & b->bits[i];
}

/* Where `u` should wait or run: idle before busy, soft affinity before none, where it was before elsewhere. */
static struct queue *place_for(struct sched_unit *u)
{
	unsigned here = u->cpu->id, id;
	struct cpuset hard, soft;

	if (read_once(&nr_cpus) == 1 ||
	    (is_idle(here) && cpuset_has(&u->hard, here) && cpuset_has(&u->soft, here)))
		return queue_of(u->cpu);
	online_of(&hard, &u->hard);
	both_of(&soft, &hard, &u->soft);
	if (cpuset_empty(&soft))
		soft = hard;
	id = find_idle(&soft, here);
	if (id == MAX_CPUS)
		id = find_idle(&hard, here);
	if (id == MAX_CPUS && cpuset_has(&soft, here))
		id = here;
	if (id == MAX_CPUS)
		id = least_waiting(&soft);
	/* Its CPUs may all be offline for a moment at boot: it waits where it is. */
	return id == MAX_CPUS ? queue_of(u->cpu) : queue_of(cpu_get(id));
}

/* ---- waking ------------------------------------------------------------------------------------ */

static bool may_queue(const struct sched_unit *u)
{
	return !u->queued && !u->running && vcpu_eligible(u->vcpu);
}

/*
 * Takes the lock of the queue where `u`, if it is to be queued, has its place now, and makes it belong there. NULL, and no
 * lock: nothing to do.
 */
NO_LOCK_CHECK static struct queue *take_place(struct sched_unit *u)
{
	for (;;) {
		struct queue *from = queue_take(u), *to;

		if (!may_queue(u)) {
			lock_release(&from->lock);
			return NULL;
		}
		to = place_for(u);
		if (to == from)
			return to;
		lock_release(&from->lock);
		lock_pair(&from->lock, &to->lock);
		if (read_once(&u->cpu) == from->cpu && may_queue(u) &&
		    cpuset_has(&u->hard, to->cpu->id)) {
			account_both(to, from, arch_time_ns());
			move(u, from, to);
			lock_release(&from->lock);
			return to;
		}
		lock_release_pair(&from->lock, &to->lock);
	}
}

/* `u` waits on a busy CPU. One that went idle meanwhile may not have seen it: look again, after queueing. */
static void tell_idle(const struct cpuset *hard, unsigned start)
{
	unsigned id = find_idle(hard, start);

	if (id != MAX_CPUS && claim_idle(id))
		softirq_raise(cpu_get(id), SOFTIRQ_SCHEDULE);
}

NO_LOCK_CHECK static void credit2_sleep(struct sched_unit *u)
{
	struct queue *q = queue_take(u);

	if (u->queued && !vcpu_eligible(u->vcpu))
		dequeue(q, u);
	lock_release(&q->lock);
}

/* ---- choosing ---------------------------------------------------------------------------------- */

/* The unit furthest behind that can run here at once. */
static struct sched_unit *first_ready(struct queue *q)
{
	struct rbnode *n = rb_first(&q->tree);

	for (unsigned i = 0; n && i < MAX_LOOK; i++, n = rb_next(n))
		if (sched_claimable(unit_of(n), q->cpu))
			return unit_of(n);
	return NULL;
}

/* Does the running unit go on, although `first` waits? */
static bool keeps_cpu(const struct queue *q, struct sched_unit *u, const struct sched_unit *first,
		      uint64_t now)
{
	int64_t lead = ahead(u->vtime, first->vtime);

	if (u->yielded) {
		if (lead < 0)
			u->vtime = first->vtime;
		return false;
	}
	if (now - u->started < (uint64_t)RATELIMIT)
		return true;
	return now < q->slice_end ? lead <= WAKE_MARGIN : lead < 0;
}

/* Until when `u` may run, given who waits. */
static uint64_t slice_end(const struct queue *q, const struct sched_unit *u, uint64_t now)
{
	const struct rbnode *n = rb_first(&q->tree);
	int64_t ns, gap;

	if (!n)
		return SLICE_NONE;
	gap = ahead(unit_of(n)->vtime, u->vtime);
	if (gap < -WAKE_MARGIN && now - u->started < (uint64_t)RATELIMIT)
		return u->started + (uint64_t)RATELIMIT;
	ns = unscaled(u, gap);
	ns = MIN(MAX(ns + SLICE, RATELIMIT), SLICE_MAX);
	return now + (uint64_t)ns;
}

/* The part of choosing that only this queue's lock is needed for. */
static struct sched_unit *pick_here(struct queue *q, struct sched_unit *prev, uint64_t now)
{
	struct sched_unit *next;

	account(q, now);
	q->run = NULL;
	if (prev && (!vcpu_eligible(prev->vcpu) || !cpuset_has(&prev->hard, q->cpu->id))) {
		/* Blocked, paused; or no longer allowed here: then sched.c wakes it elsewhere. */
		write_once(&prev->running, false);
		prev = NULL;
	}
	next = first_ready(q);
	if (prev && (!next || keeps_cpu(q, prev, next, now))) {
		prev->yielded = false;
		next = prev;
	} else {
		if (prev) {
			prev->yielded = false;
			write_once(&prev->running, false);
			enqueue(q, prev);
		}
		if (!next) {
			(void)atomic_test_and_set_bit(q->cpu->id, idle_cpus);
			return NULL;
		}
		dequeue(q, next);
		write_once(&next->running, true);
		next->started = now;
	}
	q->run = next;
	q->slice_end = slice_end(q, next, now);
	(void)claim_idle(q->cpu->id);
	return next;
}

/* ---- between CPUs ------------------------------------------------------------------------------ */

/* May a unit of another queue be moved to `c` now? If only its registers forbid it, `c` will be told. */
static bool can_move(struct sched_unit *u, struct cpu *c)
{
	struct cpu *nobody = NULL;
	struct cpu *holder;

	if (!cpuset_has(&u->hard, c->id))
		return false;
	holder = load_acquire(&u->held);
	if (!holder || holder == c)
		return true;
	/* Its queue's owner goes first if it wants to be told as well. */
	(void)atomic_cas(&u->wanted, &nobody, c);
	return !atomic_load(&u->held);
}

/* Moves a waiting unit from `from` to `to`, which has nothing to do or is MAX_AHEAD of it. */
NO_LOCK_CHECK static bool pull_from(struct queue *to, struct queue *from, uint64_t now)
{
	struct rbnode *n;
	bool done = false;

	lock_pair(&to->lock, &from->lock);
	account_both(to, from, now);
	n = rb_first(&from->tree);
	for (unsigned i = 0; n && !done && i < MAX_LOOK; i++, n = rb_next(n)) {
		struct sched_unit *u = unit_of(n);

		if (to->run &&
		    ahead(to->run->vtime + to->offset, u->vtime + from->offset) <= MAX_AHEAD)
			break;
		/* It is about to run where it was put, and would rather be there than here. */
		if (!from->run && !cpuset_has(&u->soft, to->cpu->id))
			continue;
		if (!can_move(u, to->cpu))
			continue;
		dequeue(from, u);
		move(u, from, to);
		enqueue(to, u);
		done = true;
	}
	lock_release_pair(&to->lock, &from->lock);
	return done;
}

/* For a CPU without work. Its idle bit is set, so that whoever queues a unit after we looked tells us. */
static bool pull_any(struct queue *q, uint64_t now)
{
	unsigned end = read_once(&nr_cpus), id = q->cpu->id;

	for (unsigned n = 1; n < end; n++) {
		struct queue *from;

		id = id + 1 < end ? id + 1 : 0;
		from = queue_of(cpu_get(id));
		if (load_acquire(&from->cpu) && atomic_load(&from->waiting) &&
		    pull_from(q, from, now))
			return true;
	}
	return false;
}

/* The unit that waits longest by its weight, for looking around without the lock. */
struct waiter {
	uint64_t vtime; /* shared */
	struct cpuset hard;
};

/* How far `q` runs ahead of the waiter; nothing if it is idle or waits itself. */
NO_LOCK_CHECK static bool far_ahead(struct queue *q, const struct waiter *w, uint64_t now)
{
	bool yes = false;

	lock_take(&q->lock);
	if (q->run)
		yes = ahead(q->run->vtime + scaled(q->run, MAX(now, q->accounted) - q->accounted) +
				q->offset,
			    w->vtime) > MAX_AHEAD;
	lock_release(&q->lock);
	return yes;
}

/* Units wait here: tell somebody who should take one. */
static void seek_relief(struct queue *q, const struct waiter *w, uint64_t now)
{
	unsigned end = read_once(&nr_cpus), id = find_idle(&w->hard, q->cpu->id);

	if (id != MAX_CPUS) {
		if (claim_idle(id))
			softirq_raise(cpu_get(id), SOFTIRQ_SCHEDULE);
		return;
	}
	for (unsigned n = 0; n < MIN(end, (unsigned)MAX_LOOK); n++) {
		struct queue *other;

		q->probe = q->probe + 1 < end ? q->probe + 1 : 0;
		other = queue_of(cpu_get(q->probe));
		if (other == q || !load_acquire(&other->cpu) || !cpuset_has(&w->hard, q->probe) ||
		    !far_ahead(other, w, now))
			continue;
		store_release(&other->look, q);
		softirq_raise(other->cpu, SOFTIRQ_SCHEDULE);
		return;
	}
}

/*
 * `u` came to the head of this CPU's queue. Does who runs here go on nevertheless? Then it only gets an end of its slice, which costs
 * less than to go through sched_run() and come out the same.
 */
static bool goes_on(struct queue *q, const struct sched_unit *u, uint64_t now)
{
	struct cpu *c = this_cpu();

	if (q->cpu != c || !q->run || c->sched.running != q->run || q->run->yielded ||
	    load_acquire(&u->held) || !keeps_cpu(q, q->run, u, now))
		return false;
	q->slice_end = slice_end(q, q->run, now);
	return true;
}

NO_LOCK_CHECK static void credit2_wake(struct sched_unit *u)
{
	const bool others = read_once(&nr_cpus) > 1;
	struct queue *q = take_place(u);
	bool idle, first, stays;
	uint64_t now, end;
	struct waiter w;

	if (!q)
		return;
	now = arch_time_ns();
	account(q, now);
	catch_up(q);
	if (ahead(u->vtime, q->vtime) < -SLEEP_BONUS)
		u->vtime = q->vtime - (uint64_t)SLEEP_BONUS;
	enqueue(q, u);
	idle = claim_idle(q->cpu->id);
	first = !q->run || rb_first(&q->tree) == &u->node;
	stays = first && !idle && goes_on(q, u, now);
	end = q->slice_end;
	if (others)
		w = (struct waiter){ .vtime = u->vtime + q->offset, .hard = u->hard };
	lock_release(&q->lock);
	if (stays)
		sched_slice(end);
	else if (idle || first)
		softirq_raise(q->cpu, SOFTIRQ_SCHEDULE);
	if (idle || !others)
		return;
	if (stays)
		seek_relief(q, &w, now);
	else
		tell_idle(&w.hard, q->cpu->id);
}

NO_LOCK_CHECK static struct sched_unit *credit2_pick(struct cpu *c, struct sched_unit *prev,
						     uint64_t now, uint64_t *end)
{
	struct queue *q = queue_of(c);
	struct queue *crowded = load_acquire(&q->look);
	struct sched_unit *next;
	struct waiter w;
	bool waiting;

	if (crowded) {
		store_release(&q->look, (struct queue *)NULL);
		(void)pull_from(q, crowded, now);
	}
	lock_take(&q->lock);
	next = pick_here(q, prev, now);
	if (!next) {
		lock_release(&q->lock);
		if (!pull_any(q, now))
			return NULL;
		lock_take(&q->lock);
		next = pick_here(q, NULL, now);
	}
	waiting = next && rb_first(&q->tree);
	if (waiting) {
		const struct sched_unit *u = unit_of(rb_first(&q->tree));

		w = (struct waiter){ .vtime = u->vtime + q->offset, .hard = u->hard };
	}
	*end = next ? q->slice_end : SLICE_NONE;
	lock_release(&q->lock);
	if (waiting && read_once(&nr_cpus) > 1)
		seek_relief(q, &w, now);
	return next;
}

/* ---- life and parameters ----------------------------------------------------------------------- */

static int credit2_cpu_add(struct cpu *c)
{
	struct queue *q = queue_of(c);

	lock_init(&q->lock, RANK_SCHED);
	rb_init(&q->tree);
	q->vtime = read_once(&furthest);
	q->slice_end = SLICE_NONE;
	store_release(&q->cpu, c);
	return 0;
}

static int credit2_unit_add(struct sched_unit *u)
{
	unsigned start = atomic_add(&next_home, 1u) % MAX(read_once(&nr_cpus), 1u), id;
	struct cpuset hard;
	struct queue *q;

	online_of(&hard, &u->hard);
	id = cpuset_next(&hard, start);
	if (id == MAX_CPUS)
		id = cpuset_next(&hard, 0);
	u->cpu = id == MAX_CPUS ? this_cpu() : cpu_get(id);
	q = queue_of(u->cpu);
	lock_take(&q->lock);
	u->vtime = q->vtime;
	lock_release(&q->lock);
	return 0;
}

NO_LOCK_CHECK static void credit2_unit_remove(struct sched_unit *u)
{
	struct queue *q = queue_take(u);

	assert(!u->running, "a unit that leaves does not run");
	if (u->queued)
		dequeue(q, u);
	lock_release(&q->lock);
}

NO_LOCK_CHECK static void credit2_set_affinity(struct sched_unit *u, const struct cpuset *hard,
					       const struct cpuset *soft)
{
	struct queue *q = queue_take(u);
	bool displaced;

	if (hard)
		u->hard = *hard;
	if (soft)
		u->soft = *soft;
	displaced = !cpuset_has(&u->hard, q->cpu->id);
	if (displaced && u->queued)
		dequeue(q, u);
	lock_release(&q->lock);
	if (displaced) {
		softirq_raise(q->cpu, SOFTIRQ_SCHEDULE); /* it may be running there */
		credit2_wake(u);
	}
}

NO_LOCK_CHECK static void credit2_set_weight(struct sched_unit *u, uint32_t weight)
{
	struct queue *q = queue_take(u);

	account(q, arch_time_ns());
	u->weight = weight;
	lock_release(&q->lock);
}

const struct sched_ops sched_credit2 = {
	.name = "credit2",
	.id = XEN_SCHEDULER_CREDIT2,
	.cpu_add = credit2_cpu_add,
	.unit_add = credit2_unit_add,
	.unit_remove = credit2_unit_remove,
	.wake = credit2_wake,
	.sleep = credit2_sleep,
	.pick = credit2_pick,
	.set_affinity = credit2_set_affinity,
	.set_weight = credit2_set_weight,
};
