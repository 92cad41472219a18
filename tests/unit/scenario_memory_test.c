/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios (scenario.h) of domains that share pages, exchange them and lose them. */
#include "scenario.h"

/* ---- grants ------------------------------------------------------------------------------------- */

#define SHARED_PAGES 4u
#define MAP_GFN      0x400u
#define MAPS         12u

struct sharing {
	struct domain *owner, *user[2];
	domid_t owner_id, user_id[2]; /* the structures may be gone */
	unsigned ready, done;
	bool dying; /* anybody may be destroyed at any moment */
};

static bool offer_pages(struct vcpu *v, void *arg)
{
	struct sharing *s = arg;

	sim_check(sim_add_to_physmap(v, XENMAPSPACE_grant_table, 0, SIM_GRANTS_GFN) == 0);
	for (unsigned u = 0; u < 2; u++)
		for (unsigned i = 0; i < SHARED_PAGES; i++) {
			uint64_t word = 0x1000 + i;

			sim_check(sim_guest_write(v, gva((uint64_t)(2 + i) << PAGE_SHIFT), &word,
						  sizeof(word)));
			sim_grant(v, 8 + u * SHARED_PAGES + i, s->user_id[u], 2 + i, u == 1);
		}
	store_release(&s->ready, 1u);
	while (load_acquire(&s->done) < 4)
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	return false;
}

static bool map_pages(struct vcpu *v, void *arg)
{
	struct sharing *s = arg;
	bool second = v->domain == s->user[1];

	while (!load_acquire(&s->ready))
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	for (unsigned n = 0; n < MAPS; n++) {
		unsigned i = (unsigned)sim_random(SHARED_PAGES);
		uint64_t g = MAP_GFN + v->id * 16 + i, word = 0;
		struct gnttab_map_grant_ref map = {
			.host_addr = g << PAGE_SHIFT,
			.flags = GNTMAP_host_map | (second ? GNTMAP_readonly : 0),
			.ref = 8 + second * SHARED_PAGES + i,
			.dom = s->owner_id,
		};
		struct gnttab_unmap_grant_ref unmap = { .host_addr = g << PAGE_SHIFT };

		sim_check(sim_gnttab(v, GNTTABOP_map_grant_ref, &map) == 0);
		if (s->dying && map.status != GNTST_okay)
			return false;
		sim_check_equal(map.status, GNTST_okay);
		sim_check(sim_guest_read(v, gva(g << PAGE_SHIFT), &word, sizeof(word)));
		sim_check(word == 0x1000 + i);
		/* A read-only map cannot be written; a writable one can. */
		sim_check(sim_guest_write(v, gva((g << PAGE_SHIFT) + 8), &word, sizeof(word)) ==
			  !second);
		unmap.handle = map.handle;
		sim_check(sim_gnttab(v, GNTTABOP_unmap_grant_ref, &unmap) == 0);
		sim_check_equal(unmap.status, GNTST_okay);
		sim_check(!sim_guest_read(v, gva(g << PAGE_SHIFT), &word, sizeof(word)));
	}
	__atomic_fetch_add(&s->done, 1, __ATOMIC_SEQ_CST);
	return false;
}

static bool sharing_done(void *arg)
{
	return load_acquire(&((struct sharing *)arg)->done) >= 4;
}

static void start_sharing(struct sharing *s, bool dying)
{
	memset(s, 0, sizeof(*s));
	s->dying = dying;
	s->owner = sim_domain(1, 16);
	s->owner_id = s->owner->id;
	s->user[0] = sim_domain(2, 16);
	s->user[1] = sim_domain(2, 16);
	for (unsigned u = 0; u < 2; u++)
		s->user_id[u] = s->user[u]->id;
	sim_guest_set(s->owner->vcpu[0], offer_pages, NULL, s);
	for (unsigned u = 0; u < 2; u++)
		for (unsigned i = 0; i < 2; i++)
			sim_guest_set(s->user[u]->vcpu[i], map_pages, NULL, s);
	sim_start(s->owner);
	sim_start(s->user[0]);
	sim_start(s->user[1]);
}

