/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XEN_DOMCTL_gethvmcontext, _sethvmcontext, _gethvmcontext_partial: the records of hv/state.h to and from a
 * toolstack. All of them pass through a buffer of the hypervisor's in small steps; between two of them the call is entered again and
 * the domain is still. The buffer is the domain's until the call ends, or the domain does; one whose caller does not come
 * back is taken over by the next call, after a second.
 */
#include "domctl.h"

#include <arch/timer.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/state.h>
#include <xen/hvm/save.h>

/* 2 MiB: more than 512 vCPUs come to. */
#define MAX_BUFFER_ORDER ORDER_2M
#define ABANDONED_NS     1000000000u

/* At the beginning of the buffer; the records follow. */
struct job {
	uint64_t token; /* the call that goes on with it has this as its progress */
	uint64_t touched;
	uint64_t size; /* bytes of records */
	uint64_t at;   /* of them copied to or from the caller */
	bool loading;
	union {
		struct state_save save;
		struct state_load load;
	};
};

static uint8_t *records(struct job *j)
{
	return (uint8_t *)(j + 1);
}

static int buffer_get(struct domain *d, uint64_t size, void **va, unsigned *order)
{
	mfn_t m;

	*order = 0;
	while (*order < MAX_BUFFER_ORDER && (uint64_t)PAGE_SIZE << *order < size)
		++*order;
	if ((uint64_t)PAGE_SIZE << *order < size)
		return refuse(R_STATE_TOO_LARGE, d->id, (uint64_t)PAGE_SIZE << MAX_BUFFER_ORDER,
			      size);
	/* What is not overwritten is not given to anybody. */
	m = frame_alloc(*order, ALLOC_ANY_NODE, ALLOC_DIRTY);
	if (!mfn_valid(m))
		return refuse(R_NO_MEMORY, d->id, 0, (uint64_t)1 << *order);
	*va = frame_va(m);
	return 0;
}

/* ---- the two kinds of call -------------------------------------------------------------------------- */

/* Bytes of records copied in one step. */
static size_t piece(const struct job *j)
{
	return MIN((size_t)(j->size - j->at), (size_t)PAGE_SIZE);
}

static int get_begin(struct domctl_call *c, struct job *j)
{
	size_t room = ((size_t)PAGE_SIZE << c->d->state_order) - sizeof(*j);

	return state_save_begin(&j->save, c->d, records(j), room);
}

/* Save all of them, then copy them out. */
static int get_step(struct domctl_call *c, struct job *j)
{
	struct xen_domctl_hvmcontext *h = &c->op.u.hvmcontext;
	size_t n;
	int err;

	if (!j->size) {
		err = state_save_step(&j->save);
		if (err)
			return err;
		j->size = j->save.used;
	}
	n = piece(j);
	err = guest_write(c->v, gva_add(handle_gva(h->buffer), j->at), records(j) + j->at, n);
	if (err)
		return err;
	j->at += n;
	if (j->at < j->size)
		return -ERR_RESTART;
	h->size = (uint32_t)j->size;
	c->answer = true;
	return 0;
}

static int set_begin(struct domctl_call *c, struct job *j)
{
	j->size = c->op.u.hvmcontext.size;
	return 0;
}

/* Copy all of them in, then look at each, then load them. */
static int set_step(struct domctl_call *c, struct job *j)
{
	size_t n = piece(j);
	int err;

	if (j->loading)
		return state_load_step(&j->load);
	err = guest_read(c->v, records(j) + j->at,
			 gva_add(handle_gva(c->op.u.hvmcontext.buffer), j->at), n);
	if (err)
		return err;
	j->at += n;
	if (j->at == j->size) {
		err = state_load_begin(&j->load, c->d, records(j), j->size);
		if (err)
			return err;
		j->loading = true;
	}
	return -ERR_RESTART;
}

/* ---- one call at a time -------------------------------------------------------------------------------- */

static void job_end(struct domain *d)
{
	frame_free(frame_from_va(d->state_work), d->state_order);
	d->state_work = NULL;
}

