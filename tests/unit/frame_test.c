/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: who owns them, which are free, what is promised. */
#include "sim.h"

#define MEMORY (64ull << 20)

static struct domain dom; /* an owner; no more of it exists than frames need */

static void boot(void)
{
	sim_boot_bare(MEMORY, 1);
	memset(&dom, 0, sizeof(dom));
	dom.id = 5;
	lock_init(&dom.mem.lock, RANK_POOL);
}

static struct mem_stats stats(void)
{
	struct mem_stats s;

	frame_stats(&s);
	return s;
}

/* Free, never used, or part of the frame table, which grows with use. */
static uint64_t there(void)
{
	struct mem_stats s = stats();

	return s.free + s.never + s.table;
}

static mfn_t must_alloc(unsigned order)
{
	mfn_t m = frame_alloc(order, ALLOC_ANY_NODE, 0);

	assert_true(mfn_valid(m));
	return m;
}

static bool is_clear(mfn_t m)
{
	const char *p = frame_va(m);

	return p[0] == 0 && memcmp(p, p + 1, PAGE_SIZE - 1) == 0;
}

static void soil(mfn_t m, unsigned order)
{
	memset(frame_va(m), 0x5a, (size_t)PAGE_SIZE << order);
}

static unsigned state_of(mfn_t m)
{
	return FRAME_STATE(read_once(&frame_of(m)->state_flags));
}

/* Give `n` frames to the owner, as domain_populate would. */
static mfn_t owned(unsigned order)
{
	mfn_t m = must_alloc(order);

	for (uint64_t i = 0; i < 1ull << order; i++)
		frame_assign(mfn_add(m, i), &dom, gfn(100 + i));
	dom.mem.used += 1ull << order;
	return m;
}

/* ---- allocation -------------------------------------------------------------------------------- */

static void frame_comes_cleared_and_ours(void **state)
{
	boot();
	for (unsigned order = 0; order <= 10; order++) {
		mfn_t m = must_alloc(order);

		assert_int_equal(m.n & ((1u << order) - 1), 0);
		for (uint64_t i = 0; i < 1ull << order; i++) {
			const struct frame *f = frame_of(mfn_add(m, i));

			assert_true(is_clear(mfn_add(m, i)));
			assert_int_equal(f->owner, DOMID_XEN);
			assert_int_equal(f->refs, 1);
			assert_int_equal(FRAME_STATE(f->state_flags), FRAME_USED);
			assert_false(gfn_valid(frame_gfn(f)));
			assert_true(frame_valid(mfn_add(m, i)));
		}
		frame_free(m, order);
	}
	sim_shutdown();
}

static void freed_memory_is_cleared_before_reuse(void **state)
{
	uint64_t dirty;
	mfn_t m;

	boot();
	m = must_alloc(3);
	soil(m, 3);
	dirty = stats().dirty;
	frame_free(m, 3);
	assert_true(stats().dirty >= dirty + 8);
	m = must_alloc(3);
	for (unsigned i = 0; i < 8; i++)
		assert_true(is_clear(mfn_add(m, i)));
	frame_free(m, 3);
	sim_shutdown();
}

static void never_used_memory_is_cleared_too(void **state)
{
	mfn_t m;

	boot();
	/* What firmware or the system before left there. */
	memset(frame_va(mfn(SIM_RAM_BASE >> PAGE_SHIFT)), 0x77, MEMORY);
	m = must_alloc(ORDER_2M);
	for (unsigned i = 0; i < 512; i++)
		assert_true(is_clear(mfn_add(m, i)));
	frame_free(m, ORDER_2M);
	sim_shutdown();
}

/* Take half of the memory in pieces of 2 MiB, and give it back. */
static void use_half(void)
{
	static mfn_t list[MEMORY / PAGE_SIZE / 1024];

	for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = must_alloc(ORDER_2M);
	for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
		frame_free(list[i], ORDER_2M);
}

