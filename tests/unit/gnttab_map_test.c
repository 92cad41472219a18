/* SPDX-License-Identifier: Apache-2.0 */
/* Grants, how they are mapped and unmapped: each test is one rule of the ABI, or one promise of hv/gnttab.h. */
#include "gnttab.h"

/* ---- mapping --------------------------------------------------------------------------------- */

static void a_map_shows_the_owners_page(void **state)
{
	grant(REF, user, PAGE, 0);
	(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(frame_at(user, HOLE).n, frame_at(owner, PAGE).n);
	assert_int_equal(type_at(user, HOLE), P2M_GRANT_RW);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading | GTF_writing);
}

static void a_read_only_map_cannot_write(void **state)
{
	grant(REF, user, PAGE, 0);
	(void)map_handle(user, GNTMAP_host_map | GNTMAP_readonly, REF, HOLE_AT);
	assert_int_equal(type_at(user, HOLE), P2M_GRANT_RO);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading);
}

static void an_unmap_leaves_no_trace(void **state)
{
	uint32_t refs = frame_of(frame_at(owner, PAGE))->refs, domain_refs = owner->ref.n, handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(frame_of(frame_at(owner, PAGE))->refs, refs + 2);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	assert_int_equal(type_at(user, HOLE), P2M_NONE);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	assert_int_equal(frame_of(frame_at(owner, PAGE))->refs, refs);
	assert_int_equal(owner->ref.n, domain_refs);
}

static void a_grant_is_for_one_domain(void **state)
{
	grant(REF, user, PAGE, 0);
	assert_int_equal(map(third, GNTMAP_host_map, REF, HOLE_AT), GNTST_general_error);
	assert_int_equal(third->vcpu[0]->refusal.id, R_NOT_GRANTED);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	entry(owner, REF)->flags = 0;
	assert_int_equal(map(user, GNTMAP_host_map, REF, HOLE_AT), GNTST_general_error);
	entry(owner, REF)->flags = GTF_accept_transfer;
	assert_int_equal(map(user, GNTMAP_host_map, REF, HOLE_AT), GNTST_general_error);
	assert_int_equal(type_at(user, HOLE), P2M_NONE);
}

static void a_read_only_grant_is_not_mapped_writable(void **state)
{
	grant(REF, user, PAGE, GTF_readonly);
	assert_int_equal(map(user, GNTMAP_host_map, REF, HOLE_AT), GNTST_general_error);
	assert_int_equal(user->vcpu[0]->refusal.id, R_GRANT_READONLY);
	assert_int_equal(map(user, GNTMAP_host_map | GNTMAP_readonly, REF, HOLE_AT), GNTST_okay);
}

static void names_and_flags_are_checked_in_order(void **state)
{
	struct gnttab_map_grant_ref op = { .flags = GNTMAP_host_map, .dom = 77, .ref = 1u << 20 };

	assert_int_equal(map(user, 0, 1u << 20, HOLE_AT), GNTST_bad_gntref);
	assert_int_equal(map(user, GNTMAP_host_map | GNTMAP_contains_pte, 1u << 20, HOLE_AT),
			 GNTST_general_error);
	assert_int_equal(map(user, GNTMAP_host_map | GNTMAP_application_map, 1u << 20, HOLE_AT),
			 GNTST_general_error);
	assert_int_equal(sim_gnttab(user->vcpu[0], GNTTABOP_map_grant_ref, &op), 0);
	assert_int_equal(op.status, GNTST_bad_domain);
	assert_int_equal(map(user, GNTMAP_host_map, 1u << 20, HOLE_AT), GNTST_bad_gntref);
	assert_int_equal(map(user, GNTMAP_host_map, 0xffffffff, HOLE_AT), GNTST_bad_gntref);
}

static void a_page_that_is_not_ram_is_not_mapped(void **state)
{
	grant(REF, user, HOLE, 0);
	assert_int_equal(map(user, GNTMAP_host_map, REF, HOLE_AT), GNTST_bad_page);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	grant(REF, user, 0xffffffff, 0);
	assert_int_equal(map(user, GNTMAP_host_map, REF, HOLE_AT), GNTST_bad_page);
	assert_int_equal(active(owner, REF)->maps_rw, 0);
}

