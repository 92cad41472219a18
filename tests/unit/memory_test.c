/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's own memory by XENMEM_*, as guests call it, and the accounting behind it. */
#include "memory.h"

/* ---- reservations ------------------------------------------------------------------------------- */

static int64_t number(unsigned cmd)
{
	struct xen_memory_domain q = { .domid = DOMID_SELF };

	return sim_memory(v, cmd, &q);
}

static void balloon_goes_down_and_up(void **state)
{
	uint64_t unused;

	boot();
	unused = sim_free_frames();
	assert_int_equal(number(XENMEM_current_reservation), FRAMES);
	assert_int_equal(number(XENMEM_maximum_reservation), 2048);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 0, 20, 30), 20);
	assert_int_equal(number(XENMEM_current_reservation), FRAMES - 20);
	assert_int_equal(sim_free_frames(), unused + 20); /* for others */
	assert_int_equal(reserve(XENMEM_populate_physmap, 0, 20, 30), 20);
	assert_int_equal(number(XENMEM_current_reservation), FRAMES);
	assert_int_equal(number(XENMEM_maximum_gpfn), FRAMES - 1);
	end();
}

static void populated_memory_is_clear(void **state)
{
	uint64_t x = 0x5555, back = 1;

	boot();
	assert_int_equal(guest_phys_write(d, gpa(40 << PAGE_SHIFT), &x, 8), 0);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 0, 1, 40), 1);
	assert_int_equal(reserve(XENMEM_populate_physmap, 0, 1, 40), 1);
	assert_int_equal(guest_phys_read(d, &back, gpa(40 << PAGE_SHIFT), 8), 0);
	assert_int_equal(back, 0);
	end();
}

static void extents_of_2M_are_superpages(void **state)
{
	boot();
	assert_int_equal(reserve(XENMEM_populate_physmap, 9, 2, HOLE), 2);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).order, ORDER_2M);
	/* Ballooning by 4 KiB inside one splits it; a whole extent goes in one piece or in many. */
	assert_int_equal(reserve(XENMEM_decrease_reservation, 0, 1, HOLE + 77), 1);
	assert_int_equal(p2m_lookup(d, gfn(HOLE)).order, ORDER_4K);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 9, 1, HOLE),
			 0); /* not all of it is there */
	assert_int_equal(why(), R_GFN_NOT_RAM);
	assert_int_equal(number(XENMEM_current_reservation), FRAMES + 1023);
	assert_int_equal(reserve(XENMEM_populate_physmap, 0, 1, HOLE + 77), 1);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 9, 2, HOLE), 2);
	assert_int_equal(number(XENMEM_current_reservation), FRAMES);
	end();
}

static void odd_extents_are_mapped_too(void **state)
{
	boot();
	assert_int_equal(reserve(XENMEM_populate_physmap, 3, 2, HOLE + 8), 2);
	assert_int_equal(reserve(XENMEM_populate_physmap, 3, 1, HOLE + 510 + 3),
			 1); /* crosses a table, unaligned */
	assert_int_equal(reserve(XENMEM_populate_physmap, 9, 1, 2 * HOLE + 256), 1);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(p2m_lookup(d, gfn(2 * HOLE + 256 + i)).type, P2M_RAM_RW);
	domain_mem_check(d);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 3, 1, HOLE + 513), 1);
	end();
}

static void order_is_limited_for_every_role(void **state)
{
	boot();
	assert_int_equal(reserve(XENMEM_populate_physmap, 10, 1, HOLE), 0);
	assert_int_equal(why(), R_BAD_ORDER);
	assert_int_equal(reserve(XENMEM_decrease_reservation, 10, 1, 0), 0);
	assert_int_equal(why(), R_BAD_ORDER);
	end();
	boot_as(ROLE_HARDWARE | ROLE_CONTROL);
	assert_int_equal(reserve(XENMEM_populate_physmap, 9, 1, HOLE), 1);
	assert_int_equal(reserve(XENMEM_populate_physmap, 10, 1, HOLE), 0);
	assert_int_equal(reserve(XENMEM_populate_physmap, 18, 1, HOLE), 0);
	assert_int_equal(why(), R_BAD_ORDER);
	assert_int_equal(reserve(XENMEM_populate_physmap, 63, 1, HOLE), 0);
	end();
}