/* What toolstacks see as free falls by the table's frames, and by nothing when the same amount is used again. */
static void first_use_costs_the_frame_table_and_later_use_nothing(void **state)
{
	struct mem_stats before, once, twice;

	boot();
	before = stats();
	use_half();
	once = stats();
	assert_true(once.table > before.table);
	assert_int_equal(before.free + before.never - (once.free + once.never),
			 once.table - before.table);
	use_half();
	twice = stats();
	assert_int_equal(twice.table, once.table);
	assert_int_equal(twice.free + twice.never, once.free + once.never);
	sim_shutdown();
}

static void exhaustion_ends_in_invalid_and_all_comes_back(void **state)
{
	static mfn_t list[MEMORY / PAGE_SIZE];
	struct mem_stats s = { 0 };
	unsigned n = 0;
	mfn_t m;

	boot();
	while (mfn_valid(m = frame_alloc(0, ALLOC_ANY_NODE, ALLOC_DIRTY))) {
		*(uint64_t *)frame_va(m) = m.n;
		list[n++] = m;
	}
	/* All but the table (1 in 256) and what it might have cost. */
	assert_in_range(n, MEMORY / PAGE_SIZE * 98 / 100, MEMORY / PAGE_SIZE);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(*(uint64_t *)frame_va(list[i]), list[i].n); /* none twice */
	for (unsigned i = 0; i < n; i++)
		frame_free(list[i], 0);
	s = stats();
	assert_int_equal(s.claimed, 0);
	assert_true(s.free + s.never >= n);
	/* Buddies have joined again. */
	m = must_alloc(12);
	frame_free(m, 12);
	sim_shutdown();
}

static void memory_is_cut_off_in_pieces_of_2M(void **state)
{
	uint64_t never;
	mfn_t m, other;

	boot();
	never = stats().never;
	m = must_alloc(0);
	assert_in_range(never - stats().never, 512, 512 + 16);
	never = stats().never;
	other = must_alloc(0);
	assert_int_equal(stats().never, never);
	frame_free(m, 0);
	frame_free(other, 0);
	sim_shutdown();
}

static void nothing_is_given_beyond_the_largest_order(void **state)
{
	boot();
	assert_false(mfn_valid(frame_alloc(MAX_ORDER + 1, ALLOC_ANY_NODE, 0)));
	assert_false(mfn_valid(frame_alloc(MAX_ORDER, ALLOC_ANY_NODE, 0))); /* 1 GiB of 64 MiB */
	sim_shutdown();
}

static void injected_failure_changes_nothing(void **state)
{
	struct mem_stats before, after;

	boot();
	frame_free(must_alloc(0), 0);
	before = stats();
	sim_fail_alloc(1);
	assert_false(mfn_valid(frame_alloc(0, ALLOC_ANY_NODE, 0)));
	after = stats();
	assert_memory_equal(&before, &after, sizeof(before));
	frame_free(must_alloc(0), 0);
	sim_shutdown();
}

static void node_is_kept_when_exact(void **state)
{
	struct sim_config cfg = { .memory = MEMORY, .seed = 1, .nodes = 2 };
	const uint64_t half = (SIM_RAM_BASE + MEMORY / 2) >> PAGE_SHIFT;
	static mfn_t list[MEMORY / PAGE_SIZE];
	unsigned n = 0;
	mfn_t m;

	sim_boot_config(&cfg);
	while (mfn_valid(m = frame_alloc(0, 1, ALLOC_EXACT | ALLOC_DIRTY))) {
		assert_true(m.n >= half);
		list[n++] = m;
	}
	assert_true(n > MEMORY / PAGE_SIZE / 3);
	m = frame_alloc(0, 1, 0);
	assert_true(mfn_valid(m) && m.n < half);
	frame_free(m, 0);
	while (n > 0)
		frame_free(list[--n], 0);
	/* Blocks of two nodes do not join, though they are neighbours. */
	m = frame_alloc(12, 1, ALLOC_EXACT);
	assert_true(mfn_valid(m) && m.n >= half);
	frame_free(m, 12);
	sim_shutdown();
}

/* ---- promises ---------------------------------------------------------------------------------- */

