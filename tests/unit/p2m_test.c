/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second-stage tables. What the simulated machine watches by itself (a replaced entry without a break, a stale
 * translation, a freed table that is walked) is not asserted again here.
 */
#include "sim.h"

#define HOLE 0x100000u /* a gfn with nothing around it, aligned to every page size */

/* A domain with `frames` at gfn 0, and much room in its pool. */
static struct domain *boot(uint64_t seed, uint64_t frames)
{
	struct domain_config cfg = {
		SIM_POOLED,
	};

	sim_boot(2, 64 << 20, seed);
	return sim_domain_cfg(&cfg, frames);
}

static void end(struct domain *d)
{
	domain_mem_check(d);
	sim_end(d);
	sim_shutdown();
}

static void expect(struct domain *d, uint64_t g, enum p2m_type t, uint64_t m, unsigned order)
{
	struct p2m_entry e = p2m_lookup(d, gfn(g));

	assert_int_equal(e.type, t);
	if (t != P2M_NONE) {
		assert_int_equal(e.mfn.n, m);
		assert_int_equal(e.order, order);
	}
}

static mfn_t populate(struct domain *d, uint64_t g, unsigned order)
{
	gfn_t at = gfn(g);

	assert_int_equal(domain_populate(d, &at, order, 0), 0);
	return p2m_lookup(d, at).mfn;
}

/* A page of ours with a reference for a mapping. */
static mfn_t ours(void)
{
	mfn_t m = frame_alloc(0, ALLOC_ANY_NODE, 0);
	domid_t id;

	assert_true(mfn_valid(m) && frame_get_any(m, &id));
	return m;
}

/* ---- mapping and looking ------------------------------------------------------------------------- */

static void each_size_maps_and_unmaps(void **state)
{
	const unsigned orders[] = { ORDER_1G, ORDER_2M, ORDER_4K };

	for (uint64_t seed = 1; seed <= 2; seed++) { /* both shapes of tables */
		struct domain *d = boot(seed, 1);

		for (unsigned i = 0; i < 3; i++) {
			uint64_t n = 1ull << orders[i], more = i == 2;

			/* Device registers: no frames needed, so that 1 GiB can be had here. */
			assert_int_equal(
			    p2m_change(d, gfn(HOLE), mfn(0x80000), orders[i], P2M_MMIO_DIRECT), 0);
			expect(d, HOLE, P2M_MMIO_DIRECT, 0x80000, orders[i]);
			expect(d, HOLE + n - 1, P2M_MMIO_DIRECT, 0x80000 + n - 1, orders[i]);
			expect(d, HOLE + n, P2M_NONE, 0, 0);
			expect(d, HOLE - 1, P2M_NONE, 0, 0);
			assert_int_equal(d->p2m.mapped[2 - i], 1 + more);
			assert_int_equal(p2m_remove(d, gfn(HOLE), orders[i]), 0);
			expect(d, HOLE, P2M_NONE, 0, 0);
			assert_int_equal(d->p2m.mapped[2 - i], more);
		}
		assert_int_equal(d->p2m.max_gfn.n, HOLE + (1u << ORDER_1G) - 1);
		end(d);
	}
}

static void address_space_has_an_end(void **state)
{
	struct domain *d = boot(1, 1);
	uint64_t last = d->p2m.end;

	expect(d, last, P2M_NONE, 0, 0);
	expect(d, ~0ull, P2M_NONE, 0, 0);
	assert_int_equal(p2m_change(d, gfn(last), mfn(1), 0, P2M_MMIO_DIRECT), -EINVAL);
	assert_int_equal(reason_last()->id, R_GFN_OUT_OF_RANGE);
	assert_int_equal(p2m_change(d, gfn(~0ull), mfn(1), 0, P2M_MMIO_DIRECT), -EINVAL);
	assert_int_equal(p2m_remove(d, gfn(last), 0), -EINVAL);
	assert_false(p2m_remove_exact(d, gfn(last), mfn(1), P2M_FOREIGN));
	assert_int_equal(p2m_change(d, gfn(last - 1), mfn(1), 0, P2M_MMIO_DIRECT), 0);
	expect(d, last - 1, P2M_MMIO_DIRECT, 1, 0);
	end(d);
}

static void removing_nothing_costs_nothing(void **state)
{
	struct domain *d = boot(1, 1);
	uint32_t used = d->pool.used;
	uint64_t flushes = sim_flushes();

	assert_int_equal(p2m_remove(d, gfn(HOLE), ORDER_4K), 0);
	assert_int_equal(p2m_remove(d, gfn(HOLE), ORDER_1G), 0);
	assert_int_equal(d->pool.used, used);
	assert_int_equal(sim_flushes(), flushes);
	end(d);
}

