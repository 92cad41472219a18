/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XEN_DOMCTL_gethvmcontext, _sethvmcontext, _gethvmcontext_partial: the records of hv/state.h to and from a
 * toolstack. They pass through a buffer of the hypervisor's, which exists for the length of one call.
 */
#include "domctl.h"

#include <hv/control.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/state.h>
#include <xen/hvm/save.h>

/* 2 MiB: more than 512 vCPUs come to. */
#define MAX_BUFFER_ORDER ORDER_2M

struct buffer {
	mfn_t mfn;
	unsigned order;
	uint8_t *va;
};

static int buffer_get(struct buffer *b, const struct domain *d, uint64_t size)
{
	b->order = 0;
	while (b->order < MAX_BUFFER_ORDER && (uint64_t)PAGE_SIZE << b->order < size)
		b->order++;
	if ((uint64_t)PAGE_SIZE << b->order < size)
		return refuse(R_STATE_TOO_LARGE, d->id, (uint64_t)PAGE_SIZE << MAX_BUFFER_ORDER,
			      size);
	b->mfn = frame_alloc(b->order, ALLOC_ANY_NODE, 0);
	if (!mfn_valid(b->mfn))
		return refuse(R_NO_MEMORY, d->id, 0, (uint64_t)1 << b->order);
	b->va = frame_va(b->mfn);
	return 0;
}

static void buffer_put(const struct buffer *b)
{
	frame_free(b->mfn, b->order);
}

/* ---- out ----------------------------------------------------------------------------------------- */

/* All of the state of `d`, which is held, into `b`. */
static int save_all(struct domain *d, struct buffer *b, size_t *used)
{
	struct state_save s;
	int err;

	err = state_save_begin(&s, d, b->va, (size_t)PAGE_SIZE << b->order);
	if (err)
		return err;
	do
		err = state_save_step(&s);
	while (err == -ERR_RESTART);
	*used = s.used;
	return err;
}

/* What is done with the records once they are there. */
typedef int use_state(struct domctl_call *c, const uint8_t *state, size_t used);

static int with_state(struct domctl_call *c, use_state *use)
{
	struct buffer b;
	size_t used;
	int err;

	err = control_hold(c->v->domain, c->d);
	if (err)
		return err;
	err = buffer_get(&b, c->d, state_size(c->d));
	if (err)
		goto out;
	err = save_all(c->d, &b, &used);
	if (!err)
		err = use(c, b.va, used);
	buffer_put(&b);
out:
	control_release(c->d);
	return err;
}

static int give_all(struct domctl_call *c, const uint8_t *state, size_t used)
{
	struct xen_domctl_hvmcontext *h = &c->op.u.hvmcontext;
	int err = guest_write(c->v, handle_gva(h->buffer), state, used);

	h->size = (uint32_t)used;
	c->answer = !err;
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
	return with_state(c, give_all);
}

/* One record without its descriptor. */
static int give_record(struct domctl_call *c, const uint8_t *state, size_t used)
{
	struct xen_domctl_hvmcontext_partial *p = &c->op.u.hvmcontext_partial;
	const struct hvm_save_descriptor *r;
	int err = 0;

	for (size_t at = 0; at + sizeof(*r) <= used; at += sizeof(*r) + r->length) {
		r = (const struct hvm_save_descriptor *)(const void *)(state + at);
		if (r->typecode != p->type || r->instance != p->instance)
			continue;
		if (handle_gva(p->buffer).a) {
			if (p->bufsz < r->length)
				return refuse(R_STATE_BUFFER, c->d->id, p->bufsz, r->length);
			err = guest_write(c->v, handle_gva(p->buffer), r + 1, r->length);
		}
		p->bufsz = r->length;
		c->answer = !err;
		return err;
	}
	return refuse(R_STATE_NO_RECORD, p->type, c->d->id, p->instance);
}

int domctl_get_state_record(struct domctl_call *c)
{
	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	return with_state(c, give_record);
}

/* ---- in ------------------------------------------------------------------------------------------- */

static int load_all(struct domain *d, const struct buffer *b, size_t size)
{
	struct state_load s;
	int err;

	err = state_load_begin(&s, d, b->va, size);
	if (err)
		return err;
	do
		err = state_load_step(&s);
	while (err == -ERR_RESTART);
	return err;
}

int domctl_set_state(struct domctl_call *c)
{
	const struct xen_domctl_hvmcontext *h = &c->op.u.hvmcontext;
	struct buffer b;
	int err;

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	err = control_hold(c->v->domain, c->d);
	if (err)
		return err;
	err = buffer_get(&b, c->d, h->size);
	if (err)
		goto out;
	err = guest_read(c->v, b.va, handle_gva(h->buffer), h->size);
	if (!err)
		err = load_all(c->d, &b, h->size);
	buffer_put(&b);
out:
	control_release(c->d);
	return err;
}
