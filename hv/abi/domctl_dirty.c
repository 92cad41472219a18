/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XEN_DOMCTL_shadow_op: the log of writes to a domain's memory (core/mem/dirty.c), for who copies it while it runs; and the older
 * way to set the size of its page pool.
 */
#include "domctl.h"

#include <hv/control.h>
#include <hv/domain.h>
#include <hv/err.h>

#define MIB_FRAMES (1u << (20 - PAGE_SHIFT))

static int allocation(struct domctl_call *c, struct xen_domctl_shadow_op *op)
{
	struct domain *d = c->d;
	int err = 0;

	if (op->op == XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION) {
		if (op->mb > INT32_MAX / MIB_FRAMES - d->pool_base)
			return refuse(R_POOL_SIZE, d->id, PAGE_SIZE, (uint64_t)op->mb << 20);
		lock_take(&d->lock);
		err = pool_resize(&d->pool, d->pool_base + op->mb * MIB_FRAMES);
		lock_release(&d->lock);
	}
	op->mb = (read_once(&d->pool.ceiling) - d->pool_base + MIB_FRAMES - 1) / MIB_FRAMES;
	c->answer = !err;
	return err;
}

static int steps(struct domctl_call *c, int (*step)(struct domain *d, uint64_t *next))
{
	uint64_t next = control_progress(c->a, 0);
	int err;

	do
		err = step(c->d, &next);
	while (err == -ERR_RESTART && !hypercall_preempt(c->v));
	return err == -ERR_RESTART ? domctl_again(c, next) : err;
}

/* The caller could not be given these after all: they were written. */
static void put_back(struct domain *d, uint64_t at, const uint64_t *bits)
{
	for (unsigned i = 0; i < P2M_LOG_CHUNK; i++)
		if (bits[i / 64] >> i % 64 & 1)
			p2m_log_mark(d, gfn(at + i), 1);
}

/* One chunk, into the caller's map unless that is NULL; *dirty counts its bits. */
static int take_chunk(struct domctl_call *c, uint64_t at, bool clear, uint64_t *dirty)
{
	struct xen_domctl_shadow_op *op = &c->op.u.shadow_op;
	unsigned n = (unsigned)MIN(op->pages - at, (uint64_t)P2M_LOG_CHUNK);
	bool wanted = handle_gva(op->dirty_bitmap).a;
	gva_t to = gva_add(handle_gva(op->dirty_bitmap), at / 8);
	uint64_t bits[P2M_LOG_CHUNK / 64];
	int err = wanted ? guest_writable(c->v, to, (n + 7) / 8) : 0;

	if (!err)
		err = p2m_log_take(c->d, gfn(at), n, clear, bits);
	if (err)
		return err;
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		for (uint64_t w = bits[i]; w; w &= w - 1)
			++*dirty;
	if (wanted)
		err = guest_write(c->v, to, bits, (n + 7) / 8);
	if (err)
		put_back(c->d, at, bits);
	return err;
}

static int take(struct domctl_call *c, struct xen_domctl_shadow_op *op)
{
	uint64_t at = ROUND_DOWN(control_progress(c->a, 0), P2M_LOG_CHUNK);
	uint64_t dirty = control_progress(c->a, 1);
	int err = 0;

	if (op->mode & ~XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL)
		return refuse(R_SHADOW_OP, c->d->id, op->mode, op->op);
	while (at < op->pages) {
		err = take_chunk(c, at, op->op == XEN_DOMCTL_SHADOW_OP_CLEAN, &dirty);
		if (err)
			return err;
		at += P2M_LOG_CHUNK;
		if (at < op->pages && hypercall_preempt(c->v)) {
			c->a[3] = dirty;
			return domctl_again(c, at);
		}
	}
	op->stats.fault_count = 0; /* as in Xen, where only shadow tables count them */
	op->stats.dirty_count = (uint32_t)dirty;
	c->answer = true;
	return 0;
}

int domctl_shadow(struct domctl_call *c)
{
	struct xen_domctl_shadow_op *op = &c->op.u.shadow_op;

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	if (read_once(&c->d->dying))
		return 0;
	if (!domain_vcpu(c->d, 0))
		return refuse(R_SHADOW_NO_VCPU, c->d->id, 0, op->op);
	switch (op->op) {
	case XEN_DOMCTL_SHADOW_OP_ENABLE:
		if (!(op->mode & XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY))
			break;
		/* fall through */
	case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY: return steps(c, p2m_log_start_step);
	case XEN_DOMCTL_SHADOW_OP_OFF: return steps(c, p2m_log_stop_step);
	case XEN_DOMCTL_SHADOW_OP_CLEAN:
	case XEN_DOMCTL_SHADOW_OP_PEEK: return take(c, op);
	case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
	case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION: return allocation(c, op);
	default: break;
	}
	return refuse(R_SHADOW_OP, c->d->id, op->mode, op->op);
}