static void grants_are_mapped_and_unmapped(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct sharing s;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		start_sharing(&s, false);
		assert_true(sim_run(sharing_done, &s));
		sim_end_all();
		sim_shutdown();
	}
}

/* Owner and users die in the middle of it, in any order. */
static void domains_die_while_sharing(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct sharing s;
		struct domain *d;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		start_sharing(&s, true);
		sim_run_for(sim_random(300000));
		for (unsigned i = 0; i < 3; i++) {
			static const uint8_t order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
							     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
			struct domain *all[] = { s.owner, s.user[0], s.user[1] };

			d = all[order[seed % 6][i]];
			domain_destroy(d);
			if (seed & 1)
				sim_run_for(sim_random(50000));
		}
		sim_shutdown();
	}
}

/* ---- balloons ----------------------------------------------------------------------------------- */

#define BALLOON_GFN    8u
#define BALLOON_FRAMES 24u

struct balloon {
	uint64_t mark;
	unsigned *done;
};

/* Give pages back and take them again; what comes is empty, what was kept is unchanged. */
static bool balloon(struct vcpu *v, void *arg)
{
	struct balloon *b = arg;
	bool have[BALLOON_FRAMES];
	uint64_t word;

	memset(have, 1, sizeof(have));
	for (unsigned i = 0; i < BALLOON_FRAMES; i++)
		sim_check(sim_guest_write(v, gva((uint64_t)(BALLOON_GFN + i) << PAGE_SHIFT),
					  &b->mark, 8));
	for (unsigned n = 0; n < 30; n++) {
		unsigned i = (unsigned)sim_random(BALLOON_FRAMES);
		xen_pfn_t g = BALLOON_GFN + i;
		gva_t at = gva((uint64_t)g << PAGE_SHIFT);

		if (have[i]) {
			sim_check(sim_guest_read(v, at, &word, 8) && word == b->mark);
			sim_check_equal(sim_reservation(v, XENMEM_decrease_reservation, &g, 1), 1);
			sim_check(!sim_guest_read(v, at, &word, 8));
		} else {
			sim_check_equal(sim_reservation(v, XENMEM_populate_physmap, &g, 1), 1);
			sim_check(sim_guest_read(v, at, &word, 8) && word == 0);
			sim_check(sim_guest_write(v, at, &b->mark, 8));
		}
		have[i] = !have[i];
	}
	__atomic_fetch_add(b->done, 1, __ATOMIC_SEQ_CST);
	return false;
}

static bool three_done(void *arg)
{
	return read_once((unsigned *)arg) == 3;
}

static void balloons_exchange_frames(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct balloon b[3];
		unsigned done = 0;

		sim_boot(cpus_of(seed), 32 << 20, seed);
		for (unsigned i = 0; i < 3; i++) {
			struct domain *d = sim_domain(1, 48);

			b[i] = (struct balloon){ .mark = 0xb000 + i, .done = &done };
			sim_guest_set(d->vcpu[0], balloon, NULL, &b[i]);
			sim_start(d);
		}
		assert_true(sim_run(three_done, &done));
		sim_end_all();
		sim_shutdown();
	}
}

/* Superpages split and join again under guests that use them. */
static bool use_block(struct vcpu *v, void *arg)
{
	const struct sharing *s = arg;
	uint64_t word, g = 512 + sim_random(512);

	if (sim_guest_read(v, gva(g << PAGE_SHIFT), &word, 8))
		sim_check(sim_guest_write(v, gva(g << PAGE_SHIFT), &word, 8) || s->dying);
	return true;
}