static void claims_never_exceed_memory(void **state)
{
	struct mem_stats s;
	uint64_t have = 0, i;
	mfn_t m;

	boot();
	s = stats();
	assert_int_equal(frame_claim((int64_t)(s.free + s.never + 1)), -ENOMEM);
	assert_int_equal(stats().claimed, 0);
	while (frame_claim(64) == 0)
		have += 64;
	while (frame_claim(1) == 0)
		have++;
	assert_true(have <= s.free + s.never);
	assert_int_equal(stats().claimed, have);
	/* Promised memory is not for others ... */
	assert_false(mfn_valid(frame_alloc(0, ALLOC_ANY_NODE, 0)));
	/* ... and all of it is there for whom it was promised to. */
	for (i = 0; i < have; i++) {
		m = frame_alloc(0, ALLOC_ANY_NODE, ALLOC_CLAIMED | ALLOC_DIRTY);
		assert_true(mfn_valid(m));
		*(uint64_t *)frame_va(m) = m.n;
	}
	assert_int_equal(stats().claimed, 0);
	sim_abandon();
}

static void scrubbing_takes_nothing_that_is_promised(void **state)
{
	uint64_t have = 0;
	mfn_t m;

	boot();
	m = must_alloc(0);
	soil(m, 0);
	frame_free(m, 0);
	while (frame_claim(1) == 0)
		have++;
	assert_false(frame_scrub_step(0)); /* says that there is nothing to do, so idle sleeps */
	frame_claim(-(int64_t)have) == 0 ? (void)0 : fail();
	while (frame_scrub_step(0))
		;
	assert_int_equal(stats().dirty, 0);
	sim_shutdown();
}

static void scrubbing_cleans_and_joins(void **state)
{
	mfn_t m;

	boot();
	m = must_alloc(12);
	soil(m, 12);
	for (unsigned i = 0; i < 1u << 12; i++) /* in pieces, so that there are joins of all kinds */
		frame_free(mfn_add(m, (i * 769u) & 4095u), 0);
	assert_true(stats().dirty >= 1u << 12);
	for (unsigned steps = 0; frame_scrub_step(0); steps++)
		assert_true(steps < 10000);
	assert_int_equal(stats().dirty, 0);
	m = frame_alloc(12, ALLOC_ANY_NODE, 0);
	assert_true(mfn_valid(m));
	for (unsigned i = 0; i < 1u << 12; i++)
		assert_true(is_clear(mfn_add(m, i)));
	frame_free(m, 12);
	sim_shutdown();
}

/* A long random sequence against a model: no frame twice, contents kept, counts right. */
static void random_sequence_keeps_the_books(void **state)
{
	struct {
		mfn_t m;
		unsigned order;
	} held[200];
	unsigned n = 0;
	uint64_t used = 0, start;

	sim_boot_bare(MEMORY, 7);
	start = there();
	for (unsigned step = 0; step < 6000; step++) {
		unsigned order = (unsigned)sim_random(sim_random(4) ? 4 : 11);

		if (sim_random(50) == 0)
			(void)!frame_scrub_step(0);
		if (n < ARRAY_SIZE(held) && sim_random(2)) {
			mfn_t m = frame_alloc(order, ALLOC_ANY_NODE, 0);

			if (!mfn_valid(m))
				continue;
			for (uint64_t i = 0; i < 1ull << order; i++) {
				assert_true(is_clear(mfn_add(m, i)));
				*(uint64_t *)frame_va(mfn_add(m, i)) = m.n + 1;
			}
			held[n].m = m;
			held[n++].order = order;
			used += 1ull << order;
		} else if (n) {
			unsigned k = (unsigned)sim_random(n);

			for (uint64_t i = 0; i < 1ull << held[k].order; i++)
				assert_int_equal(*(uint64_t *)frame_va(mfn_add(held[k].m, i)),
						 held[k].m.n + 1);
			frame_free(held[k].m, held[k].order);
			used -= 1ull << held[k].order;
			held[k] = held[--n];
		}
		assert_int_equal(there() + used, start);
	}
	while (n > 0) {
		n--;
		frame_free(held[n].m, held[n].order);
	}
	sim_shutdown();
}

