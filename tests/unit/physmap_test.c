/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest or its tools let appear at a gfn: XENMEM_add_to_physmap and its like, XENMEM_acquire_resource. */
#include "memory.h"

/* ---- what appears at a gfn ---------------------------------------------------------------------- */

static int64_t unmap(uint64_t g)
{
	struct xen_remove_from_physmap x = { .domid = DOMID_SELF, .gpfn = g };

	return sim_memory(v, XENMEM_remove_from_physmap, &x);
}

static void shared_info_appears_where_it_is_asked_for(void **state)
{
	boot();
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_shared_info, 1, HOLE), -EINVAL);
	assert_int_equal(why(), R_BAD_SHARED_INFO_INDEX);
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_shared_info, 0, HOLE), 0);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).type, P2M_SHARED);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).mfn.n, d->shared_info_mfn.n);
	/* Over RAM, that RAM is given up. */
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_shared_info, 0, 40), 0);
	assert_int_equal(d->mem.used, FRAMES - 1);
	assert_int_equal(frame_of(d->shared_info_mfn)->refs, 3);
	assert_int_equal(unmap(HOLE), 0);
	assert_int_equal(frame_of(d->shared_info_mfn)->refs, 2);
	assert_int_equal(unmap(HOLE), -ENOENT);
	assert_int_equal(why(), R_NOTHING_MAPPED);
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_shared_info, 0, ~0ull), -EINVAL);
	assert_int_equal(frame_of(d->shared_info_mfn)->refs, 2);
	end();
}

static void grant_frames_appear_and_grow(void **state)
{
	boot();
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_grant_table, 2, HOLE + 2), 0);
	assert_int_equal(p2m_lookup(d, gfn(HOLE + 2)).type, P2M_SHARED);
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_grant_table, 4, HOLE + 4), -EINVAL);
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_grant_table, ~0ul, HOLE + 4), -EINVAL);
	assert_int_equal(p2m_lookup(d, gfn(HOLE + 4)).type, P2M_NONE);
	end();
}

static void spaces_that_are_missing_say_so(void **state)
{
	boot();
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_gmfn, 0, HOLE), -ENOSYS);
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_gmfn_foreign, 0, HOLE), -ENOSYS);
	assert_int_equal(sim_add_to_physmap(v, 99, 0, HOLE), -ENOSYS);
	assert_int_equal(why(), R_SPACE_NOT_IMPLEMENTED);
	end();
}

static void removed_ram_is_given_up(void **state)
{
	boot();
	assert_int_equal(unmap(33), 0);
	assert_int_equal(d->mem.used, FRAMES - 1);
	assert_int_equal(unmap(33), -ENOENT);
	end();
}

struct batch {
	struct xen_add_to_physmap_batch b;
	int errs[16];
	xen_ulong_t idxs[16];
	xen_pfn_t gpfns[16];
};

static struct batch batch(unsigned space, domid_t from, unsigned n, uint64_t idx, uint64_t g)
{
	struct batch x = { .b = { .domid = DOMID_SELF,
				  .space = (uint16_t)space,
				  .size = (uint16_t)n,
				  .u.foreign_domid = from } };
	uintptr_t base = (uintptr_t)sim_arg(v).a;

	for (unsigned i = 0; i < 16; i++) {
		x.errs[i] = 99;
		x.idxs[i] = idx + i;
		x.gpfns[i] = g + i;
	}
	set_xen_guest_handle(x.b.errs, (int *)(base + offsetof(struct batch, errs)));
	set_xen_guest_handle(x.b.idxs, (xen_ulong_t *)(base + offsetof(struct batch, idxs)));
	set_xen_guest_handle(x.b.gpfns, (xen_pfn_t *)(base + offsetof(struct batch, gpfns)));
	return x;
}