/* ---- splitting ----------------------------------------------------------------------------------- */

static void hole_in_a_superpage_leaves_the_rest(void **state)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct domain *d = boot(seed, 1);
		mfn_t m = populate(d, HOLE, ORDER_2M);

		expect(d, HOLE, P2M_RAM_RW, m.n, ORDER_2M);
		assert_int_equal(domain_depopulate(d, gfn(HOLE + 100), 0), 0);
		for (uint64_t i = 0; i < 512; i++)
			if (i == 100)
				expect(d, HOLE + i, P2M_NONE, 0, 0);
			else
				expect(d, HOLE + i, P2M_RAM_RW, m.n + i, ORDER_4K);
		assert_int_equal(d->p2m.mapped[1], 0);
		assert_int_equal(d->p2m.mapped[0], 1 + 511);
		end(d);
	}
}

static void gigabyte_splits_twice(void **state)
{
	struct domain *d = boot(1, 1);

	assert_int_equal(p2m_change(d, gfn(HOLE), mfn(0x80000), ORDER_1G, P2M_MMIO_DIRECT), 0);
	assert_int_equal(p2m_remove(d, gfn(HOLE + 1000), 0), 0);
	expect(d, HOLE + 1000, P2M_NONE, 0, 0);
	expect(d, HOLE + 999, P2M_MMIO_DIRECT, 0x80000 + 999, ORDER_4K);
	expect(d, HOLE + 100, P2M_MMIO_DIRECT, 0x80000 + 100, ORDER_2M);
	expect(d, HOLE + 262143, P2M_MMIO_DIRECT, 0x80000 + 262143, ORDER_2M);
	end(d);
}

static void change_without_memory_changes_nothing(void **state)
{
	struct domain *d = boot(1, 1);
	struct p2m before;
	uint32_t used;
	unsigned n;
	int err;

	assert_int_equal(p2m_change(d, gfn(HOLE), mfn(0x80000), ORDER_1G, P2M_MMIO_DIRECT), 0);
	before = d->p2m;
	used = d->pool.used;
	for (n = 1;; n++) {
		sim_fail_pool(n);
		err = p2m_change(d, gfn(HOLE + 5), mfn(0x90000), 0, P2M_MMIO_DIRECT);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(d->pool.used, used);
		assert_memory_equal(&before.mapped, &d->p2m.mapped, sizeof(before.mapped));
		expect(d, HOLE + 5, P2M_MMIO_DIRECT, 0x80005, ORDER_1G);
	}
	assert_int_equal(n, 3); /* two tables were needed */
	sim_fail_pool(0);
	expect(d, HOLE + 5, P2M_MMIO_DIRECT, 0x90000, ORDER_4K);
	/* The same for a take-out, which needs no memory once the tables are there. */
	sim_fail_pool(1);
	assert_int_equal(p2m_remove(d, gfn(HOLE + 512), 0), -ENOMEM);
	expect(d, HOLE + 512, P2M_MMIO_DIRECT, 0x80200, ORDER_2M);
	sim_fail_pool(1);
	assert_int_equal(p2m_remove(d, gfn(HOLE + 5), 0), 0);
	sim_fail_pool(0);
	end(d);
}

static void pool_at_its_ceiling_refuses_its_owner_only(void **state)
{
	struct domain *d = boot(1, 1), *other = sim_domain(1, 4);
	uint64_t g = HOLE;
	int err;

	while ((err = p2m_change(d, gfn(g), mfn(0x80000), 0, P2M_MMIO_DIRECT)) == 0)
		g += 512;
	assert_int_equal(err, -ENOMEM);
	assert_int_equal(d->pool.used, d->pool.ceiling);
	assert_int_equal(p2m_change(other, gfn(HOLE), mfn(0x80000), 0, P2M_MMIO_DIRECT), 0);
	sim_end(other);
	end(d);
}

static struct {
	mfn_t table;
	unsigned index, breaks;
	uint64_t flushes;
} broken;

/* An entry that was emptied and is filled again: was there a flush in between? */
static void watch_breaks(const struct sim_pte_write *w, void *arg)
{
	if (w->new == 0) {
		broken.table = w->table;
		broken.index = w->index;
		broken.flushes = sim_flushes();
	} else if (mfn_eq(broken.table, w->table) && broken.index == w->index) {
		assert_true(sim_flushes() > broken.flushes);
		broken.breaks++;
		broken.table = INVALID_MFN;
	}
}