static bool split_and_join(struct vcpu *v, void *arg)
{
	struct sharing *s = arg;
	xen_pfn_t g = 512 + sim_random(512);
	struct xen_memory_reservation all = { .nr_extents = 1,
					      .extent_order = ORDER_2M,
					      .domid = DOMID_SELF };
	struct {
		struct xen_memory_reservation r;
		xen_pfn_t g;
	} a = { all, 512 };

	/* One page away splits the block; then the whole range goes, and comes as one block. */
	(void)sim_reservation(v, XENMEM_decrease_reservation, &g, 1);
	(void)sim_reservation(v, XENMEM_populate_physmap, &g, 1);
	set_xen_guest_handle(a.r.extent_start,
			     (xen_pfn_t *)(uintptr_t)(sim_arg(v).a + offsetof(__typeof__(a), g)));
	(void)sim_memory(v, XENMEM_decrease_reservation, &a);
	a.r = all;
	a.g = 512;
	set_xen_guest_handle(a.r.extent_start,
			     (xen_pfn_t *)(uintptr_t)(sim_arg(v).a + offsetof(__typeof__(a), g)));
	if (sim_memory(v, XENMEM_populate_physmap, &a) == 1)
		__atomic_fetch_add(&s->ready, 1, __ATOMIC_SEQ_CST);
	return __atomic_add_fetch(&s->done, 1, __ATOMIC_SEQ_CST) < 4;
}

static void blocks_split_under_guests(void **state)
{
	unsigned joined = 0;

	FOR_EACH_SEED(seed)
	{
		struct sharing s = { .dying = true };
		struct domain *d;

		sim_boot(cpus_of(seed), 64 << 20, seed);
		d = sim_domain(3, 1024);
		sim_guest_set(d->vcpu[0], split_and_join, NULL, &s);
		sim_guest_set(d->vcpu[1], use_block, NULL, &s);
		sim_guest_set(d->vcpu[2], use_block, NULL, &s);
		sim_start(d);
		assert_true(sim_run(sharing_done, &s));
		domain_pause(d);
		sim_run_for(TIME(20000));
		domain_check_invariants(d);
		assert_int_equal(sim_stale(d), 0);
		joined += s.ready;
		sim_end_all();
		sim_shutdown();
	}
	assert_int_not_equal(joined, 0);
}

/* A page becomes read-only while two vCPUs write it, and writable again. */
struct narrowing {
	unsigned written, refused[2], before;
};

static bool write_page(struct vcpu *v, void *arg)
{
	struct narrowing *s = arg;
	uint64_t word = 1;

	__atomic_fetch_add(sim_guest_write(v, gva(4 << PAGE_SHIFT), &word, 8) ? &s->written
									      : &s->refused[v->id],
			   1, __ATOMIC_SEQ_CST);
	return true;
}

static bool written_again(void *arg)
{
	struct narrowing *s = arg;

	return __atomic_load_n(&s->written, __ATOMIC_SEQ_CST) != s->before;
}

static bool both_refused(void *arg)
{
	struct narrowing *s = arg;

	return __atomic_load_n(&s->refused[0], __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&s->refused[1], __ATOMIC_SEQ_CST);
}

static void set_page(struct domain *d, enum p2m_type t)
{
	assert_int_equal(p2m_change(d, gfn(4), p2m_lookup(d, gfn(4)).mfn, 0, t), 0);
}

static void make_readonly(void *arg)
{
	set_page(arg, P2M_RAM_RO);
}

static void permissions_narrow_under_guests(void **state)
{
	FOR_EACH_SEED(seed)
	{
		struct narrowing s = { 0 };
		struct domain *d;

		sim_boot(1 + cpus_of(seed), 32 << 20, seed);
		d = sim_domain(2, 8);
		for (unsigned i = 0; i < 2; i++)
			sim_guest_set(d->vcpu[i], write_page, NULL, &s);
		sim_start(d);
		assert_true(sim_run(written_again, &s));
		sim_on_cpu(0, make_readonly, d);
		assert_true(sim_run(both_refused, &s));
		s.before = s.written;
		sim_run_for(TIME(20000));
		assert_int_equal(s.written, s.before);
		set_page(d, P2M_RAM_RW);
		assert_true(sim_run(written_again, &s));
		sim_end_all();
		sim_shutdown();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grants_are_mapped_and_unmapped),
		cmocka_unit_test(domains_die_while_sharing),
		cmocka_unit_test(balloons_exchange_frames),
		cmocka_unit_test(blocks_split_under_guests),
		cmocka_unit_test(permissions_narrow_under_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
