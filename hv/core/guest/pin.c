/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest frames that stay mapped in the hypervisor: vcpu_info, runstate areas, rings. A pin holds a counted
 * reference, so its frame outlives any unmapping by the guest, and the entry counts its pins. The holder
 * serialises getting and putting; the page itself is touched through hv/atomic.h only.
 *
 * arch_frame_map() nests two deep at most; a pin's mapping lives longer. Where frames are mapped by
 * windows (32-bit hosts, no direct map) pins get windows of their own here.
 */
#include "door.h"

#include <hv/guest.h>

#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/domain.h>

static void hold(struct pin *p, mfn_t m)
{
	assert(!pin_held(p), "a pin holds one frame");
	frame_pin(m);
	p->mfn = m;
	p->va = arch_frame_map(m);
}

int pin_get(struct pin *p, struct domain *d, gfn_t g)
{
	mfn_t m;
	int err;

	err = p2m_get_frame(d, g, true, &m);
	if (!err)
		hold(p, m);
	return err;
}

int pin_get_va(struct pin *p, struct vcpu *v, gva_t va)
{
	mfn_t m;
	int err;

	err = guest_hold(v, va, &m);
	if (!err)
		hold(p, m);
	return err;
}

void pin_put(struct pin *p)
{
	if (!pin_held(p))
		return;
	arch_frame_unmap(p->va);
	p->va = NULL;
	frame_unpin(p->mfn);
	frame_put(p->mfn);
}
