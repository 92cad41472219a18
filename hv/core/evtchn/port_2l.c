/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two-level ports (xen/xen.h): a pending and a mask bit per port in shared_info, a bit per word of pending
 * bits in the vcpu_info of the vCPU that is notified, and one byte there that says "look". All of it is
 * guest memory: it is only ever read and written one atomic access at a time, and nothing of ours
 * depends on what is found there.
 *
 * The guest clears and looks in the other direction: byte, selector, pending; unmasking is clearing the mask
 * and then looking at pending. So each of our accesses is ordered after the one before.
 */
#include "internal.h"

#include <hv/guest_atomic.h>

#define WORD_BITS (8u * (uint32_t)sizeof(xen_ulong_t))

static xen_ulong_t bit_of(uint32_t port)
{
	return (xen_ulong_t)1 << port % WORD_BITS;
}

/*
 * A sender that found a FIFO port while its domain went back to two levels may bring a number that these have no
 * bits for. It tells the domain of another port then, once, and touches nothing but its page.
 */
static uint32_t word_of(uint32_t port)
{
	return port % (uint32_t)EVTCHN_2L_NR_CHANNELS / WORD_BITS;
}

static xen_ulong_t *pending_word(const struct domain *d, uint32_t port)
{
	return &d->shared_info->evtchn_pending[word_of(port)];
}

static xen_ulong_t *mask_word(const struct domain *d, uint32_t port)
{
	return &d->shared_info->evtchn_mask[word_of(port)];
}

/* The port is pending and not masked: pass it on to the vCPU's own words. */
static inline void select_word(struct vcpu *v, uint32_t port)
{
	xen_ulong_t bit = bit_of(word_of(port));
	struct vcpu_info *info;

	if (unlikely(!v)) /* not created yet */
		return;
	info = load_acquire(&v->info);
	/* Without a vcpu_info yet: registering one makes the guest look at everything. */
	if (likely(info) && !(guest_or(v->domain, &info->evtchn_pending_sel, bit) & bit) &&
	    !guest_xchg(v->domain, &info->evtchn_upcall_pending, (uint8_t)1))
		arch_vcpu_raise_upcall(v);
}

static inline void deliver(struct domain *d, struct vcpu *v, uint32_t port)
{
	if (likely(!(atomic_load(mask_word(d, port)) & bit_of(port))))
		select_word(v, port);
}

/* Rare, and apart so that the usual path keeps nothing across a call. */
static NOINLINE void deliver_to_pollers(struct domain *d, struct vcpu *v, uint32_t port)
{
	port_wake_pollers(d, port);
	deliver(d, v, port);
}

static void set_pending_2l(struct domain *d, struct vcpu *v, uint32_t port)
{
	xen_ulong_t bit = bit_of(port);

	if (guest_or(d, pending_word(d, port), bit) & bit)
		return;
	if (port_has_pollers(d))
		deliver_to_pollers(d, v, port);
	else
		deliver(d, v, port);
}

static void clear_pending_2l(struct domain *d, uint32_t port)
{
	(void)guest_and(d, pending_word(d, port), ~bit_of(port));
}

static bool is_pending_2l(const struct domain *d, uint32_t port)
{
	return atomic_load(pending_word(d, port)) & bit_of(port);
}

static bool is_masked_2l(const struct domain *d, uint32_t port)
{
	return atomic_load(mask_word(d, port)) & bit_of(port);
}

static void unmask_2l(struct domain *d, uint32_t port)
{
	xen_ulong_t bit = bit_of(port);

	if ((guest_and(d, mask_word(d, port), ~bit) & bit) && is_pending_2l(d, port))
		select_word(port_vcpu(d, port_at(d, port)), port);
}

const struct evtchn_port_ops evtchn_2l_ops = {
	.set_pending = set_pending_2l,
	.clear_pending = clear_pending_2l,
	.unmask = unmask_2l,
	.is_pending = is_pending_2l,
	.is_masked = is_masked_2l,
	.max_ports = (uint32_t)EVTCHN_2L_NR_CHANNELS,
};