static void a_break_is_flushed_before_the_make(void **state)
{
	struct domain *d = boot(1, 1);
	mfn_t a = ours(), b = ours();

	populate(d, HOLE, ORDER_2M);
	memset(&broken, 0, sizeof(broken));
	sim_on_pte_write(watch_breaks, NULL);
	assert_int_equal(p2m_change(d, gfn(HOLE + 3), a, 0, P2M_FOREIGN),
			 0); /* split, and replace */
	assert_int_equal(broken.breaks, 2);
	assert_int_equal(p2m_change(d, gfn(HOLE + 3), b, 0, P2M_FOREIGN), 0);
	assert_int_equal(broken.breaks, 3);
	populate(d, HOLE, ORDER_2M); /* a table goes for a superpage */
	assert_int_equal(broken.breaks, 4);
	sim_on_pte_write(NULL, NULL);
	frame_free(a, 0);
	frame_free(b, 0);
	end(d);
}

/* ---- replacing ----------------------------------------------------------------------------------- */

static void replaced_mapping_drops_its_reference(void **state)
{
	const enum p2m_type types[] = { P2M_GRANT_RW, P2M_GRANT_RO, P2M_FOREIGN, P2M_SHARED };
	struct domain *d = boot(1, 1);
	mfn_t a, b;

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		a = ours();
		b = ours();
		assert_int_equal(p2m_change(d, gfn(HOLE), a, 0, types[i]), 0);
		assert_int_equal(frame_of(a)->refs, 2);
		assert_int_equal(d->mem.shared, 1);
		assert_int_equal(p2m_change(d, gfn(HOLE), b, 0, types[i]), 0);
		assert_int_equal(frame_of(a)->refs, 1);
		assert_int_equal(frame_of(b)->refs, 2);
		assert_int_equal(d->mem.shared, 1);
		domain_mem_check(d);
		assert_int_equal(p2m_remove(d, gfn(HOLE), 0), 0);
		assert_int_equal(frame_of(b)->refs, 1);
		assert_int_equal(d->mem.shared, 0);
		frame_free(a, 0);
		frame_free(b, 0);
	}
	end(d);
}

static void same_mapping_again_keeps_one_reference(void **state)
{
	struct domain *d = boot(1, 1);
	mfn_t a = ours();
	domid_t id;

	assert_int_equal(p2m_change(d, gfn(HOLE), a, 0, P2M_FOREIGN), 0);
	assert_true(frame_get_any(a, &id));
	assert_int_equal(p2m_change(d, gfn(HOLE), a, 0, P2M_FOREIGN), 0);
	assert_int_equal(frame_of(a)->refs, 2);
	assert_int_equal(p2m_remove(d, gfn(HOLE), 0), 0);
	frame_free(a, 0);
	end(d);
}

static void replaced_ram_is_given_up(void **state)
{
	struct domain *d = boot(1, 16);
	uint64_t used = d->mem.used;
	mfn_t a = ours(), ram = p2m_lookup(d, gfn(3)).mfn;

	assert_int_equal(p2m_change(d, gfn(3), a, 0, P2M_SHARED), 0);
	assert_int_equal(d->mem.used, used - 1);
	assert_false(frame_get(ram, d));
	domain_mem_check(d);
	assert_int_equal(p2m_remove(d, gfn(3), 0), 0);
	frame_free(a, 0);
	end(d);
}

static void permission_change_keeps_ram(void **state)
{
	struct domain *d = boot(1, 16);
	mfn_t ram = p2m_lookup(d, gfn(3)).mfn, m;

	assert_int_equal(p2m_change(d, gfn(3), ram, 0, P2M_RAM_RO), 0);
	expect(d, 3, P2M_RAM_RO, ram.n, 0);
	assert_int_equal(p2m_get_frame(d, gfn(3), true, &m), -EFAULT);
	assert_int_equal(p2m_get_frame(d, gfn(3), false, &m), 0);
	frame_put(m);
	assert_int_equal(p2m_change(d, gfn(3), ram, 0, P2M_RAM_RW), 0);
	end(d);
}