/* What somebody else began: wait for him; or end it when he does not come back. 0: there is nothing any more. */
static int take_over(struct domctl_call *c)
{
	struct job *j = c->d->state_work;

	if (arch_time_ns() - j->touched < ABANDONED_NS) {
		sched_yield(c->v);
		return -ERR_RESTART;
	}
	/* A load that has begun is finished: half of it is no state. */
	while (j->loading && j->load.checked && state_load_step(&j->load) == -ERR_RESTART)
		if (hypercall_preempt(c->v))
			return -ERR_RESTART;
	job_end(c->d);
	return 0;
}

static int job_begin(struct domctl_call *c, uint64_t size,
		     int (*begin)(struct domctl_call *c, struct job *j))
{
	static uint64_t tokens; /* [a] */
	struct job *j;
	int err = buffer_get(c->d, sizeof(*j) + size, &c->d->state_work, &c->d->state_order);

	if (err)
		return err;
	j = c->d->state_work;
	*j = (struct job){ .token = atomic_add(&tokens, (uint64_t)1) };
	err = begin(c, j);
	if (err)
		job_end(c->d);
	return err;
}

static int run(struct domctl_call *c, uint64_t size,
	       int (*begin)(struct domctl_call *c, struct job *j),
	       int (*step)(struct domctl_call *c, struct job *j))
{
	struct domain *d = c->d;
	struct job *j;
	int err = control_hold(c->v->domain, d);

	if (err)
		return err;
	j = d->state_work;
	if (j && j->token != control_progress(c->a, 0)) {
		err = take_over(c);
		if (err) {
			control_give_way(d);
			return err;
		}
		j = NULL;
	}
	if (!j)
		err = job_begin(c, size, begin);
	if (err)
		goto out;
	j = d->state_work;
	do
		err = step(c, j);
	while (err == -ERR_RESTART && !hypercall_preempt(c->v));
	if (err == -ERR_RESTART) {
		j->touched = arch_time_ns();
		err = domctl_again(c, j->token);
		control_give_way(d);
		return err;
	}
	job_end(d);
out:
	control_release(d);
	return err;
}

int domctl_get_state(struct domctl_call *c)
{
	struct xen_domctl_hvmcontext *h = &c->op.u.hvmcontext;
	size_t size = state_size(c->d);

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	if (!handle_gva(h->buffer).a) {
		h->size = (uint32_t)size;
		c->answer = true;
		return 0;
	}
	if (h->size < size)
		return refuse(R_STATE_BUFFER, c->d->id, h->size, size);
	return run(c, size, get_begin, get_step);
}

int domctl_set_state(struct domctl_call *c)
{
	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	return run(c, c->op.u.hvmcontext.size, set_begin, set_step);
}

/* ---- one record ------------------------------------------------------------------------------------------ */

static int give_record(struct domctl_call *c, void *buf, size_t room)
{
	struct xen_domctl_hvmcontext_partial *p = &c->op.u.hvmcontext_partial;
	uint32_t length;
	int err = state_save_one(c->d, (uint16_t)p->type, p->instance, buf, room, &length);

	if (!err && handle_gva(p->buffer).a) {
		if (p->bufsz < length)
			return refuse(R_STATE_BUFFER, c->d->id, p->bufsz, length);
		err = guest_write(c->v, handle_gva(p->buffer), buf, length);
	}
	if (err)
		return err;
	p->bufsz = length;
	c->answer = true;
	return 0;
}

/* Without its descriptor. */
int domctl_get_state_record(struct domctl_call *c)
{
	unsigned order;
	void *buf;
	int err;

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	err = control_hold(c->v->domain, c->d);
	if (err)
		return err;
	if (c->d->state_work) {
		err = take_over(c);
		if (err) {
			control_give_way(c->d);
			return err;
		}
	}
	err = buffer_get(c->d, state_size(c->d), &buf, &order);
	if (!err) {
		err = give_record(c, buf, (size_t)PAGE_SIZE << order);
		frame_free(frame_from_va(buf), order);
	}
	control_release(c->d);
	return err;
}