static void foreign_pages_are_mapped_by_batch(void **state)
{
	struct domain *other;
	const uint32_t x = 0xfeed;
	struct batch b;
	mfn_t m;

	boot_as(ROLE_CONTROL);
	other = make(0, 16, false);
	assert_int_equal(guest_phys_write(other, gpa(3 << PAGE_SHIFT), &x, 4), 0);
	b = batch(XENMAPSPACE_gmfn_foreign, other->id, 4, 2, HOLE);
	b.idxs[2] = 16; /* a hole */
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], 0);
	assert_int_equal(b.errs[1], 0);
	assert_int_equal(b.errs[2], -EINVAL);
	assert_int_equal(b.errs[3], 0);
	assert_int_equal(b.errs[4], 99);
	m = p2m_lookup(d, gfn(HOLE + 1)).mfn;
	assert_int_equal(p2m_lookup(d, gfn(HOLE + 1)).type, P2M_FOREIGN);
	assert_int_equal(*(uint32_t *)frame_va(m), 0xfeed);
	assert_int_equal(d->mem.shared, 3);
	/* The owner may go: what is mapped stays until it is unmapped. */
	sim_end(other);
	assert_int_equal(*(uint32_t *)frame_va(m), 0xfeed);
	assert_int_equal(unmap(HOLE + 1), 0);
	assert_int_equal(FRAME_STATE(frame_of(m)->state_flags) == FRAME_USED, false);
	end();
}

static void foreign_mapping_is_refused_for_cause(void **state)
{
	struct domain *other;
	struct batch b;

	boot();
	other = make(0, 16, false);
	b = batch(XENMAPSPACE_gmfn_foreign, other->id, 1, 2, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], -EPERM);
	b = batch(XENMAPSPACE_gmfn_foreign, 77, 1, 2, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], -ESRCH);
	b = batch(XENMAPSPACE_gmfn_foreign, DOMID_SELF, 1, 2, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], -EINVAL);
	b = batch(XENMAPSPACE_gmfn_foreign, d->id, 1, 2, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], -ESRCH);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).type, P2M_NONE);
	end();
}

static void broken_batches_are_refused(void **state)
{
	struct batch b;

	boot();
	b = batch(XENMAPSPACE_gmfn_range, 0, 1, 0, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), -EOPNOTSUPP);
	b = batch(XENMAPSPACE_shared_info, 0, 0, 0, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	b = batch(XENMAPSPACE_shared_info, 0, 1, 0, HOLE);
	b.b.domid = 77;
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), -ESRCH);
	b.b.domid = DOMID_SELF;
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch | 1 << 6, &b), -EILSEQ);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch | 2 << 6, &b), -EILSEQ);
	/* Nothing is done whose result could not be told. */
	set_xen_guest_handle(b.b.errs, (int *)0xdead0000);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), -EFAULT);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).type, P2M_NONE);
	b = batch(XENMAPSPACE_dev_mmio, 1, 1, 0, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), -EOPNOTSUPP);
	end();
}

static void batch_stops_between_elements(void **state)
{
	uint64_t a[6] = { XENMEM_add_to_physmap_batch };
	struct batch b;

	boot();
	b = batch(XENMAPSPACE_grant_table, 0, 3, 0, HOLE);
	assert_true(sim_poke(v, sim_arg(v), &b, sizeof(b)));
	a[1] = sim_arg(v).a;
	sim_as(v);
	softirq_raise_here(SOFTIRQ_RCU);
	assert_int_equal(abi_memory_op(v, a), -ERR_RESTART);
	assert_int_equal(a[0], XENMEM_add_to_physmap_batch | 1 << 6);
	assert_int_equal(abi_memory_op(v, a), -ERR_RESTART);
	assert_int_equal(abi_memory_op(v, a), 0);
	sim_as(NULL);
	assert_int_equal(d->mem.shared, 3);
	end();
}

static void devices_appear_again_only_for_their_owner(void **state)
{
	struct batch b;

	boot_as(ROLE_HARDWARE);
	assert_int_equal(p2m_change(d, gfn(0x9000), mfn(0x9000), 0, P2M_MMIO_DIRECT), 0);
	b = batch(XENMAPSPACE_dev_mmio, 0, 2, 0x9000, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], 0);
	assert_int_equal(b.errs[1], -EPERM); /* 0x9001 is not its own */
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).mfn.n, 0x9000);
	end();
	boot();
	b = batch(XENMAPSPACE_dev_mmio, 0, 1, 0x9000, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_add_to_physmap_batch, &b), 0);
	assert_int_equal(b.errs[0], -EPERM);
	end();
}