static void a_granted_page_of_another_is_not_granted_on(void **state)
{
	grant(REF, user, PAGE, 0);
	(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(gnttab_seed(user, REF, third->id, gfn(HOLE)), 0);
	struct gnttab_map_grant_ref op = {
		.host_addr = HOLE_AT,
		.flags = GNTMAP_host_map,
		.ref = REF,
		.dom = user->id,
	};

	assert_int_equal(sim_gnttab(third->vcpu[0], GNTTABOP_map_grant_ref, &op), 0);
	assert_int_equal(op.status, GNTST_bad_page);
}

static void an_address_beyond_guest_memory_is_refused(void **state)
{
	grant(REF, user, PAGE, 0);
	assert_int_equal(map(user, GNTMAP_host_map, REF, ~0ull), GNTST_bad_virt_addr);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void the_entry_stays_marked_until_the_last_unmap(void **state)
{
	uint32_t a, b;

	grant(REF, user, PAGE, 0);
	a = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	b = map_handle(user, GNTMAP_host_map, REF, HOLE_AT + PAGE_SIZE);
	assert_int_not_equal(a, b);
	assert_int_equal(unmap(user, a, HOLE_AT), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading | GTF_writing);
	assert_int_equal(unmap(user, b, HOLE_AT + PAGE_SIZE), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void writing_ends_before_reading(void **state)
{
	uint32_t ro, rw;

	grant(REF, user, PAGE, 0);
	ro = map_handle(user, GNTMAP_host_map | GNTMAP_readonly, REF, HOLE_AT);
	rw = map_handle(user, GNTMAP_host_map, REF, HOLE_AT + PAGE_SIZE);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading | GTF_writing);
	assert_int_equal(unmap(user, rw, HOLE_AT + PAGE_SIZE), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading);
	assert_int_equal(unmap(user, ro, HOLE_AT), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void reading_first_does_not_lend_the_right_to_write(void **state)
{
	grant(REF, user, PAGE, GTF_readonly);
	(void)map_handle(user, GNTMAP_host_map | GNTMAP_readonly, REF, HOLE_AT);
	assert_int_equal(map(user, GNTMAP_host_map, REF, HOLE_AT + PAGE_SIZE), GNTST_general_error);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_readonly | GTF_reading);
}

static void a_grant_in_use_is_not_given_to_another(void **state)
{
	grant(REF, user, PAGE, 0);
	(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	entry(owner, REF)->domid = third->id;
	assert_int_equal(map(third, GNTMAP_host_map, REF, HOLE_AT), GNTST_general_error);
	assert_int_equal(third->vcpu[0]->refusal.id, R_GRANT_BUSY);
}

static void changing_an_entry_in_use_has_no_effect_on_its_frame(void **state)
{
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	entry(owner, REF)->frame = PAGE + 1;
	(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT + PAGE_SIZE);
	assert_int_equal(frame_at(user, HOLE + 1).n, frame_at(owner, PAGE).n);
	entry(owner, REF)->flags = 0;
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	assert_int_equal(type_at(user, HOLE), P2M_NONE);
}

static void a_map_over_ram_gives_that_page_back(void **state)
{
	uint64_t used = user->mem.used;
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, 7 << PAGE_SHIFT);
	assert_int_equal(user->mem.used, used - 1);
	assert_int_equal(frame_at(user, 7).n, frame_at(owner, PAGE).n);
	assert_int_equal(unmap(user, handle, 7 << PAGE_SHIFT), GNTST_okay);
	assert_int_equal(type_at(user, 7), P2M_NONE);
}

static void a_domain_maps_its_own_grant(void **state)
{
	uint32_t handle;

	grant(REF, owner, PAGE, 0);
	handle = map_handle(owner, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(frame_at(owner, HOLE).n, frame_at(owner, PAGE).n);
	assert_int_equal(unmap(owner, handle, HOLE_AT), GNTST_okay);
	assert_int_equal(type_at(owner, PAGE), P2M_RAM_RW);
}

/* ---- device addresses ------------------------------------------------------------------------ */

static void a_device_map_answers_with_the_machine_address(void **state)
{
	struct gnttab_map_grant_ref op;

	grant(REF, user, PAGE, 0);
	op = map_op(user, GNTMAP_device_map, REF, 0);
	assert_int_equal(op.status, GNTST_okay);
	assert_int_equal(op.dev_bus_addr, mfn_to_paddr(frame_at(owner, PAGE)).a);
	assert_int_equal(unmap_parts(user, op.handle, 0, op.dev_bus_addr + PAGE_SIZE),
			 GNTST_bad_dev_addr);
	assert_int_equal(unmap_parts(user, op.handle, 0, op.dev_bus_addr), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void host_and_device_parts_end_one_by_one(void **state)
{
	struct gnttab_map_grant_ref op;

	grant(REF, user, PAGE, 0);
	op = map_op(user, GNTMAP_device_map | GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(unmap(user, op.handle, HOLE_AT), GNTST_okay);
	assert_int_equal(type_at(user, HOLE), P2M_NONE);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading | GTF_writing);
	assert_int_equal(unmap_parts(user, op.handle, 0, op.dev_bus_addr), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void only_a_direct_mapped_domain_learns_machine_addresses_unasked(void **state)
{
	grant(REF, user, PAGE, 0);
	assert_int_equal(map_op(user, GNTMAP_host_map, REF, HOLE_AT).dev_bus_addr, 0);
	user->direct_map = true;
	assert_int_equal(map_op(user, GNTMAP_host_map, REF, HOLE_AT + PAGE_SIZE).dev_bus_addr,
			 mfn_to_paddr(frame_at(owner, PAGE)).a);
	user->direct_map = false;
}

/* ---- unmapping ------------------------------------------------------------------------------- */

static void an_unmap_names_the_mapped_address(void **state)
{
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(unmap(user, handle, HOLE_AT + PAGE_SIZE), GNTST_bad_virt_addr);
	assert_int_equal(type_at(user, HOLE), P2M_GRANT_RW);
	assert_int_equal(unmap(user, handle, 0), GNTST_okay); /* a zero field is ignored */
	assert_int_equal(type_at(user, HOLE), P2M_GRANT_RW);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
}

static void a_handle_is_good_once_and_for_its_domain_only(void **state)
{
	uint32_t handle;

	assert_int_equal(unmap(user, 0, HOLE_AT), GNTST_bad_handle);
	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(unmap(third, handle, HOLE_AT), GNTST_bad_handle);
	assert_int_equal(unmap(user, handle + 1, HOLE_AT), GNTST_bad_handle);
	assert_int_equal(unmap(user, 0xffffffff, HOLE_AT), GNTST_bad_handle);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_bad_handle);
}

static void an_unmap_leaves_what_has_taken_its_place(void **state)
{
	gfn_t at = gfn(HOLE);
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(p2m_remove(user, at, 0), 0);
	assert_int_equal(domain_populate(user, &at, 0, 0), 0);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	assert_int_equal(type_at(user, HOLE), P2M_RAM_RW);
	assert_int_equal(flags_of(REF), GTF_permit_access);
}

static void unmap_and_replace_replaces_with_nothing_only(void **state)
{
	struct gnttab_unmap_and_replace op = { .host_addr = HOLE_AT, .new_addr = 0x1000 };

	grant(REF, user, PAGE, 0);
	op.handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	assert_int_equal(sim_gnttab(user->vcpu[0], GNTTABOP_unmap_and_replace, &op), 0);
	assert_int_equal(op.status, GNTST_general_error);
	assert_int_equal(type_at(user, HOLE), P2M_GRANT_RW);
	op.new_addr = 0;
	assert_int_equal(sim_gnttab(user->vcpu[0], GNTTABOP_unmap_and_replace, &op), 0);
	assert_int_equal(op.status, GNTST_okay);
	assert_int_equal(type_at(user, HOLE), P2M_NONE);
}

/* ---- handles --------------------------------------------------------------------------------- */

static void all_handles_can_be_used_and_no_more(void **state)
{
	uint32_t all = user->gnttab.max_maptrack * MAPTRACK_PER_FRAME;
	uint32_t *handle = calloc(all, sizeof(*handle));

	grant(REF, user, PAGE, 0);
	for (uint32_t i = 0; i < all; i++)
		handle[i] = map_handle(user, GNTMAP_device_map, REF, 0);
	assert_int_equal(map(user, GNTMAP_device_map, REF, 0), GNTST_no_space);
	assert_int_equal(user->vcpu[0]->refusal.id, R_NO_GRANT_HANDLE);
	assert_int_equal(unmap_parts(user, handle[3], 0, mfn_to_paddr(frame_at(owner, PAGE)).a),
			 GNTST_okay);
	assert_int_equal(map_handle(user, GNTMAP_device_map, REF, 0), handle[3]);
	free(handle);
}

static void a_vcpu_takes_handles_that_others_gave_back(void **state)
{
	struct vcpu *v = user->vcpu[0];
	uint32_t all = user->gnttab.max_maptrack * MAPTRACK_PER_FRAME;
	uint64_t bus = mfn_to_paddr(frame_at(owner, PAGE)).a;

	grant(REF, user, PAGE, 0);
	for (uint32_t i = 0; i < all; i++)
		(void)map_handle(user, GNTMAP_device_map, REF, 0);
	for (uint32_t i = 0; i < all; i++) {
		v->id = i % 11; /* as if others had unmapped */
		struct gnttab_unmap_grant_ref op = { .dev_bus_addr = bus, .handle = i };

		gnttab_unmap(v, &op);
		assert_int_equal(op.status, GNTST_okay);
	}
	v->id = 0;
	for (uint32_t i = 0; i < all; i++)
		(void)map_handle(user, GNTMAP_device_map, REF, 0);
	assert_int_equal(user->gnttab.nr_maptrack, user->gnttab.max_maptrack);
}

/* ---- failures change nothing ----------------------------------------------------------------- */

static void a_map_that_finds_no_frame_changes_nothing(void **state)
{
	uint32_t failed = 0, refs = frame_of(frame_at(owner, PAGE))->refs,
		 domain_refs = owner->ref.n;

	grant(REF, user, PAGE, 0);
	for (uint64_t n = 1;; n++) {
		int status;

		sim_fail_pool(n);
		status = map(user, GNTMAP_host_map, REF, 1ull << 30);
		sim_fail_pool(0);
		if (status == GNTST_okay)
			break;
		assert_int_equal(status, GNTST_no_space);
		assert_int_equal(flags_of(REF), GTF_permit_access);
		assert_int_equal(type_at(user, 1ull << 18), P2M_NONE);
		assert_int_equal(frame_of(frame_at(owner, PAGE))->refs, refs);
		assert_int_equal(owner->ref.n, domain_refs);
		failed++;
	}
	assert_true(failed >= 3); /* handles, active entries, page tables */
}

static void growth_is_whole_or_not_at_all(void **state)
{
	uint32_t used = owner->pool.used;

	for (uint64_t n = 1; n <= 4; n++) {
		sim_fail_pool(n);
		assert_int_equal(gnttab_grow(owner, 4), -ENOMEM);
		assert_int_equal(owner->gnttab.nr_frames, 0);
		assert_in_range(owner->pool.used, used, used + 1); /* the directory may stay */
	}
	assert_int_equal(gnttab_grow(owner, 4), 0);
	assert_int_equal(gnttab_grow(owner, 5), -ENOSPC);
	assert_int_equal(gnttab_grow(owner, 1), 0);
	assert_int_equal(owner->gnttab.nr_frames, 4);
}

static bool read_only(struct vcpu *v, gva_t va, bool write, gpa_t *pa)
{
	*pa = gpa(va.a);
	return !write;
}

static void an_answer_that_cannot_be_written_maps_nothing(void **state)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = HOLE_AT,
		.flags = GNTMAP_host_map,
		.ref = REF,
		.dom = owner->id,
	};

	grant(REF, user, PAGE, 0);
	sim_guest_set_translate(user->vcpu[0], read_only);
	assert_int_equal(sim_gnttab(user->vcpu[0], GNTTABOP_map_grant_ref, &op), -EFAULT);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	assert_int_equal(type_at(user, HOLE), P2M_NONE);
}

static void a_refused_map_keeps_no_handle(void **state)
{
	grant(REF, user, PAGE, 0);
	for (uint32_t i = 0; i < 2 * user->gnttab.max_maptrack * MAPTRACK_PER_FRAME; i++)
		assert_int_equal(map(user, GNTMAP_host_map, REF + 1, HOLE_AT), GNTST_general_error);
	assert_int_equal(user->gnttab.nr_maptrack, 1);
	(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
}

/* ---- death ----------------------------------------------------------------------------------- */

static void a_mapped_page_outlives_its_owner(void **state)
{
	mfn_t m = frame_at(owner, PAGE);
	uint64_t before;
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	sim_end(owner);
	sim_run(NULL, NULL);
	assert_int_equal(frame_at(user, HOLE).n, m.n);
	assert_int_equal(FRAME_STATE(frame_of(m)->state_flags), FRAME_HELD);
	before = sim_free_frames();
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	sim_run(NULL, NULL);
	assert_true(sim_free_frames() > before + 1); /* the page and the owner's structure */
}

static const struct domain_config small = {
	.max_vcpus = 1,
	.max_frames = 32,
	.max_evtchn = 1024,
	.max_grant_frames = 4,
	.max_maptrack_frames = 4,
	.node = ALLOC_ANY_NODE,
};

static void the_successor_of_a_dead_owner_is_not_touched(void **state)
{
	domid_t id = owner->id;
	uint32_t handle;

	grant(REF, user, PAGE, 0);
	handle = map_handle(user, GNTMAP_host_map, REF, HOLE_AT);
	sim_end(owner);
	owner = sim_domain_as(id, &small, 16);
	assert_int_equal(owner->id, id);
	grant(REF, user, PAGE, GTF_reading | GTF_writing);
	assert_int_equal(unmap(user, handle, HOLE_AT), GNTST_okay);
	assert_int_equal(flags_of(REF), GTF_permit_access | GTF_reading | GTF_writing);
}

static void a_dying_user_gives_everything_back(void **state)
{
	uint32_t refs = frame_of(frame_at(owner, PAGE))->refs, domain_refs = owner->ref.n;

	grant(REF, user, PAGE, 0);
	for (unsigned i = 0; i < 100; i++)
		(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT + i * PAGE_SIZE);
	sim_end(user);
	assert_int_equal(flags_of(REF), GTF_permit_access);
	assert_int_equal(frame_of(frame_at(owner, PAGE))->refs, refs);
	assert_int_equal(owner->ref.n, domain_refs);
}

static void destruction_undoes_a_bounded_number_of_maps_a_step(void **state)
{
	unsigned steps = 1;

	grant(REF, user, PAGE, 0);
	for (unsigned i = 0; i < 100; i++)
		(void)map_handle(user, GNTMAP_host_map, REF, HOLE_AT + i * PAGE_SIZE);
	while (gnttab_destroy_step(user) == -ERR_RESTART) {
		assert_true(active(owner, REF)->maps_rw + 16 * steps >= 100);
		steps++;
	}
	assert_true(steps > 6);
	assert_int_equal(active(owner, REF)->maps_rw, 0);
	user->gnttab.destroy_next = 0;
}

/* ---- races ----------------------------------------------------------------------------------- */

#define RACE_REFS   3u
#define RACE_ROUNDS 40u

/* Two vCPUs map, unmap and copy whatever comes; handles of each other too. */
static bool race_user(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		uint64_t at = HOLE_AT + sim_random(3) * PAGE_SIZE;
		struct gnttab_map_grant_ref m = {
			.host_addr = at,
			.flags = GNTMAP_host_map | (uint32_t)sim_random(2) * GNTMAP_readonly,
			.ref = (uint32_t)sim_random(RACE_REFS),
			.dom = owner->id,
		};
		struct gnttab_unmap_grant_ref u = { .host_addr = at,
						    .handle = (uint32_t)sim_random(6) };
		struct gnttab_copy c = {
			.source = by_ref((uint32_t)sim_random(RACE_REFS), 0),
			.dest = own(8 + v->id, 0), /* guests do not race with themselves */
			.len = 8,
			.flags = GNTCOPY_source_gref,
		};

		switch (sim_random(3)) {
		case 0: sim_check(sim_gnttab(v, GNTTABOP_map_grant_ref, &m) == 0); break;
		case 1: sim_check(sim_gnttab(v, GNTTABOP_unmap_grant_ref, &u) == 0); break;
		default: sim_check(sim_gnttab(v, GNTTABOP_copy, &c) == 0); break;
		}
	}
	return false;
}

/* The owner takes grants back and gives them again, as a guest does. */
static bool race_owner(struct vcpu *v, void *arg)
{
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		uint32_t ref = (uint32_t)sim_random(RACE_REFS);
		uint16_t *flags = &owner->gnttab.dir[0][0].shared[ref].flags;
		uint16_t idle = GTF_permit_access;

		if (atomic_cas(flags, &idle, (uint16_t)0)) {
			write_once(&owner->gnttab.dir[0][0].shared[ref].frame,
				   PAGE + (uint32_t)sim_random(4));
			sim_guest_pause(v);
			store_release(flags, (uint16_t)GTF_permit_access);
		}
		sim_guest_pause(v);
	}
	return false;
}

static bool all_down(void *arg)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, owner) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	domain_for_each_vcpu(v, user) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	return true;
}

/* The guest's marks say exactly what is in use. */
static void check_marks(void)
{
	for (uint32_t ref = 0; ref < RACE_REFS; ref++) {
		struct grant_active *a = active(owner, ref);
		uint16_t want = GTF_permit_access;

		if (a && a->maps_rw)
			want |= GTF_writing;
		if (a && (a->maps_rw | a->maps_ro))
			want |= GTF_reading;
		sim_check(flags_of(ref) == want);
	}
}

static void maps_race_with_unmaps_copies_and_the_owner(void **state)
{
	for (uint64_t seed = 1; seed <= RACE_SEEDS; seed++) {
		sim_boot(4, 64 << 20, seed);
		owner = sim_domain(1, 16);
		user = sim_domain(3, 16);
		for (uint32_t ref = 0; ref < RACE_REFS; ref++)
			grant(ref, user, PAGE + ref, 0);
		sim_guest_set(owner->vcpu[0], race_owner, NULL, NULL);
		for (unsigned i = 0; i < 3; i++)
			sim_guest_set(user->vcpu[i], race_user, NULL, NULL);
		sim_start(owner);
		sim_start(user);
		assert_true(sim_run(all_down, NULL));
		sim_check_domains();
		check_marks();
		if (seed & 1) {
			sim_end(owner);
		} else {
			sim_end(user);
			check_marks();
			for (uint32_t ref = 0; ref < RACE_REFS; ref++)
				sim_check(flags_of(ref) == GTF_permit_access);
		}
		sim_teardown(NULL);
	}
}

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, setup, sim_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_map_shows_the_owners_page),
		RULE(a_read_only_map_cannot_write),
		RULE(an_unmap_leaves_no_trace),
		RULE(a_grant_is_for_one_domain),
		RULE(a_read_only_grant_is_not_mapped_writable),
		RULE(names_and_flags_are_checked_in_order),
		RULE(a_page_that_is_not_ram_is_not_mapped),
		RULE(a_granted_page_of_another_is_not_granted_on),
		RULE(an_address_beyond_guest_memory_is_refused),
		RULE(the_entry_stays_marked_until_the_last_unmap),
		RULE(writing_ends_before_reading),
		RULE(reading_first_does_not_lend_the_right_to_write),
		RULE(a_grant_in_use_is_not_given_to_another),
		RULE(changing_an_entry_in_use_has_no_effect_on_its_frame),
		RULE(a_map_over_ram_gives_that_page_back),
		RULE(a_domain_maps_its_own_grant),
		RULE(a_device_map_answers_with_the_machine_address),
		RULE(host_and_device_parts_end_one_by_one),
		RULE(only_a_direct_mapped_domain_learns_machine_addresses_unasked),
		RULE(an_unmap_names_the_mapped_address),
		RULE(a_handle_is_good_once_and_for_its_domain_only),
		RULE(an_unmap_leaves_what_has_taken_its_place),
		RULE(unmap_and_replace_replaces_with_nothing_only),
		RULE(all_handles_can_be_used_and_no_more),
		RULE(a_vcpu_takes_handles_that_others_gave_back),
		RULE(a_map_that_finds_no_frame_changes_nothing),
		RULE(growth_is_whole_or_not_at_all),
		RULE(an_answer_that_cannot_be_written_maps_nothing),
		RULE(a_refused_map_keeps_no_handle),
		RULE(a_mapped_page_outlives_its_owner),
		RULE(the_successor_of_a_dead_owner_is_not_touched),
		RULE(a_dying_user_gives_everything_back),
		RULE(destruction_undoes_a_bounded_number_of_maps_a_step),
		cmocka_unit_test(maps_race_with_unmaps_copies_and_the_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
