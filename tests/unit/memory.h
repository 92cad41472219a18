/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of XENMEM_* share: a guest that calls, and its reservations. */
#ifndef TESTS_UNIT_MEMORY_H
#define TESTS_UNIT_MEMORY_H

#include "sim.h"

#define HOLE   0x100000u
#define FRAMES 64u

static struct domain *d;
static struct vcpu *v;

UNUSED static struct domain *make(uint32_t roles, uint64_t frames, bool direct)
{
	struct domain_config cfg = {
		.roles = roles,
		.max_vcpus = 1,
		.max_frames = 2048,
		.max_evtchn = 64,
		.max_grant_frames = 4,
		.max_maptrack_frames = 1,
		.direct_map = direct,
		.node = ALLOC_ANY_NODE,
	};

	return sim_domain_cfg(&cfg, frames);
}

UNUSED static void boot_as(uint32_t roles)
{
	sim_boot(1, 64 << 20, 1);
	d = make(roles, FRAMES, false);
	v = d->vcpu[0];
	/* Not being built any more. */
	lock_take(&d->lock);
	d->state = DOMAIN_ALIVE;
	lock_release(&d->lock);
}

UNUSED static void boot(void)
{
	boot_as(0);
}

UNUSED static void end(void)
{
	domain_mem_check(d);
	sim_end_all();
	sim_shutdown();
}

UNUSED static enum reason why(void)
{
	return v->refusal.id;
}

struct extents {
	struct xen_memory_reservation r;
	xen_pfn_t list[64];
};

UNUSED static struct extents extents(unsigned order, unsigned n, uint64_t first)
{
	struct extents x = { .r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF } };

	for (unsigned i = 0; i < n && i < 64; i++)
		x.list[i] = first + ((uint64_t)i << order);
	set_xen_guest_handle(
	    x.r.extent_start,
	    (xen_pfn_t *)(uintptr_t)(sim_arg(v).a + offsetof(struct extents, list)));
	return x;
}

UNUSED static int64_t reserve(unsigned cmd, unsigned order, unsigned n, uint64_t first)
{
	struct extents x = extents(order, n, first);

	return sim_memory(v, cmd, &x);
}

#endif
