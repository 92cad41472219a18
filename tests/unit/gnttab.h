/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of grant tables share: three domains, and the operations in a line each. */
#ifndef TESTS_UNIT_GNTTAB_H
#define TESTS_UNIT_GNTTAB_H

#include "sim.h"

#include <hv/softirq.h>

/* `owner` grants, `user` maps, `third` is in nobody's confidence. The test makes their hypercalls. */
static struct domain *owner, *user, *third;

#define PAGE    5u /* the owner's page that is granted */
#define REF     9u
#define HOLE    0x40u /* a guest frame with nothing mapped */
#define HOLE_AT ((uint64_t)HOLE << PAGE_SHIFT)

UNUSED static int setup(void **state)
{
	sim_boot(2, 64 << 20, 1);
	owner = sim_domain(1, 16);
	user = sim_domain(1, 16);
	third = sim_domain(1, 16);
	return 0;
}

/* ---- the operations, in a line each ---------------------------------------------------------- */

UNUSED static struct grant_entry_v1 *entry(struct domain *d, uint32_t ref)
{
	assert_int_equal(gnttab_grow(d, ref / GRANTS_PER_FRAME + 1), 0);
	return &d->gnttab.dir[0][ref / GRANTS_PER_FRAME].shared[ref % GRANTS_PER_FRAME];
}

UNUSED static struct grant_active *active(struct domain *d, uint32_t ref)
{
	struct grant_active *a = d->gnttab.dir[0][ref / GRANTS_PER_FRAME]
				     .active[ref % GRANTS_PER_FRAME / ACTIVE_PER_FRAME];

	return a ? a + ref % ACTIVE_PER_FRAME : NULL;
}

UNUSED static void grant(uint32_t ref, struct domain *to, uint32_t g, uint16_t flags)
{
	*entry(owner, ref) = (struct grant_entry_v1){
		.flags = (uint16_t)(GTF_permit_access | flags),
		.domid = to->id,
		.frame = g,
	};
}

UNUSED static struct gnttab_map_grant_ref map_op(struct domain *d, uint32_t flags, uint32_t ref,
						 uint64_t at)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = at,
		.flags = flags,
		.ref = ref,
		.dom = owner->id,
		.status = 99,
	};

	assert_int_equal(sim_gnttab(d->vcpu[0], GNTTABOP_map_grant_ref, &op), 0);
	return op;
}

UNUSED static int map(struct domain *d, uint32_t flags, uint32_t ref, uint64_t at)
{
	return map_op(d, flags, ref, at).status;
}

UNUSED static uint32_t map_handle(struct domain *d, uint32_t flags, uint32_t ref, uint64_t at)
{
	struct gnttab_map_grant_ref op = map_op(d, flags, ref, at);

	assert_int_equal(op.status, GNTST_okay);
	return op.handle;
}

UNUSED static int unmap_parts(struct domain *d, uint32_t handle, uint64_t at, uint64_t bus)
{
	struct gnttab_unmap_grant_ref op = {
		.host_addr = at,
		.dev_bus_addr = bus,
		.handle = handle,
		.status = 99,
	};

	assert_int_equal(sim_gnttab(d->vcpu[0], GNTTABOP_unmap_grant_ref, &op), 0);
	return op.status;
}

UNUSED static int unmap(struct domain *d, uint32_t handle, uint64_t at)
{
	return unmap_parts(d, handle, at, 0);
}

/* A page of `d` itself, or a grant of the owner. */
UNUSED static struct gnttab_copy_ptr own(uint32_t g, uint16_t offset)
{
	return (struct gnttab_copy_ptr){ .u.gmfn = g, .domid = DOMID_SELF, .offset = offset };
}

UNUSED static struct gnttab_copy_ptr by_ref(uint32_t ref, uint16_t offset)
{
	return (struct gnttab_copy_ptr){ .u.ref = ref, .domid = owner->id, .offset = offset };
}

UNUSED static int copy(struct gnttab_copy_ptr from, struct gnttab_copy_ptr to, uint16_t len,
		       uint16_t flags)
{
	struct gnttab_copy op = {
		.source = from,
		.dest = to,
		.len = len,
		.flags = flags,
		.status = 99,
	};

	assert_int_equal(sim_gnttab(user->vcpu[0], GNTTABOP_copy, &op), 0);
	return op.status;
}

UNUSED static int64_t flush(uint64_t bus, uint16_t offset, uint16_t length, uint32_t what)
{
	struct gnttab_cache_flush op = {
		.a.dev_bus_addr = bus,
		.offset = offset,
		.length = length,
		.op = what,
	};

	return sim_gnttab(user->vcpu[0], GNTTABOP_cache_flush, &op);
}

/* ---- looking --------------------------------------------------------------------------------- */

UNUSED static mfn_t frame_at(struct domain *d, uint64_t g)
{
	return p2m_lookup(d, gfn(g)).mfn;
}

UNUSED static enum p2m_type type_at(struct domain *d, uint64_t g)
{
	return p2m_lookup(d, gfn(g)).type;
}

UNUSED static uint16_t flags_of(uint32_t ref)
{
	return entry(owner, ref)->flags;
}

UNUSED static void fill(struct domain *d, uint32_t g, uint8_t byte)
{
	uint8_t page[PAGE_SIZE];

	memset(page, byte, sizeof(page));
	assert_int_equal(guest_phys_write(d, gfn_to_gpa(gfn(g)), page, sizeof(page)), 0);
}

UNUSED static uint8_t byte_at(struct domain *d, uint32_t g, unsigned offset)
{
	uint8_t b;

	assert_int_equal(guest_phys_read(d, &b, gpa_add(gfn_to_gpa(gfn(g)), offset), 1), 0);
	return b;
}

#endif