static void count_says_where_it_stopped(void **state)
{
	struct extents x;

	boot();
	x = extents(0, 10, 20);
	x.list[6] = 0x12345; /* nothing there */
	assert_int_equal(sim_memory(v, XENMEM_decrease_reservation, &x), 6);
	assert_int_equal(why(), R_GFN_NOT_RAM);
	assert_int_equal(v->refusal.object, 0x12345);
	/* The limit. */
	assert_int_equal(reserve(XENMEM_populate_physmap, 9, 5, HOLE), 3);
	assert_int_equal(why(), R_MEM_LIMIT);
	/* Beyond the address space. */
	assert_int_equal(reserve(XENMEM_populate_physmap, 0, 1, ~0ull), 0);
	assert_int_equal(why(), R_GFN_OUT_OF_RANGE);
	/* increase_reservation would give frames that nobody could reach. */
	assert_int_equal(reserve(XENMEM_increase_reservation, 0, 1, 0), 0);
	assert_int_equal(why(), R_INCREASE_UNMAPPED);
	end();
}

static void broken_reservations_do_nothing(void **state)
{
	struct extents x;

	boot();
	assert_int_equal(
	    sim_hypercall(v, __HYPERVISOR_memory_op, XENMEM_populate_physmap, 0xdead000), 0);
	assert_int_equal(why(), R_BAD_GUEST_ADDRESS);
	x = extents(0, 1, HOLE);
	x.r.nr_extents = (UINT32_MAX >> 6) + 1;
	assert_int_equal(sim_memory(v, XENMEM_populate_physmap, &x), 0);
	assert_int_equal(why(), R_TOO_MANY_EXTENTS);
	x = extents(0, 1, HOLE);
	x.r.domid = 77;
	assert_int_equal(sim_memory(v, XENMEM_populate_physmap, &x), 0);
	assert_int_equal(why(), R_NO_SUCH_DOMAIN);
	x = extents(0, 1, HOLE);
	x.r.mem_flags = XENMEMF_address_bits(12);
	assert_int_equal(sim_memory(v, XENMEM_populate_physmap, &x), 0);
	assert_int_equal(why(), R_BAD_ADDRESS_BITS);
	x = extents(0, 1, HOLE);
	x.r.mem_flags = XENMEMF_address_bits(32);
	assert_int_equal(sim_memory(v, XENMEM_populate_physmap, &x), 1);
	x = extents(0, 2, HOLE);
	set_xen_guest_handle(x.r.extent_start, (xen_pfn_t *)0xdead0000);
	assert_int_equal(sim_memory(v, XENMEM_decrease_reservation, &x), 0);
	assert_int_equal(why(), R_BAD_GUEST_ADDRESS);
	/* A start extent beyond the list is given back as it came. */
	x = extents(0, 2, 20);
	assert_int_equal(sim_memory(v, XENMEM_decrease_reservation | 5 << 6, &x), 5);
	assert_int_equal(sim_memory(v, XENMEM_decrease_reservation | 1 << 6, &x), 2);
	assert_int_equal(p2m_lookup(d, gfn(20)).type, P2M_RAM_RW);
	assert_int_equal(p2m_lookup(d, gfn(21)).type, P2M_NONE);
	end();
}

static void others_memory_needs_a_role(void **state)
{
	struct domain *other;
	struct extents x;

	boot();
	other = make(0, 16, false);
	x = extents(0, 4, 4);
	x.r.domid = other->id;
	assert_int_equal(sim_memory(v, XENMEM_decrease_reservation, &x), 0);
	assert_int_equal(why(), R_NOT_PERMITTED);
	assert_int_equal(other->mem.used, 16);
	end();
	boot_as(ROLE_CONTROL);
	other = make(0, 16, false);
	x = extents(0, 4, 4);
	x.r.domid = other->id;
	assert_int_equal(sim_memory(v, XENMEM_decrease_reservation, &x), 4);
	assert_int_equal(other->mem.used, 12);
	assert_int_equal(d->mem.used, FRAMES);
	end();
}

