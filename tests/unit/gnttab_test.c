/* SPDX-License-Identifier: Apache-2.0 */
/* Grant tables, how they grow and what is copied and flushed by them: each test is one rule of the ABI, or one promise of hv/gnttab.h. */
#include "gnttab.h"

/* ---- copying --------------------------------------------------------------------------------- */

static void a_copy_moves_bytes_from_a_grant(void **state)
{
	fill(owner, PAGE, 0x11);
	fill(user, 6, 0x22);
	grant(REF, user, PAGE, GTF_readonly);
	assert_int_equal(copy(by_ref(REF, 100), own(6, 200), 50, GNTCOPY_source_gref), GNTST_okay);
	assert_int_equal(byte_at(user, 6, 199), 0x22);
	assert_int_equal(byte_at(user, 6, 200), 0x11);
	assert_int_equal(byte_at(user, 6, 249), 0x11);
	assert_int_equal(byte_at(user, 6, 250), 0x22);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_readonly);
}

static void a_copy_moves_bytes_to_a_grant(void **state)
{
	fill(owner, PAGE, 0x11);
	fill(user, 6, 0x22);
	grant(REF, user, PAGE, 0);
	assert_int_equal(copy(own(6, 0), by_ref(REF, 0), PAGE_SIZE, GNTCOPY_dest_gref), GNTST_okay);
	assert_int_equal(byte_at(owner, PAGE, 4095), 0x22);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void a_copy_joins_two_grants(void **state)
{
	fill(owner, PAGE, 0x11);
	fill(owner, PAGE + 1, 0x22);
	grant(REF, user, PAGE, 0);
	grant(REF + 1, user, PAGE + 1, 0);
	assert_int_equal(copy(by_ref(REF, 0), by_ref(REF + 1, 7), 1,
			      GNTCOPY_source_gref | GNTCOPY_dest_gref),
			 GNTST_okay);
	assert_int_equal(byte_at(owner, PAGE + 1, 7), 0x11);
	assert_int_equal(copy(by_ref(REF, 0), by_ref(REF, 8), 100,
			      GNTCOPY_source_gref | GNTCOPY_dest_gref),
			 GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void a_copy_stays_within_its_pages(void **state)
{
	grant(REF, user, PAGE, 0);
	assert_int_equal(copy(by_ref(REF, 1), own(6, 0), PAGE_SIZE, GNTCOPY_source_gref),
			 GNTST_bad_copy_arg);
	assert_int_equal(copy(by_ref(REF, 0), own(6, 4000), 97, GNTCOPY_source_gref),
			 GNTST_bad_copy_arg);
	assert_int_equal(copy(by_ref(REF, 0xffff), own(6, 0), 0xffff, GNTCOPY_source_gref),
			 GNTST_bad_copy_arg);
	assert_int_equal(copy(by_ref(REF, 4096), own(6, 0), 0, GNTCOPY_source_gref), GNTST_okay);
}

static void a_copy_names_pages_of_others_by_grant_only(void **state)
{
	struct gnttab_copy_ptr foreign = own(PAGE, 0);

	foreign.domid = owner->id;
	assert_int_equal(copy(foreign, own(6, 0), 8, 0), GNTST_permission_denied);
	assert_int_equal(copy(own(6, 0), foreign, 8, 0), GNTST_permission_denied);
	assert_int_equal(copy(own(6, 0), own(7, 0), 8, 0), GNTST_okay);
	assert_int_equal(copy(own(HOLE, 0), own(7, 0), 8, 0), GNTST_bad_page);
}

static void a_copy_that_is_refused_leaves_no_mark(void **state)
{
	grant(REF, user, PAGE, 0);
	grant(REF + 1, user, PAGE + 1, GTF_readonly);
	assert_int_equal(copy(by_ref(REF, 0), own(HOLE, 0), 8, GNTCOPY_source_gref), GNTST_bad_page);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	assert_int_equal(copy(by_ref(REF, 0), by_ref(REF + 1, 0), 8,
			      GNTCOPY_source_gref | GNTCOPY_dest_gref),
			 GNTST_general_error);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	assert_int_equal(flags_of(REF + 1), GTF_permit_access | GTF_readonly);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void setup_table_grows_and_answers_with_guest_frames(void **state)
{
	struct vcpu *v = owner->vcpu[0];
	gva_t list = gva(2 << PAGE_SHIFT);
	struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 3 };
	xen_pfn_t g[3];
	mfn_t m;

	op.frame_list.p = (void *)(uintptr_t)list.a;
	assert_int_equal(gnttab_shared_frame(owner, 1, &m), 0);
	frame_set_gfn(m, gfn(0x123));
	assert_int_equal(sim_gnttab(v, GNTTABOP_setup_table, &op), 0);
	assert_int_equal(op.status, GNTST_okay);
	assert_int_equal(owner->gnttab.nr_frames, 3);
	assert_true(sim_peek(v, list, g, sizeof(g)));
	assert_int_equal(g[1], 0x123);
	op.nr_frames = 5;
	assert_int_equal(sim_gnttab(v, GNTTABOP_setup_table, &op), 0);
	assert_int_equal(op.status, GNTST_general_error);
	op.nr_frames = 1;
	op.dom = user->id;
	assert_int_equal(sim_gnttab(v, GNTTABOP_setup_table, &op), 0);
	assert_int_equal(op.status, GNTST_permission_denied);
	op.dom = 77;
	assert_int_equal(sim_gnttab(v, GNTTABOP_setup_table, &op), 0);
	assert_int_equal(op.status, GNTST_bad_domain);
	assert_int_equal(sim_call_n(v, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &op,
				    sizeof(op), 2),
			 -EINVAL);
}

static void query_size_tells_what_there_is_and_may_be(void **state)
{
	struct gnttab_query_size op = { .dom = DOMID_SELF };

	assert_int_equal(gnttab_grow(owner, 2), 0);
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_query_size, &op), 0);
	assert_int_equal(op.status, GNTST_okay);
	assert_int_equal(op.nr_frames, 2);
	assert_int_equal(op.max_nr_frames, 4);
}

static void only_version_1_exists(void **state)
{
	struct gnttab_get_version get = { .dom = DOMID_SELF };
	struct gnttab_set_version set = { .version = 1 };

	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_get_version, &get), 0);
	assert_int_equal(get.version, 1);
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_set_version, &set), 0);
	set.version = 2;
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_set_version, &set), -ENOSYS);
	set.version = 3;
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_set_version, &set), -EINVAL);
	get.dom = 77;
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_get_version, &get), -ESRCH);
	get.dom = user->id;
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_get_version, &get), -EPERM);
}