static void superpage_over_a_table_frees_it_after_a_grace_period(void **state)
{
	struct domain *d = boot(1, 1);
	uint64_t used_mem = d->mem.used;
	uint32_t used;
	mfn_t a = ours();

	for (unsigned i = 0; i < 512; i += 2)
		populate(d, HOLE + i, 0);
	assert_int_equal(p2m_change(d, gfn(HOLE + 1), a, 0, P2M_FOREIGN), 0);
	used = d->pool.used;
	populate(d, HOLE, ORDER_2M);
	assert_int_equal(d->mem.used, used_mem + 512);
	assert_int_equal(frame_of(a)->refs, 1);
	assert_int_equal(d->p2m.mapped[1], 1);
	assert_int_equal(d->pool.used, used); /* somebody may still read it */
	sim_run(NULL, NULL);
	assert_int_equal(d->pool.used, used - 1);
	frame_free(a, 0);
	end(d);
}

static void gigabyte_does_not_replace_tables(void **state)
{
	struct domain *d = boot(1, 1);
	uint64_t done = 0;

	assert_int_equal(p2m_change(d, gfn(HOLE + 7), mfn(0x90000), 0, P2M_MMIO_DIRECT), 0);
	assert_int_equal(p2m_change(d, gfn(HOLE), mfn(0x80000), ORDER_1G, P2M_MMIO_DIRECT), -EBUSY);
	expect(d, HOLE + 7, P2M_MMIO_DIRECT, 0x90000, 0);
	/* A range is mapped all the same, with 2 MiB. */
	assert_int_equal(
	    p2m_map_range(d, gfn(HOLE), mfn(0x80000), 1u << ORDER_1G, P2M_MMIO_DIRECT, &done), 0);
	assert_int_equal(done, 1u << ORDER_1G);
	expect(d, HOLE + 7, P2M_MMIO_DIRECT, 0x80007, ORDER_2M);
	end(d);
}

static void only_the_mapping_that_is_meant_is_removed(void **state)
{
	struct domain *d = boot(1, 1);
	mfn_t a = ours();

	assert_int_equal(p2m_change(d, gfn(HOLE), a, 0, P2M_GRANT_RW), 0);
	assert_false(p2m_remove_exact(d, gfn(HOLE), a, P2M_GRANT_RO));
	assert_false(p2m_remove_exact(d, gfn(HOLE), mfn_add(a, 1), P2M_GRANT_RW));
	assert_false(p2m_remove_exact(d, gfn(HOLE + 1), a, P2M_GRANT_RW));
	assert_int_equal(frame_of(a)->refs, 2);
	assert_true(p2m_remove_exact(d, gfn(HOLE), a, P2M_GRANT_RW));
	assert_false(p2m_remove_exact(d, gfn(HOLE), a, P2M_GRANT_RW));
	assert_int_equal(frame_of(a)->refs, 1);
	frame_free(a, 0);
	end(d);
}

/* ---- ranges -------------------------------------------------------------------------------------- */

static void range_uses_the_largest_pages(void **state)
{
	struct domain *d = boot(1, 1);
	uint64_t done = 0;

	assert_int_equal(p2m_map_range(d, gfn(HOLE - 3), mfn(0x80000 - 3), 3 + 512 + 512 + 5,
				       P2M_MMIO_DIRECT, &done),
			 0);
	assert_int_equal(done, 3 + 512 + 512 + 5);
	expect(d, HOLE - 1, P2M_MMIO_DIRECT, 0x7ffff, ORDER_4K);
	expect(d, HOLE, P2M_MMIO_DIRECT, 0x80000, ORDER_2M);
	expect(d, HOLE + 1023, P2M_MMIO_DIRECT, 0x803ff, ORDER_2M);
	expect(d, HOLE + 1024, P2M_MMIO_DIRECT, 0x80400, ORDER_4K);
	assert_int_equal(d->p2m.mapped[1], 2);
	done = 0;
	assert_int_equal(p2m_unmap_range(d, gfn(HOLE + 1), 700, &done), 0);
	expect(d, HOLE, P2M_MMIO_DIRECT, 0x80000, ORDER_4K);
	expect(d, HOLE + 1, P2M_NONE, 0, 0);
	expect(d, HOLE + 700, P2M_NONE, 0, 0);
	expect(d, HOLE + 701, P2M_MMIO_DIRECT, 0x80000 + 701, ORDER_4K);
	end(d);
}

static void unequal_alignment_means_small_pages(void **state)
{
	struct domain *d = boot(1, 1);
	uint64_t done = 0;

	assert_int_equal(p2m_map_range(d, gfn(HOLE), mfn(0x80001), 512, P2M_MMIO_DIRECT, &done), 0);
	expect(d, HOLE, P2M_MMIO_DIRECT, 0x80001, ORDER_4K);
	assert_int_equal(d->p2m.mapped[1], 0);
	end(d);
}