static void bulk_call_stops_between_extents(void **state)
{
	struct extents x;
	uint64_t a[6];

	boot();
	x = extents(0, 10, 20);
	assert_true(sim_poke(v, sim_arg(v), &x, sizeof(x)));
	a[0] = XENMEM_decrease_reservation;
	a[1] = sim_arg(v).a;
	sim_as(v);
	for (unsigned i = 1; i < 10; i++) {
		softirq_raise_here(SOFTIRQ_RCU);
		assert_int_equal(abi_memory_op(v, a), -ERR_RESTART);
		assert_int_equal(a[0], XENMEM_decrease_reservation | i << 6);
		assert_int_equal(d->mem.used, FRAMES - i);
	}
	assert_int_equal(abi_memory_op(v, a), 10);
	sim_as(NULL);
	end();
}

/* Whatever allocation fails, what the count says is what has happened. */
static void injected_failures_keep_the_books(void **state)
{
	const enum fault_point points[] = { FAULT_ALLOC, FAULT_POOL };

	for (unsigned p = 0; p < 2; p++) {
		boot();
		for (unsigned n = 1; n < 12; n++) {
			uint64_t used = d->mem.used, at = HOLE + n * 0x40000ull;
			uint64_t claimed = d->mem.claimed;
			int64_t done;

			sim_fail_nth(points[p], n);
			done = reserve(XENMEM_populate_physmap, 2, 8, at);
			sim_fail_nth(points[p], 0);
			assert_in_range(done, 0, 8);
			assert_int_equal(d->mem.used, used + 4 * (uint64_t)done);
			assert_int_equal(d->mem.claimed, claimed - 4 * (uint64_t)done);
			domain_mem_check(d);
			assert_int_equal(
			    reserve(XENMEM_decrease_reservation, 2, (unsigned)done, at), done);
			/* What went back is not promised any more. */
			assert_int_equal(d->mem.claimed, claimed - 4 * (uint64_t)done);
		}
		end();
	}
}

/* ---- numbers and refusals ----------------------------------------------------------------------- */

static void queries_refuse_in_order(void **state)
{
	struct xen_memory_domain q = { .domid = 77 };

	boot();
	assert_int_equal(sim_memory(v, XENMEM_current_reservation | 1 << 6, &q), -EINVAL);
	assert_int_equal(sim_memory(v, XENMEM_current_reservation, &q), -ESRCH);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_memory_op, XENMEM_current_reservation,
				       0xdead0000),
			 -EFAULT);
	q.domid = make(0, 4, false)->id;
	assert_int_equal(sim_memory(v, XENMEM_current_reservation, &q), -EPERM);
	q.domid = d->id;
	assert_int_equal(sim_memory(v, XENMEM_current_reservation, &q), FRAMES);
	assert_int_equal(sim_hypercall(v, __HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0),
			 (SIM_RAM_BASE + (64 << 20)) >> PAGE_SHIFT);
	assert_int_equal(
	    sim_hypercall(v, __HYPERVISOR_memory_op, XENMEM_maximum_ram_page | 1 << 6, 0), -EINVAL);
	end();
}

static void what_is_not_there_says_so(void **state)
{
	struct xen_memory_exchange x = { .in = { .domid = DOMID_SELF },
					 .out = { .domid = DOMID_SELF } };
	struct xen_vnuma_topology_info t = { .domid = DOMID_SELF };

	boot();
	assert_int_equal(sim_memory(v, XENMEM_exchange, &x), -EOPNOTSUPP);
	assert_int_equal(why(), R_TRANSLATED_ONLY);
	assert_int_equal(sim_memory(v, XENMEM_exchange | 1 << 6, &x), -EINVAL);
	assert_int_equal(sim_memory(v, XENMEM_get_vnumainfo, &t), -EOPNOTSUPP);
	assert_int_equal(
	    sim_hypercall(v, __HYPERVISOR_memory_op, XENMEM_get_sharing_freed_pages, 0), 0);
	for (unsigned op = 29; op < 64; op++) {
		assert_int_equal(sim_hypercall(v, __HYPERVISOR_memory_op, op, 0), -ENOSYS);
		assert_int_equal(why(), R_NOT_IMPLEMENTED);
	}
	end();
}

/* ---- claims ------------------------------------------------------------------------------------- */

static int64_t claim(struct domain *whose, uint64_t n)
{
	struct xen_memory_reservation r = { .nr_extents = n, .domid = whose->id };

	return sim_memory(v, XENMEM_claim_pages, &r);
}

