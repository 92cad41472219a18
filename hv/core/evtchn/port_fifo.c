/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIFO ports (xen/event_channel.h): a word per port in an array of guest pages, and per vCPU a control block with the heads of
 * 16 queues, by priority, and a bit for each that has something. A word says pending, masked, linked, and which port is behind it in its
 * queue. We put ports in at the tail; the guest takes them out at the head, without a lock.
 *
 *	made by the first EVTCHNOP_init_control, which makes a domain's ports FIFO ones
 *	grown by EVTCHNOP_expand_array, a page at a time
 *	dropped by EVTCHNOP_reset and by destruction; freed when no sender can be looking at it any more (RCU)
 *
 * The tails are ours. A port belongs to the queue in which it was linked last (evtchn.last_vcpu, last_priority), until it is linked again:
 * LINKED is set, and a tail compared, only under that queue's lock. So a tail that is LINKED is in its queue still, and one that
 * is not has been taken out with all before it: the queue is empty.
 *
 * All that is in the pages is the guest's to write at any moment; nothing of ours depends on it but whether
 * its own queues hold together.
 */
#include "internal.h"

#include <hv/assert.h>
#include <hv/guest_atomic.h>
#include <hv/rcu.h>

#define PENDING        (1u << EVTCHN_FIFO_PENDING)
#define MASKED         (1u << EVTCHN_FIFO_MASKED)
#define LINKED         (1u << EVTCHN_FIFO_LINKED)
#define LINK_MASK      ((uint32_t)EVTCHN_FIFO_LINK_MASK)
#define WORDS_PER_PAGE (PAGE_SIZE / (uint32_t)sizeof(event_word_t))
#define MAX_PAGES      (EVTCHN_MAX_PORTS / WORDS_PER_PAGE)
/* A guest changes the word of a tail a few times while it is linked: masking, taking it out. */
#define LINK_TRIES     1000u

/* One vCPU's queues. */
struct fifo_vcpu {
	struct lock lock;                        /* rank FIFO */
	struct pin pin;                          /* [evtchn lock] */
	struct evtchn_fifo_control_block *block; /* [a] in it; NULL: not there yet */
	uint32_t tail[EVTCHN_FIFO_MAX_QUEUES];   /* [lock] 0: nothing was linked yet */
};

#define VCPUS_PER_FRAME 32u
_Static_assert(sizeof(struct fifo_vcpu) <= PAGE_SIZE / VCPUS_PER_FRAME, "32 in a frame");

struct evtchn_fifo {
	struct rcu_head rcu;
	struct domain *domain;      /* [c]; counted from drop to free */
	uint32_t nr_pages;          /* [evtchn lock, a] pages of the array */
	struct pin page[MAX_PAGES]; /* [evtchn lock] below nr_pages: [c] */
	struct fifo_vcpu *vcpus[MAX_VCPUS / VCPUS_PER_FRAME]; /* [c] frames of the pool */
};
_Static_assert(sizeof(struct evtchn_fifo) <= PAGE_SIZE, "one frame of the pool");

uint32_t fifo_pool_need(uint32_t vcpus)
{
	return 1 + (vcpus + VCPUS_PER_FRAME - 1) / VCPUS_PER_FRAME;
}

static inline struct fifo_vcpu *queues_of(const struct evtchn_fifo *f, uint32_t vcpu)
{
	return &f->vcpus[vcpu / VCPUS_PER_FRAME][vcpu % VCPUS_PER_FRAME];
}

/* The port's word, or NULL: the guest has not given us a page for it. */
static inline uint32_t *word_in(const struct evtchn_fifo *f, uint32_t port)
{
	uint32_t page = port / WORDS_PER_PAGE;

	if (unlikely(page >= load_acquire(&f->nr_pages)))
		return NULL;
	return (uint32_t *)f->page[page].va + port % WORDS_PER_PAGE;
}

/* ---- linking --------------------------------------------------------------------------------- */

/*
 * Both vCPUs' queues: that in which `e` is or was, and the new one's. The former may change until its lock is held.
 */
NO_LOCK_CHECK static struct fifo_vcpu *lock_queues(const struct evtchn_fifo *f,
						   const struct evtchn *e, struct fifo_vcpu *new)
{
	for (;;) {
		uint16_t last = read_once(&e->last_vcpu);
		struct fifo_vcpu *old = queues_of(f, last);

		lock_pair(&old->lock, &new->lock);
		if (read_once(&e->last_vcpu) == last)
			return old;
		lock_release_pair(&old->lock, &new->lock);
	}
}