static void swap_exchanges_grants_that_nobody_uses(void **state)
{
	struct gnttab_swap_grant_ref op = { .ref_a = REF, .ref_b = 600 };
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	grant(600, third, PAGE + 1, GTF_readonly);
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_swap_grant_ref, &op), 0);
	assert_int_equal(op.status, GNTST_okay);
	assert_int_equal(entry(owner, REF)->domid, third->id);
	assert_int_equal(entry(owner, 600)->frame, PAGE);
	handle = map_handle(user, GNTMAP_host_map, 600, HOLE_AT);
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_swap_grant_ref, &op), 0);
	assert_int_equal(op.status, GNTST_eagain);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	op.ref_b = REF;
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_swap_grant_ref, &op), 0);
	assert_int_equal(op.status, GNTST_okay);
	op.ref_b = 100000;
	assert_int_equal(sim_gnttab(owner->vcpu[0], GNTTABOP_swap_grant_ref, &op), 0);
	assert_int_equal(op.status, GNTST_bad_gntref);
}

static void a_seeded_grant_can_be_mapped(void **state)
{
	assert_int_equal(gnttab_seed(owner, GNTTAB_RESERVED_XENSTORE, user->id, gfn(PAGE)), 0);
	(void)map_handle(user, GNTMAP_host_map, GNTTAB_RESERVED_XENSTORE, HOLE_AT);
	assert_int_equal(frame_at(user, HOLE).n, frame_at(owner, PAGE).n);
}