/* ---- boot -------------------------------------------------------------------------------------- */

static void reserved_memory_is_never_handed_out(void **state)
{
	const uint64_t base = SIM_RAM_BASE >> PAGE_SHIFT, first = base + 1000, last = base + 3000;
	mfn_t m;

	boot();
	assert_int_equal(
	    frame_reserve(mfn_to_paddr(mfn(first)), mfn_to_paddr(mfn(last)), FRAME_FIRMWARE), 0);
	assert_int_equal(state_of(mfn(first)), FRAME_FIRMWARE);
	assert_int_equal(state_of(mfn(last - 1)), FRAME_FIRMWARE);
	/* Twice is a mistake, and so is what somebody uses. */
	assert_int_equal(frame_reserve(mfn_to_paddr(mfn(last - 1)), mfn_to_paddr(mfn(last + 1)), 0),
			 -EBUSY);
	m = must_alloc(0);
	assert_int_equal(frame_reserve(mfn_to_paddr(m), mfn_to_paddr(mfn_add(m, 1)), 0), -EBUSY);
	assert_int_equal(frame_reserve(mfn_to_paddr(mfn_add(m, 1)), mfn_to_paddr(mfn_add(m, 2)), 0),
			 -EBUSY);
	do {
		*(uint64_t *)frame_va(m) = 1;
		assert_true(m.n < first || m.n >= last);
		m = frame_alloc(0, ALLOC_ANY_NODE, ALLOC_DIRTY);
	} while (mfn_valid(m));
	/* Given back, it is memory like any other. */
	frame_release_reserved(mfn_to_paddr(mfn(first)), mfn_to_paddr(mfn(last)));
	for (uint64_t i = first; i < last; i++) {
		m = frame_alloc(0, ALLOC_ANY_NODE, 0);
		assert_true(mfn_valid(m) && m.n >= first && m.n < last);
	}
	assert_false(mfn_valid(frame_alloc(0, ALLOC_ANY_NODE, 0)));
	sim_abandon();
}

static void static_memory_has_one_user(void **state)
{
	const uint64_t first = (SIM_RAM_BASE >> PAGE_SHIFT) + 512;
	mfn_t m = mfn(first);

	boot();
	assert_false(frame_take_static(m)); /* not reserved */
	assert_int_equal(frame_reserve(mfn_to_paddr(m), mfn_to_paddr(mfn_add(m, 4)),
				       FRAME_FIRMWARE | FRAME_STATIC),
			 0);
	soil(m, 2);
	assert_true(frame_take_static(m));
	assert_true(is_clear(m));
	assert_false(frame_take_static(m));
	frame_release_reserved(mfn_to_paddr(m), mfn_to_paddr(mfn_add(m, 4)));
	assert_int_equal(state_of(mfn_add(m, 1)), FRAME_FIRMWARE); /* static is for good */
	frame_put(m);
	assert_true(frame_take_static(m));
	frame_put(m);
	sim_abandon();
}

static void numbers_from_outside_are_judged(void **state)
{
	mfn_t m;
	domid_t id;

	boot();
	assert_false(frame_valid(mfn(0)));
	assert_false(frame_valid(mfn(9)));
	assert_false(frame_valid(INVALID_MFN));
	assert_false(frame_valid(mfn((uint64_t)1 << 40)));
	assert_false(frame_get(INVALID_MFN, &dom));
	assert_false(frame_get_any(mfn(9), &id));
	assert_false(frame_get(mfn(SIM_RAM_BASE >> PAGE_SHIFT), &dom)); /* never used */
	m = must_alloc(0);
	assert_true(frame_valid(m));
	assert_false(frame_get(m, &dom)); /* somebody else's */
	assert_true(frame_get_any(m, &id));
	assert_int_equal(id, DOMID_XEN);
	frame_put(m);
	frame_free(m, 0);
	assert_false(frame_get_any(m, &id)); /* free */
	sim_shutdown();
}

/* ---- references -------------------------------------------------------------------------------- */