/* Put `port` behind the tail at `word`. False: the guest has taken that one out. */
static bool link_behind(struct domain *d, uint32_t *word, uint32_t port)
{
	uint32_t old = read_once(word);

	for (unsigned i = 0; i < LINK_TRIES; i++) {
		if (!(old & LINKED))
			return false;
		if (guest_cas(d, word, &old, (old & ~LINK_MASK) | port))
			return true;
		if (read_once(&d->starves)) /* each of these tries was a long one */
			return false;
	}
	domain_starves_us(d);
	return false;
}

/* The port is LINKED now and in no queue; both locks are held. True: its queue was empty. */
static bool append(struct domain *d, const struct evtchn_fifo *f, struct fifo_vcpu *q,
		   struct evtchn_fifo_control_block *block, uint8_t priority, uint32_t port)
{
	uint32_t *tail = &q->tail[priority], *word;
	bool empty = true;

	/* A tail that is the port itself was taken out: it would not have been linked again else. */
	if (*tail && *tail != port) {
		word = word_in(f, *tail);
		empty = !word || !link_behind(d, word, port);
	}
	if (empty)
		write_once(&block->head[priority], port);
	*tail = port;
	return empty;
}

/* Into the queue of `v` with the port's priority, unless it is in one. True: `v` is to be told. */
NO_LOCK_CHECK static bool enqueue(struct domain *d, const struct evtchn_fifo *f, struct vcpu *v,
				  struct evtchn *e, uint32_t port, uint32_t *word)
{
	struct fifo_vcpu *new = queues_of(f, v->id), *old;
	struct evtchn_fifo_control_block *block = load_acquire(&new->block);
	uint8_t priority = read_once(&e->priority);
	bool empty = false;

	/* A vCPU without queues: the port stays pending until it is unmasked, as in Xen. */
	if (!block)
		return false;
	old = lock_queues(f, e, new);
	if (!(guest_or(d, word, LINKED) & LINKED)) {
		if ((old != new || e->last_priority != priority) &&
		    old->tail[e->last_priority] == port)
			old->tail[e->last_priority] = 0;
		write_once(&e->last_vcpu, (uint16_t)v->id);
		e->last_priority = priority;
		empty = append(d, f, new, block, priority, port);
	}
	lock_release_pair(&old->lock, &new->lock);
	return empty && !(guest_or(d, &block->ready, 1u << priority) & 1u << priority);
}

static void deliver(struct domain *d, const struct evtchn_fifo *f, struct vcpu *v, struct evtchn *e,
		    uint32_t port, uint32_t *word)
{
	struct vcpu_info *info;

	if (unlikely(!v) || !enqueue(d, f, v, e, port, word))
		return;
	info = load_acquire(&v->info);
	/* Without a vcpu_info yet: registering one makes the guest look at everything. */
	if (likely(info) && !guest_xchg(d, &info->evtchn_upcall_pending, (uint8_t)1))
		arch_vcpu_raise_upcall(v);
}

/* ---- the port operations --------------------------------------------------------------------- */

static void set_in_word(struct domain *d, const struct evtchn_fifo *f, struct vcpu *v,
			struct evtchn *e, uint32_t port, uint32_t *word)
{
	uint32_t old = guest_or(d, word, PENDING);

	if (likely(!(old & (MASKED | LINKED))))
		deliver(d, f, v, e, port, word);
	if (!(old & PENDING) && port_has_pollers(d))
		port_wake_pollers(d, port);
}

/* There is no word for it yet: who brings one looks at `early` afterwards; we look at the words after it. */
static NOINLINE void set_early(struct domain *d, const struct evtchn_fifo *f, struct vcpu *v,
			       struct evtchn *e, uint32_t port)
{
	uint32_t *word;

	(void)atomic_xchg(&e->early, (uint8_t)1);
	word = word_in(f, port);
	if (word && atomic_xchg(&e->early, (uint8_t)0))
		set_in_word(d, f, v, e, port, word);
	if (port_has_pollers(d))
		port_wake_pollers(d, port);
}

static void set_pending_fifo(struct domain *d, struct vcpu *v, uint32_t port)
{
	const struct evtchn_fifo *f = rcu_load(&d->evtchn.fifo);
	struct evtchn *e = port_at(d, port);
	uint32_t *word;

	if (unlikely(!f)) /* reset a moment ago: lost, as the ABI says */
		return;
	word = word_in(f, port);
	if (likely(word))
		set_in_word(d, f, v, e, port, word);
	else
		set_early(d, f, v, e, port);
}