static void range_stops_for_others_and_goes_on(void **state)
{
	struct domain *d = boot(1, 1);
	uint64_t done = 0;

	sim_as(d->vcpu[0]);
	softirq_raise_here(SOFTIRQ_RCU);
	assert_int_equal(p2m_map_range(d, gfn(HOLE), mfn(0x80001), 4, P2M_MMIO_DIRECT, &done),
			 -ERR_RESTART);
	assert_int_equal(done, 1);
	while (p2m_map_range(d, gfn(HOLE), mfn(0x80001), 4, P2M_MMIO_DIRECT, &done) == -ERR_RESTART)
		;
	sim_as(NULL);
	assert_int_equal(done, 4);
	expect(d, HOLE + 3, P2M_MMIO_DIRECT, 0x80004, 0);
	end(d);
}

/* ---- frames -------------------------------------------------------------------------------------- */

static void only_own_ram_gives_a_frame(void **state)
{
	struct domain *d = boot(1, 4);
	mfn_t a = ours(), m;

	assert_int_equal(p2m_get_frame(d, gfn(1), true, &m), 0);
	assert_int_equal(frame_of(m)->owner, d->id);
	assert_int_equal(frame_of(m)->refs, 2);
	frame_put(m);
	assert_int_equal(p2m_get_frame(d, gfn(HOLE), false, &m), -EFAULT);
	assert_int_equal(reason_last()->id, R_GFN_NOT_RAM);
	assert_int_equal(p2m_change(d, gfn(HOLE), a, 0, P2M_FOREIGN), 0);
	assert_int_equal(p2m_get_frame(d, gfn(HOLE), false, &m), -EFAULT);
	assert_int_equal(p2m_change(d, gfn(HOLE + 1), mfn(9), 0, P2M_MMIO_DIRECT), 0);
	assert_int_equal(p2m_get_frame(d, gfn(HOLE + 1), false, &m), -EFAULT);
	assert_int_equal(p2m_remove(d, gfn(HOLE), 0), 0);
	frame_free(a, 0);
	end(d);
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void destruction_gives_everything_back(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct domain *d = boot(seed, 2000);
		mfn_t a = ours(), kept;

		assert_int_equal(p2m_change(d, gfn(HOLE), a, 0, P2M_SHARED), 0);
		assert_int_equal(
		    p2m_change(d, gfn(2 * HOLE), mfn(0x80000), ORDER_1G, P2M_MMIO_DIRECT), 0);
		assert_int_equal(p2m_get_frame(d, gfn(77), true, &kept), 0);
		*(uint32_t *)frame_va(kept) = 0x12345;
		domain_mem_check(d);
		sim_end(d);
		assert_int_equal(frame_of(a)->refs, 1);
		/* A page that somebody holds outlives its domain, untouched. */
		assert_int_equal(*(uint32_t *)frame_va(kept), 0x12345);
		frame_put(kept);
		frame_free(a, 0);
		sim_shutdown();
	}
}

static bool has_dying_tables(void *arg)
{
	return ((struct domain *)arg)->p2m.dying;
}

static void nothing_is_mapped_into_a_dying_domain(void **state)
{
	struct domain *d = boot(1, 4);
	uint64_t g = 0x50;

	domain_destroy(d);
	assert_true(sim_run(has_dying_tables, d));
	assert_int_equal(p2m_change(d, gfn(g), mfn(9), 0, P2M_MMIO_DIRECT), -EINVAL);
	assert_int_equal(reason_last()->id, R_DOMAIN_DYING);
	assert_int_equal(p2m_remove(d, gfn(0), 0), -EINVAL);
	sim_end(d);
	sim_shutdown();
}

/* ---- several CPUs -------------------------------------------------------------------------------- */

static struct domain *dom;
static bool done_changing;

/* A page that stays mapped while others around it come and go. */
static void look_all_the_time(void *arg)
{
	while (!read_once(&done_changing)) {
		struct p2m_entry e = p2m_lookup(dom, gfn(HOLE + 9));
		mfn_t m;

		sim_check(e.type == P2M_RAM_RW);
		sim_check(p2m_get_frame(dom, gfn(HOLE + 9), true, &m) == 0);
		sim_check(m.n == e.mfn.n);
		frame_put(m);
		sim_switch_point();
	}
}