static void claim_is_kept_and_given_back(void **state)
{
	struct xen_memory_reservation r = { .nr_extents = 1 };
	struct domain *other;
	struct mem_stats s;

	boot_as(ROLE_CONTROL);
	other = make(0, 16, false);
	assert_int_equal(claim(other, 0), 0);
	assert_int_equal(other->mem.claimed, 0);
	assert_int_equal(domain_mem_asked(), 0);
	assert_int_equal(claim(other, 100), 0);
	assert_int_equal(other->mem.claimed, 84);
	assert_int_equal(domain_mem_asked(), 84);
	assert_int_equal(claim(other, 50), 0); /* it has more */
	assert_int_equal(other->mem.claimed, 84);
	assert_int_equal(claim(other, 15), -EINVAL);
	assert_int_equal(claim(other, 2049), -EINVAL);
	other->mem.max = 1 << 20;
	assert_int_equal(claim(other, 1 << 19), -ENOMEM);
	assert_int_equal(other->mem.claimed, 84);
	frame_stats(&s);
	assert_true(s.claimed <= s.free + s.never);

	r.domid = 77;
	assert_int_equal(sim_memory(v, XENMEM_claim_pages, &r), -EINVAL);
	r.domid = other->id;
	assert_int_equal(sim_memory(v, XENMEM_claim_pages | 1 << 6, &r), -EINVAL);
	r.extent_order = 1;
	assert_int_equal(sim_memory(v, XENMEM_claim_pages, &r), -EINVAL);
	r.extent_order = 0;
	r.mem_flags = 1;
	assert_int_equal(sim_memory(v, XENMEM_claim_pages, &r), -EINVAL);
	end();
	boot();
	assert_int_equal(claim(d, 10), -EPERM);
	end();
}

static void claimed_memory_is_there_when_the_rest_is_gone(void **state)
{
	uint64_t own;

	boot();
	own = d->mem.claimed;
	while (mfn_valid(frame_alloc(0, ALLOC_ANY_NODE, ALLOC_DIRTY)))
		;
	for (uint64_t i = 0; i < own; i++) {
		gfn_t g = gfn(HOLE + i);

		assert_int_equal(domain_populate(d, &g, 0, ALLOC_DIRTY), 0);
	}
	domain_mem_check(d);
	sim_abandon();
}

/* ---- direct-mapped and static domains ----------------------------------------------------------- */

static void direct_mapped_domain_gets_its_frames_back(void **state)
{
	uint64_t unused, used;
	gfn_t g, other;
	mfn_t m;

	sim_boot(1, 64 << 20, 1);
	d = make(ROLE_HARDWARE, 1, true);
	assert_int_equal(domain_populate(d, &g, ORDER_2M, 0), 0);
	m = p2m_lookup(d, g).mfn;
	assert_int_equal(m.n, g.n);
	d->state = DOMAIN_ALIVE;
	unused = sim_free_frames();
	used = d->mem.used;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(domain_depopulate(d, gfn(g.n + 64 + i), 0), 0);
	assert_int_equal(p2m_lookup(d, gfn(g.n + 64)).type, P2M_NONE);
	assert_int_equal(d->mem.used, used - 8);
	assert_int_equal(d->mem.parked, 8);
	assert_int_equal(sim_free_frames(), unused - 1); /* nobody else gets them; one is a table */
	assert_false(frame_get(mfn(g.n + 64), d));
	domain_mem_check(d);
	/* Other numbers are refused, also those of others' memory and of none. */
	other = gfn(g.n + 1);
	assert_int_equal(domain_populate(d, &other, 0, 0), -ENOMEM);
	assert_int_equal(reason_last()->id, R_NOT_PARKED);
	other = gfn(3);
	assert_int_equal(domain_populate(d, &other, 0, 0), -ENOMEM);
	other = gfn(g.n + 64 + 7);
	assert_int_equal(domain_populate(d, &other, 1, 0), -ENOMEM);
	/* Its own come back, one by one or together. */
	other = gfn(g.n + 64);
	assert_int_equal(domain_populate(d, &other, 2, 0), 0);
	assert_int_equal(p2m_lookup(d, other).mfn.n, other.n);
	assert_int_equal(d->mem.parked, 4);
	/* Without memory for tables they stay parked. */
	other = gfn(g.n + 64 + 4);
	assert_int_equal(domain_populate(d, &other, 0, 0), 0);
	domain_mem_check(d);
	/* The rest is given back with the domain: sim_shutdown() counts. */
	end();
}