/* The word of a port, or NULL. */
static uint32_t *word_of(const struct domain *d, uint32_t port)
{
	const struct evtchn_fifo *f = rcu_load(&d->evtchn.fifo);

	return f ? word_in(f, port) : NULL;
}

static void clear_pending_fifo(struct domain *d, uint32_t port)
{
	uint32_t *word = word_of(d, port);

	write_once(&port_at(d, port)->early, (uint8_t)0);
	if (word)
		(void)guest_and(d, word, ~PENDING);
}

static bool is_pending_fifo(const struct domain *d, uint32_t port)
{
	const uint32_t *word = word_of(d, port);

	return word ? atomic_load(word) & PENDING : read_once(&port_at(d, port)->early);
}

static bool is_masked_fifo(const struct domain *d, uint32_t port)
{
	const uint32_t *word = word_of(d, port);

	return !word || atomic_load(word) & MASKED;
}

static void unmask_fifo(struct domain *d, uint32_t port)
{
	const struct evtchn_fifo *f = rcu_load(&d->evtchn.fifo);
	struct evtchn *e = port_at(d, port);
	uint32_t *word = f ? word_in(f, port) : NULL, old;

	if (!word)
		return;
	old = guest_and(d, word, ~MASKED);
	if ((old & (PENDING | LINKED)) == PENDING)
		deliver(d, f, port_vcpu(d, e), e, port, word);
}

const struct evtchn_port_ops evtchn_fifo_ops = {
	.set_pending = set_pending_fifo,
	.clear_pending = clear_pending_fifo,
	.unmask = unmask_fifo,
	.is_pending = is_pending_fifo,
	.is_masked = is_masked_fifo,
	.max_ports = EVTCHN_MAX_PORTS,
};

/* ---- life ------------------------------------------------------------------------------------ */

static void fifo_free(struct evtchn_fifo *f)
{
	struct pool *pool = &f->domain->pool;

	for (uint32_t i = 0; i < f->nr_pages; i++)
		pin_put(&f->page[i]);
	for (uint32_t i = 0; i < ARRAY_SIZE(f->vcpus) && f->vcpus[i]; i++) {
		for (uint32_t n = 0; n < VCPUS_PER_FRAME; n++)
			pin_put(&f->vcpus[i][n].pin);
		pool_free(pool, frame_from_va(f->vcpus[i]));
	}
	pool_free(pool, frame_from_va(f));
}

static void free_after_grace(struct rcu_head *h)
{
	struct evtchn_fifo *f = container_of(h, struct evtchn_fifo, rcu);
	struct domain *d = f->domain;

	fifo_free(f);
	domain_put(d);
}

static struct evtchn_fifo *fifo_new(struct domain *d)
{
	struct evtchn_fifo *f = pool_alloc_page(&d->pool);
	uint32_t frames = fifo_pool_need(d->max_vcpus) - 1;

	if (!f)
		return NULL;
	f->domain = d;
	for (uint32_t i = 0; i < frames; i++) {
		f->vcpus[i] = pool_alloc_page(&d->pool);
		if (!f->vcpus[i]) {
			fifo_free(f);
			return NULL;
		}
		for (uint32_t n = 0; n < VCPUS_PER_FRAME; n++)
			lock_init(&f->vcpus[i][n].lock, RANK_FIFO);
	}
	return f;
}

/*
 * Is the port pending as a 2-level one? Then no more. A sender that found the ports to be 2-level may still make it
 * so for a moment.
 */
static bool take_2l(struct domain *d, uint32_t port)
{
	if (port >= evtchn_2l_ops.max_ports || !evtchn_2l_ops.is_pending(d, port))
		return false;
	evtchn_2l_ops.clear_pending(d, port);
	return true;
}

/* Ports become FIFO ones; what was pending until now becomes so again when it has a word. */
static void switch_to_fifo(struct domain *d, struct evtchn_fifo *f) HOLDS(d->evtchn.lock)
{
	struct evtchn_table *t = &d->evtchn;

	for (uint32_t port = 1; port < t->nr_ports && !read_once(&d->starves); port++)
		if (take_2l(d, port))
			write_once(&port_at(d, port)->early, (uint8_t)1);
	rcu_store(&t->fifo, f);
	store_release(&t->ops, &evtchn_fifo_ops);
}