static void split_now_and_then(void *arg)
{
	for (unsigned i = 0; i < 5; i++) {
		gfn_t at = gfn(HOLE + 20 + i);

		sim_check(domain_depopulate(dom, at, 0) == 0);
		sim_check(domain_populate(dom, &at, 0, 0) == 0);
	}
	write_once(&done_changing, true);
}

static void look_up_never_sees_a_break(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		dom = boot(seed, 1);
		populate(dom, HOLE, ORDER_2M);
		done_changing = false;
		sim_on_cpu(0, split_now_and_then, NULL);
		sim_on_cpu(1, look_all_the_time, NULL);
		sim_run(NULL, NULL);
		end(dom);
	}
}

/* Random edits against a model of one 4 MiB window. */
static void random_edits_match_a_model(void **state)
{
	enum { WINDOW = 1024 };
	static struct {
		enum p2m_type t;
		uint64_t m;
	} model[WINDOW];

	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct domain *d = boot(seed, 1);

		memset(model, 0, sizeof(model));
		for (unsigned step = 0; step < 400; step++) {
			unsigned order = sim_random(4) ? 0 : ORDER_2M;
			uint64_t n = 1ull << order, at = sim_random(WINDOW) & ~(n - 1), m;
			int err;

			if (sim_random(8) == 0)
				sim_fail_pool(1);
			switch (sim_random(3)) {
			case 0:
				m = 0x80000 + (sim_random(8192) & ~(n - 1));
				err = p2m_change(d, gfn(HOLE + at), mfn(m), order, P2M_MMIO_DIRECT);
				for (uint64_t i = 0; !err && i < n; i++) {
					model[at + i].t = P2M_MMIO_DIRECT;
					model[at + i].m = m + i;
				}
				break;
			case 1: {
				gfn_t g = gfn(HOLE + at);

				err = domain_populate(d, &g, order, 0);
				m = err ? 0 : p2m_lookup(d, g).mfn.n;
				for (uint64_t i = 0; !err && i < n; i++) {
					model[at + i].t = P2M_RAM_RW;
					model[at + i].m = m + i;
				}
				break;
			}
			default:
				if (model[at].t == P2M_RAM_RW)
					err = domain_depopulate(d, gfn(HOLE + at), 0);
				else
					err = p2m_remove(d, gfn(HOLE + at), 0);
				if (!err)
					model[at].t = P2M_NONE;
			}
			assert_true(err == 0 || err == -ENOMEM);
			sim_fail_pool(0);
			if (step % 16 == 0) {
				for (unsigned i = 0; i < WINDOW; i++) {
					struct p2m_entry e = p2m_lookup(d, gfn(HOLE + i));

					assert_int_equal(e.type, model[i].t);
					if (e.type != P2M_NONE)
						assert_int_equal(e.mfn.n, model[i].m);
				}
				domain_mem_check(d);
				sim_run(NULL, NULL);
			}
		}
		end(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_size_maps_and_unmaps),
		cmocka_unit_test(address_space_has_an_end),
		cmocka_unit_test(removing_nothing_costs_nothing),
		cmocka_unit_test(hole_in_a_superpage_leaves_the_rest),
		cmocka_unit_test(gigabyte_splits_twice),
		cmocka_unit_test(change_without_memory_changes_nothing),
		cmocka_unit_test(pool_at_its_ceiling_refuses_its_owner_only),
		cmocka_unit_test(a_break_is_flushed_before_the_make),
		cmocka_unit_test(replaced_mapping_drops_its_reference),
		cmocka_unit_test(same_mapping_again_keeps_one_reference),
		cmocka_unit_test(replaced_ram_is_given_up),
		cmocka_unit_test(permission_change_keeps_ram),
		cmocka_unit_test(superpage_over_a_table_frees_it_after_a_grace_period),
		cmocka_unit_test(gigabyte_does_not_replace_tables),
		cmocka_unit_test(only_the_mapping_that_is_meant_is_removed),
		cmocka_unit_test(range_uses_the_largest_pages),
		cmocka_unit_test(unequal_alignment_means_small_pages),
		cmocka_unit_test(range_stops_for_others_and_goes_on),
		cmocka_unit_test(only_own_ram_gives_a_frame),
		cmocka_unit_test(destruction_gives_everything_back),
		cmocka_unit_test(nothing_is_mapped_into_a_dying_domain),
		cmocka_unit_test(look_up_never_sees_a_break),
		cmocka_unit_test(random_edits_match_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