static void static_memory_stays_with_its_domain(void **state)
{
	const uint64_t first = (SIM_RAM_BASE >> PAGE_SHIFT) + 2048;
	struct domain *other;
	gfn_t g;

	sim_boot(1, 64 << 20, 1);
	assert_int_equal(frame_reserve(mfn_to_paddr(mfn(first)), mfn_to_paddr(mfn(first + 1024)),
				       FRAME_FIRMWARE | FRAME_STATIC),
			 0);
	for (unsigned round = 0; round < 2; round++) { /* it can be built again */
		d = make(0, 1, false);
		assert_int_equal(domain_populate_static(d, gfn(HOLE), mfn(first), 9), 0);
		assert_int_equal(p2m_lookup(d, gfn(HOLE)).order, ORDER_2M);
		assert_int_equal(p2m_lookup(d, gfn(HOLE)).mfn.n, first);
		assert_int_equal(d->mem.max, 2048 + 512);
		other = make(0, 1, false);
		assert_int_equal(domain_populate_static(other, gfn(HOLE), mfn(first + 256), 0),
				 -EBUSY);
		assert_int_equal(reason_last()->id, R_STATIC_IN_USE);
		/* Partly used: all of it is refused, and nothing is kept. */
		assert_int_equal(domain_populate_static(other, gfn(HOLE), mfn(first - 512), 9),
				 -EBUSY);
		sim_fail_pool(1);
		assert_int_equal(domain_populate_static(other, gfn(HOLE), mfn(first + 512), 9),
				 -ENOMEM);
		sim_fail_pool(0);
		assert_int_equal(other->mem.max, 2048);
		domain_mem_check(other);
		sim_end(other);
		/* Given up, it waits for its domain alone. */
		d->state = DOMAIN_ALIVE;
		assert_int_equal(domain_depopulate(d, gfn(HOLE + 3), 0), 0);
		assert_int_equal(domain_depopulate(d, gfn(HOLE + 4), 0), 0);
		assert_int_equal(d->mem.parked, 2);
		g = gfn(HOLE + 3);
		assert_int_equal(domain_populate(d, &g, 0, 0), 0);
		assert_in_range(p2m_lookup(d, g).mfn.n, first + 3, first + 4);
		assert_int_equal(frame_gfn(frame_of(p2m_lookup(d, g).mfn)).n, HOLE + 3);
		domain_mem_check(d);
		/* What waits for it counts: a large extent of others' memory on top is beyond its limit. */
		for (unsigned i = 16; i < 512; i++)
			assert_int_equal(domain_depopulate(d, gfn(HOLE + i), 0), 0);
		d->mem.max = d->mem.used + d->mem.parked + 511;
		g = gfn(HOLE + 1024);
		assert_int_equal(domain_populate(d, &g, ORDER_2M, 0), -ENOMEM);
		assert_int_equal(reason_last()->id, R_MEM_LIMIT);
		d->mem.max++;
		assert_int_equal(domain_populate(d, &g, ORDER_2M, 0), 0);
		domain_mem_check(d);
		sim_end(d);
		sim_run(NULL, NULL);
		for (uint64_t i = 0; i < 1024; i++)
			assert_int_equal(frame_of(mfn(first + i))->state_flags,
					 FRAME_FIRMWARE | FRAME_STATIC);
	}
	sim_abandon(); /* they are not free, and rightly so */
}

/* ---- running guests ----------------------------------------------------------------------------- */

#define WINDOW 512u /* frames at HOLE that come and go */

static unsigned finished;