static void frame_lives_as_long_as_its_references(void **state)
{
	uint64_t free_before;
	mfn_t m;

	boot();
	m = owned(0);
	free_before = sim_free_frames();
	assert_true(frame_get(m, &dom));
	assert_int_equal(frame_of(m)->refs, 2);
	assert_int_equal(frame_gfn(frame_of(m)).n, 100);
	frame_unassign(m, 0, &dom);
	/* Given up, yet somebody holds it: not free, still charged, and nobody gets it anew. */
	assert_int_equal(state_of(m), FRAME_HELD);
	assert_int_equal(sim_free_frames(), free_before);
	assert_int_equal(dom.mem.used, 1);
	assert_int_equal(dom.mem.held, 1);
	assert_false(frame_get(m, &dom));
	frame_put(m);
	assert_int_equal(sim_free_frames(), free_before + 1);
	sim_shutdown();
}

static void dying_owner_is_not_charged_for_what_others_hold(void **state)
{
	mfn_t m;

	boot();
	m = owned(0);
	assert_true(frame_get(m, &dom));
	dom.dying = true;
	frame_unassign(m, 0, &dom);
	assert_int_equal(dom.mem.used, 0);
	assert_int_equal(dom.mem.held, 0);
	assert_int_equal(state_of(m), FRAME_HELD);
	frame_put(m);
	sim_shutdown();
}

static void block_is_given_up_around_what_is_held(void **state)
{
	uint64_t before;
	mfn_t m;

	boot();
	m = owned(9);
	before = sim_free_frames();
	assert_true(frame_get(mfn_add(m, 7), &dom));
	assert_true(frame_get(mfn_add(m, 511), &dom));
	frame_unassign(m, 9, &dom);
	assert_int_equal(sim_free_frames(), before + 510);
	assert_int_equal(dom.mem.used, 2);
	frame_put(mfn_add(m, 7));
	frame_put(mfn_add(m, 511));
	assert_int_equal(sim_free_frames(), before + 512);
	m = must_alloc(9); /* whole again */
	frame_free(m, 9);
	sim_shutdown();
}

static void page_of_ours_that_is_still_mapped_is_freed_later(void **state)
{
	uint64_t before;
	domid_t id;
	mfn_t m;

	boot();
	assert_int_equal(frame_claim(1), 0);
	m = frame_alloc(0, ALLOC_ANY_NODE, ALLOC_CLAIMED);
	before = sim_free_frames();
	assert_true(frame_get_any(m, &id));
	assert_false(frame_free_claimed(m)); /* and the claim is gone */
	assert_int_equal(sim_free_frames(), before);
	frame_put(m);
	assert_int_equal(sim_free_frames(), before + 1);
	assert_int_equal(stats().claimed, 0);
	sim_shutdown();
}

static void pins_and_gfn_share_a_word(void **state)
{
	mfn_t m;

	boot();
	m = owned(0);
	frame_pin(m);
	frame_pin(m);
	frame_set_gfn(m, gfn(0xabcdef1234));
	assert_int_equal(frame_of(m)->gfn_pins & 0xffffff, 2);
	assert_int_equal(frame_gfn(frame_of(m)).n, 0xabcdef1234);
	frame_unpin(m);
	assert_int_equal(frame_gfn(frame_of(m)).n, 0xabcdef1234);
	frame_set_gfn(m, INVALID_GFN);
	assert_false(gfn_valid(frame_gfn(frame_of(m))));
	frame_unpin(m);
	frame_unassign(m, 0, &dom);
	sim_shutdown();
}

static void free_twice(void *arg)
{
	mfn_t m = frame_alloc(0, ALLOC_ANY_NODE, 0);

	frame_free(m, 0);
	frame_free(m, 0);
}

static void freeing_twice_is_found(void **state)
{
	boot();
	assert_non_null(sim_expect_panic(free_twice, NULL));
	sim_abandon();
}

/* ---- several CPUs ------------------------------------------------------------------------------ */