static int set_control(struct domain *d, struct fifo_vcpu *q, uint32_t vcpu, gfn_t g,
		       uint32_t offset)
{
	int err;

	if (q->block)
		return refuse(R_FIFO_CONTROL_SET, vcpu, 0, d->id);
	err = pin_get(&q->pin, d, g);
	if (err)
		return refuse(R_FIFO_NOT_RAM, g.n, 0, d->id);
	store_release(&q->block, (struct evtchn_fifo_control_block *)((char *)q->pin.va + offset));
	return 0;
}

int evtchn_init_control(struct domain *d, uint32_t vcpu, gfn_t g, uint32_t offset)
{
	struct evtchn_table *t = &d->evtchn;
	struct evtchn_fifo *f;
	int err;

	if (!domain_vcpu(d, vcpu))
		return refuse(R_NO_SUCH_VCPU, vcpu, d->max_vcpus, vcpu);
	if (offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || offset % 8)
		return refuse(R_FIFO_OFFSET, vcpu,
			      PAGE_SIZE - sizeof(struct evtchn_fifo_control_block), offset);
	vcpu = (uint32_t)index_nospec(vcpu, d->max_vcpus);
	lock_take(&d->evtchn.lock);
	f = t->fifo ? t->fifo : fifo_new(d);
	err = f ? set_control(d, queues_of(f, vcpu), vcpu, g, offset)
		: reason_err(R_POOL_EXHAUSTED);
	if (!t->fifo && !err)
		switch_to_fifo(d, f);
	else if (!t->fifo && f)
		fifo_free(f);
	lock_release(&d->evtchn.lock);
	return err;
}

/* Ports of the new page that were told before it was there. Senders that saw no page look again after they set `early`. */
static void deliver_early(struct domain *d, const struct evtchn_fifo *f, uint32_t first)
{
	for (uint32_t port = first; port < first + WORDS_PER_PAGE; port++) {
		struct evtchn *e = port_find(d, port);
		bool was_2l;

		if (!e || read_once(&d->starves))
			return;
		was_2l = take_2l(d, port);
		if (atomic_xchg(&e->early, (uint8_t)0) || was_2l)
			set_in_word(d, f, port_vcpu(d, e), e, port, word_in(f, port));
	}
}

int evtchn_expand_array(struct domain *d, gfn_t g)
{
	struct evtchn_table *t = &d->evtchn;
	struct evtchn_fifo *f;
	int err = 0;

	lock_take(&d->evtchn.lock);
	f = t->fifo;
	if (!f)
		err = refuse(R_FIFO_OFF, d->id, 0, 0);
	else if (f->nr_pages == MAX_PAGES)
		err = refuse(R_FIFO_ARRAY_FULL, d->id, MAX_PAGES, MAX_PAGES);
	else if (pin_get(&f->page[f->nr_pages], d, g))
		err = refuse(R_FIFO_NOT_RAM, g.n, 0, d->id);
	if (!err) {
		store_release(&f->nr_pages, f->nr_pages + 1);
		atomic_fence();
		deliver_early(d, f, (f->nr_pages - 1) * WORDS_PER_PAGE);
	}
	lock_release(&d->evtchn.lock);
	return err;
}

int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority)
{
	struct evtchn *e;
	int err;

	lock_take(&d->evtchn.lock);
	err = port_check(d, port, &e);
	if (!err && !d->evtchn.fifo)
		err = refuse(R_NO_PORT_PRIORITY, port, 0, priority);
	if (!err && (e->state == EVTCHN_FREE || e->state == EVTCHN_RESERVED))
		err = refuse(R_PORT_WITHOUT_PRIORITY, port, 0, d->id);
	if (!err && priority > EVTCHN_FIFO_PRIORITY_MIN)
		err = refuse(R_BAD_PORT_PRIORITY, port, EVTCHN_FIFO_PRIORITY_MIN, priority);
	if (!err)
		write_once(&e->priority, (uint8_t)priority);
	lock_release(&d->evtchn.lock);
	return err;
}

void fifo_drop(struct domain *d)
{
	struct evtchn_fifo *f = d->evtchn.fifo;
	bool alive;

	if (!f)
		return;
	store_release(&d->evtchn.ops, &evtchn_2l_ops);
	rcu_store(&d->evtchn.fifo, (struct evtchn_fifo *)NULL);
	alive = ref_get(&d->ref);
	assert_always(alive, "who drops a domain's queues holds a reference to it");
	rcu_call(&f->rcu, free_after_grace);
}