/* vCPU 0 balloons inside a superpage; what it takes and gives is also taken by another domain in between. */
static bool balloon(struct vcpu *me, void *arg)
{
	for (unsigned i = 0; i < 12; i++) {
		xen_pfn_t list[8];
		unsigned n = 1 + (unsigned)sim_random(8);
		uint64_t first = HOLE + sim_random(WINDOW - 8);

		for (unsigned k = 0; k < n; k++)
			list[k] = first + k;
		sim_check(sim_reservation(me, XENMEM_decrease_reservation, list, n) == n);
		sim_check(sim_reservation(me, XENMEM_populate_physmap, list, n) == n);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return false;
}

/* The others use the same memory, and may find a hole in it. */
static bool use_memory(struct vcpu *me, void *arg)
{
	uint64_t word = 7;
	gva_t at = gva((HOLE + sim_random(WINDOW)) << PAGE_SHIFT);

	if (sim_random(2))
		(void)!sim_guest_write(me, at, &word, sizeof(word));
	else
		(void)!sim_guest_read(me, at, &word, sizeof(word));
	return atomic_load(&finished) < 1;
}

static void ballooning_under_use_leaves_no_stale_translation(void **state)
{
	struct domain_config cfg = {
		.max_vcpus = 3,
		.max_frames = 1024,
		.max_evtchn = 64,
		.max_grant_frames = 1,
		.max_maptrack_frames = 1,
		.node = ALLOC_ANY_NODE,
	};

	for (uint64_t seed = 1; seed <= 12; seed++) {
		gfn_t g = gfn(HOLE);

		sim_boot(1 + seed % 3, 64 << 20, seed);
		finished = 0;
		d = sim_domain_cfg(&cfg, 8);
		assert_int_equal(domain_populate(d, &g, ORDER_2M, 0), 0);
		sim_guest_set(d->vcpu[0], balloon, NULL, NULL);
		sim_guest_set(d->vcpu[1], use_memory, NULL, NULL);
		sim_guest_set(d->vcpu[2], use_memory, NULL, NULL);
		sim_start(d);
		sim_run(NULL, NULL);
		assert_int_equal(finished, 1);
		assert_int_equal(sim_stale(d), 0);
		assert_int_equal(d->mem.used, 8 + WINDOW);
		end();
	}
}

/* vCPU 0 shows a page of ours and removes it again; where it stood, vCPU 1 puts RAM. */
static bool show_and_remove(struct vcpu *me, void *arg)
{
	struct xen_remove_from_physmap x = { .domid = DOMID_SELF, .gpfn = HOLE };

	for (unsigned i = 0; i < 20; i++) {
		sim_check(sim_add_to_physmap(me, XENMAPSPACE_shared_info, 0, HOLE) == 0);
		(void)sim_memory(me, XENMEM_remove_from_physmap, &x);
	}
	return false;
}

static bool put_ram(struct vcpu *me, void *arg)
{
	xen_pfn_t g = HOLE;

	for (unsigned i = 0; i < 20; i++)
		(void)sim_reservation(me, XENMEM_populate_physmap, &g, 1);
	return false;
}

static void removing_a_page_loses_no_ram_that_took_its_place(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(40); seed++) {
		sim_boot(2, 64 << 20, seed);
		d = sim_domain(2, 8);
		sim_guest_set(d->vcpu[0], show_and_remove, NULL, NULL);
		sim_guest_set(d->vcpu[1], put_ram, NULL, NULL);
		sim_start(d);
		sim_run(NULL, NULL);
		domain_mem_check(d); /* what is used is mapped */
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(balloon_goes_down_and_up),
		cmocka_unit_test(populated_memory_is_clear),
		cmocka_unit_test(extents_of_2M_are_superpages),
		cmocka_unit_test(odd_extents_are_mapped_too),
		cmocka_unit_test(order_is_limited_for_every_role),
		cmocka_unit_test(count_says_where_it_stopped),
		cmocka_unit_test(broken_reservations_do_nothing),
		cmocka_unit_test(others_memory_needs_a_role),
		cmocka_unit_test(bulk_call_stops_between_extents),
		cmocka_unit_test(injected_failures_keep_the_books),
		cmocka_unit_test(queries_refuse_in_order),
		cmocka_unit_test(what_is_not_there_says_so),
		cmocka_unit_test(claim_is_kept_and_given_back),
		cmocka_unit_test(claimed_memory_is_there_when_the_rest_is_gone),
		cmocka_unit_test(direct_mapped_domain_gets_its_frames_back),
		cmocka_unit_test(static_memory_stays_with_its_domain),
		cmocka_unit_test(ballooning_under_use_leaves_no_stale_translation),
		cmocka_unit_test(removing_a_page_loses_no_ram_that_took_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