static void a_table_costs_nothing_until_it_is_used(void **state)
{
	uint32_t used = owner->pool.used;

	assert_int_equal(owner->gnttab.nr_frames, 0);
	assert_int_equal(map(user, GNTMAP_host_map, 0, HOLE_AT), GNTST_bad_gntref);
	assert_int_equal(owner->pool.used, used);
	grant(REF, user, PAGE, 0);
	assert_int_equal(owner->pool.used, used + 2);
	(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(owner->pool.used, used + 3);
}

/* ---- cache flushing -------------------------------------------------------------------------- */

static void a_flush_is_for_own_and_for_mapped_pages(void **state)
{
	uint64_t mine = mfn_to_paddr(frame_at(user, 6)).a,
		 theirs = mfn_to_paddr(frame_at(owner, PAGE)).a;
	uint32_t what = GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL, handle;

	assert_int_equal(flush(mine, 0, PAGE_SIZE, what), 0);
	assert_int_equal(flush(theirs, 0, 64, what), -EPERM);
	grant(REF, user, PAGE, 0);
	for (unsigned i = 0; i < 200; i++)
		(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT + i * PAGE_SIZE);
	grant(REF + 1, user, PAGE + 1, 0);
	handle = map_handle(user, GNTMAP_host_map, REF + 1, HOLE_AT + 300 * PAGE_SIZE);
	assert_int_equal(flush(theirs, 4000, 96, GNTTAB_CACHE_CLEAN), 0);
	theirs = mfn_to_paddr(frame_at(owner, PAGE + 1)).a;
	assert_int_equal(flush(theirs, 0, 64, what), 0);
	assert_int_equal(unmap(user, handle, HOLE_AT + 300 * PAGE_SIZE), GNTST_okay);
	assert_int_equal(flush(theirs, 0, 64, what), -EPERM);
}

static void a_flush_checks_its_arguments(void **state)
{
	uint64_t mine = mfn_to_paddr(frame_at(user, 6)).a;

	assert_int_equal(flush(mine, 4096, 0, GNTTAB_CACHE_CLEAN), -EINVAL);
	assert_int_equal(flush(mine, 4000, 97, GNTTAB_CACHE_CLEAN), -EINVAL);
	assert_int_equal(flush(mine, 0, 0xffff, GNTTAB_CACHE_CLEAN), -EINVAL);
	assert_int_equal(flush(0, 0, 8, GNTTAB_CACHE_CLEAN), -EINVAL);
	assert_int_equal(flush(~0ull << 12, 0, 8, GNTTAB_CACHE_CLEAN), -EINVAL);
	assert_int_equal(flush(mine, 0, 8, GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_CLEAN),
			 -EOPNOTSUPP);
	assert_int_equal(flush(0, 0, 0, GNTTAB_CACHE_CLEAN), 0);
	assert_int_equal(flush(0, 0, 8, 0), 0);
}

/* ---- many elements --------------------------------------------------------------------------- */

#define MANY 50u

static void make_many(struct gnttab_map_grant_ref *op)
{
	grant(REF, user, PAGE, 0);
	for (uint32_t i = 0; i < MANY; i++)
		op[i] = (struct gnttab_map_grant_ref){
			.host_addr = HOLE_AT + i * PAGE_SIZE,
			.flags = GNTMAP_host_map,
			.ref = i % 10 == 3 ? REF + 1 : REF,
			.dom = owner->id,
			.status = 99,
		};
}

static void each_element_has_its_own_status(void **state)
{
	struct gnttab_map_grant_ref op[MANY];

	make_many(op);
	assert_int_equal(sim_call_n(user->vcpu[0], __HYPERVISOR_grant_table_op,
				    GNTTABOP_map_grant_ref, op, sizeof(op), MANY),
			 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(op[i].status, i % 10 == 3 ? GNTST_general_error : GNTST_okay);
	assert_int_equal(active(owner, REF)->maps_rw, MANY - MANY / 10);
}

static void a_long_call_stops_between_elements_and_goes_on(void **state)
{
	struct gnttab_map_grant_ref op[MANY];
	struct vcpu *v = user->vcpu[0];
	uint64_t a[6] = { GNTTABOP_map_grant_ref, sim_arg(v).a, MANY };
	unsigned calls = 1;
	int64_t err;

	make_many(op);
	assert_true(sim_poke(v, sim_arg(v), op, sizeof(op)));
	sim_as(v);
	softirq_raise_here(SOFTIRQ_RCU); /* somebody wants this CPU, all the time */
	while ((err = abi_grant_table_op(v, a)) == -ERR_RESTART) {
		assert_int_equal(a[2], MANY - calls);
		assert_int_equal(a[1], sim_arg(v).a + calls * sizeof(op[0]));
		calls++;
	}
	sim_as(NULL);
	assert_int_equal(err, 0);
	assert_int_equal(calls, MANY);
	assert_true(sim_peek(v, sim_arg(v), op, sizeof(op)));
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(op[i].status, i % 10 == 3 ? GNTST_general_error : GNTST_okay);
}

static void a_flush_that_searches_long_goes_on_where_it_stopped(void **state)
{
	struct vcpu *v = user->vcpu[0];
	struct gnttab_cache_flush op = { .length = 64, .op = GNTTAB_CACHE_CLEAN };
	uint64_t a[6] = { GNTTABOP_cache_flush, sim_arg(v).a, 1 };

	grant(REF, user, PAGE, 0);
	for (unsigned i = 0; i < 3 * MAPTRACK_PER_FRAME; i++)
		(void)map_handle(user, GNTMAP_device_map, REF, 0);
	op.a.dev_bus_addr = mfn_to_paddr(frame_at(owner, PAGE + 1)).a;
	assert_true(sim_poke(v, sim_arg(v), &op, sizeof(op)));
	sim_as(v);
	softirq_raise_here(SOFTIRQ_RCU);
	assert_int_equal(abi_grant_table_op(v, a), -ERR_RESTART);
	assert_int_equal(a[0], GNTTABOP_cache_flush);
	assert_int_equal(a[2], 1);
	sim_as(NULL);
}

static void counts_and_commands_are_checked(void **state)
{
	struct gnttab_query_size op = { .dom = DOMID_SELF };
	struct vcpu *v = user->vcpu[0];

	assert_int_equal(sim_call_n(v, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op,
				    sizeof(op), 0x80000000u),
			 -EINVAL);
	assert_int_equal(sim_call_n(v, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op,
				    sizeof(op), 0),
			 0);
	assert_int_equal(sim_gnttab(v, GNTTABOP_transfer, &op), -ENOSYS);
	assert_int_equal(sim_gnttab(v, GNTTABOP_dump_table, &op), -ENOSYS);
	assert_int_equal(sim_gnttab(v, 13, &op), -ENOSYS);
	assert_int_equal(sim_gnttab(v, GNTTABOP_map_grant_ref | 1u << 12, &op), -ENOSYS);
	for (uint64_t cmd = 0; cmd <= GNTTABOP_cache_flush; cmd++)
		if (cmd != GNTTABOP_transfer && cmd != GNTTABOP_dump_table)
			assert_int_equal(sim_hypercall(v, __HYPERVISOR_grant_table_op, cmd,
						       0x1000000, 1),
					 -EFAULT);
}

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, setup, sim_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_copy_moves_bytes_from_a_grant),
		RULE(a_copy_moves_bytes_to_a_grant),
		RULE(a_copy_joins_two_grants),
		RULE(a_copy_stays_within_its_pages),
		RULE(a_copy_names_pages_of_others_by_grant_only),
		RULE(a_copy_that_is_refused_leaves_no_mark),
		RULE(setup_table_grows_and_answers_with_guest_frames),
		RULE(query_size_tells_what_there_is_and_may_be),
		RULE(only_version_1_exists),
		RULE(swap_exchanges_grants_that_nobody_uses),
		RULE(a_seeded_grant_can_be_mapped),
		RULE(a_table_costs_nothing_until_it_is_used),
		RULE(a_flush_is_for_own_and_for_mapped_pages),
		RULE(a_flush_checks_its_arguments),
		RULE(each_element_has_its_own_status),
		RULE(a_long_call_stops_between_elements_and_goes_on),
		RULE(a_flush_that_searches_long_goes_on_where_it_stopped),
		RULE(counts_and_commands_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