static void churn(void *arg)
{
	mfn_t m[8];
	unsigned order[8], n = 0;

	for (unsigned i = 0; i < 150; i++) {
		if (n < 8 && sim_random(2)) {
			order[n] = (unsigned)sim_random(4);
			m[n] = frame_alloc(order[n], ALLOC_ANY_NODE, 0);
			sim_check(mfn_valid(m[n]));
			for (uint64_t j = 0; j < 1ull << order[n]; j++) {
				uint64_t *p = frame_va(mfn_add(m[n], j));

				sim_check(*p == 0);
				*p = (uintptr_t)&m;
			}
			n++;
		} else if (n) {
			n--;
			for (uint64_t j = 0; j < 1ull << order[n]; j++)
				sim_check(*(uint64_t *)frame_va(mfn_add(m[n], j)) == (uintptr_t)&m);
			frame_free(m[n], order[n]);
		}
		if (sim_random(20) == 0)
			(void)!frame_scrub_step(0);
	}
	while (n > 0) {
		n--;
		frame_free(m[n], order[n]);
	}
}

static void cpus_do_not_get_the_same_frame(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		sim_boot(4, 16 << 20, seed);
		for (unsigned i = 0; i < 4; i++)
			sim_on_cpu(i, churn, NULL);
		sim_run(NULL, NULL);
		assert_int_equal(stats().claimed, 0);
		sim_shutdown();
	}
}

static mfn_t shared_frame;

static void get_and_put(void *arg)
{
	for (unsigned i = 0; i < 50; i++)
		if (frame_get(shared_frame, &dom)) {
			sim_check(state_of(shared_frame) == FRAME_USED ||
				  state_of(shared_frame) == FRAME_HELD);
			sim_switch_point();
			frame_put(shared_frame);
		}
}

static void give_it_up(void *arg)
{
	frame_unassign(shared_frame, 0, &dom);
}

static void last_reference_frees_once(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t before;

		sim_boot(3, 16 << 20, seed);
		memset(&dom, 0, sizeof(dom));
		dom.id = 5;
		lock_init(&dom.mem.lock, RANK_POOL);
		before = there();
		shared_frame = owned(0);
		sim_on_cpu(0, get_and_put, NULL);
		sim_on_cpu(1, get_and_put, NULL);
		sim_on_cpu(2, give_it_up, NULL);
		sim_run(NULL, NULL);
		assert_int_equal(there(), before);
		sim_shutdown();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_comes_cleared_and_ours),
		cmocka_unit_test(freed_memory_is_cleared_before_reuse),
		cmocka_unit_test(never_used_memory_is_cleared_too),
		cmocka_unit_test(first_use_costs_the_frame_table_and_later_use_nothing),
		cmocka_unit_test(exhaustion_ends_in_invalid_and_all_comes_back),
		cmocka_unit_test(memory_is_cut_off_in_pieces_of_2M),
		cmocka_unit_test(nothing_is_given_beyond_the_largest_order),
		cmocka_unit_test(injected_failure_changes_nothing),
		cmocka_unit_test(node_is_kept_when_exact),
		cmocka_unit_test(claims_never_exceed_memory),
		cmocka_unit_test(scrubbing_takes_nothing_that_is_promised),
		cmocka_unit_test(scrubbing_cleans_and_joins),
		cmocka_unit_test(random_sequence_keeps_the_books),
		cmocka_unit_test(reserved_memory_is_never_handed_out),
		cmocka_unit_test(static_memory_has_one_user),
		cmocka_unit_test(numbers_from_outside_are_judged),
		cmocka_unit_test(frame_lives_as_long_as_its_references),
		cmocka_unit_test(dying_owner_is_not_charged_for_what_others_hold),
		cmocka_unit_test(block_is_given_up_around_what_is_held),
		cmocka_unit_test(page_of_ours_that_is_still_mapped_is_freed_later),
		cmocka_unit_test(pins_and_gfn_share_a_word),
		cmocka_unit_test(freeing_twice_is_found),
		cmocka_unit_test(cpus_do_not_get_the_same_frame),
		cmocka_unit_test(last_reference_frees_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