static void grants_stay_until_unmapped_by_handle(void **state)
{
	struct domain *other;
	mfn_t m;

	boot();
	other = make(0, 16, false);
	assert_int_equal(p2m_get_frame(other, gfn(1), true, &m), 0);
	assert_int_equal(p2m_change(d, gfn(HOLE), m, 0, P2M_GRANT_RW), 0);
	assert_int_equal(unmap(HOLE), -ENOENT);
	assert_int_equal(sim_add_to_physmap(v, XENMAPSPACE_shared_info, 0, HOLE), -EINVAL);
	assert_int_equal(why(), R_GFN_IS_GRANT);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 0, 1, HOLE), 0);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).type, P2M_GRANT_RW);
	assert_int_equal(frame_of(d->shared_info_mfn)->refs, 1);
	end();
}

/* ---- resources ---------------------------------------------------------------------------------- */

struct resource {
	struct xen_mem_acquire_resource r;
	xen_pfn_t list[8];
};

static struct resource resource(domid_t id, unsigned type, unsigned n, uint64_t frame, uint64_t g)
{
	struct resource x = {
		.r = { .domid = id, .type = (uint16_t)type, .nr_frames = n, .frame = frame }
	};

	for (unsigned i = 0; i < 8; i++)
		x.list[i] = g + i;
	if (g)
		set_xen_guest_handle(
		    x.r.frame_list,
		    (xen_pfn_t *)(uintptr_t)(sim_arg(v).a + offsetof(struct resource, list)));
	return x;
}

static void grant_table_is_mapped_by_the_tools(void **state)
{
	struct domain *other;
	struct resource x;
	mfn_t m;

	boot_as(ROLE_CONTROL);
	other = make(0, 16, false);
	x = resource(other->id, XENMEM_resource_grant_table, 0, 0, 0);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), 0);
	assert_int_equal(x.r.nr_frames, 4);
	x = resource(other->id, XENMEM_resource_grant_table, 2, 1, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), 0);
	assert_int_equal(gnttab_shared_frame(other, 1, &m), 0);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).mfn.n, m.n);
	assert_int_equal(frame_of(m)->refs, 2);
	/* The domain may go while its table is mapped. */
	sim_end(other);
	sim_run(NULL, NULL); /* and its structure goes, after a grace period */
	assert_int_equal(frame_of(m)->refs, 1);
	assert_int_equal(FRAME_STATE(frame_of(m)->state_flags), FRAME_HELD);
	end();
}

static void wrong_resources_are_refused(void **state)
{
	struct domain *other;
	struct resource x;

	boot_as(ROLE_CONTROL);
	other = make(0, 16, false);
	x = resource(DOMID_SELF, XENMEM_resource_grant_table, 1, 0, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -ESRCH);
	x.r.domid = d->id;
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EPERM);
	x.r.domid = other->id;
	x.r.pad = 1;
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EINVAL);
	x = resource(other->id, XENMEM_resource_ioreq_server, 1, 0, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EINVAL);
	x = resource(other->id, XENMEM_resource_grant_table, 1, 4, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EINVAL);
	x = resource(other->id, XENMEM_resource_grant_table, 4, ~0ull, HOLE);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EINVAL);
	x = resource(other->id, XENMEM_resource_grant_table, 1, 0, 0);
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EINVAL);
	x = resource(other->id, XENMEM_resource_grant_table, 3, 0, HOLE);
	x.list[1] = ~0ull;
	assert_int_equal(sim_memory(v, XENMEM_acquire_resource, &x), -EIO);
	assert_int_equal(d->mem.shared, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_info_appears_where_it_is_asked_for),
		cmocka_unit_test(grant_frames_appear_and_grow),
		cmocka_unit_test(spaces_that_are_missing_say_so),
		cmocka_unit_test(removed_ram_is_given_up),
		cmocka_unit_test(foreign_pages_are_mapped_by_batch),
		cmocka_unit_test(foreign_mapping_is_refused_for_cause),
		cmocka_unit_test(broken_batches_are_refused),
		cmocka_unit_test(batch_stops_between_elements),
		cmocka_unit_test(devices_appear_again_only_for_their_owner),
		cmocka_unit_test(grants_stay_until_unmapped_by_handle),
		cmocka_unit_test(grant_table_is_mapped_by_the_tools),
		cmocka_unit_test(wrong_resources_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
