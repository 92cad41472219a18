/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: what a domain costs is charged to it, promised at creation and taken on use. */
#include "sim.h"

static struct domain dom;
static struct pool *const pool = &dom.pool;

static void boot(uint32_t ceiling)
{
	sim_boot_bare(16 << 20, 1);
	memset(&dom, 0, sizeof(dom));
	dom.id = 7;
	assert_int_equal(pool_init(pool, ceiling, ALLOC_ANY_NODE), 0);
}

static uint64_t promised(void)
{
	struct mem_stats s;

	frame_stats(&s);
	return s.claimed;
}

static bool is_clear(mfn_t m)
{
	const char *p = frame_va(m);

	return p[0] == 0 && memcmp(p, p + 1, PAGE_SIZE - 1) == 0;
}

/* Take everything that nobody was promised. */
static void exhaust_memory(void)
{
	while (mfn_valid(frame_alloc(0, ALLOC_ANY_NODE, ALLOC_DIRTY)))
		;
}

static void ceiling_is_promised_not_taken(void **state)
{
	boot(40);
	assert_int_equal(promised(), 40);
	assert_int_equal(pool->used, 0);
	pool_destroy(pool);
	assert_int_equal(promised(), 0);
	sim_shutdown();
}

static void more_than_memory_cannot_be_promised(void **state)
{
	boot(1);
	struct domain other = { .id = 8 };

	assert_int_equal(pool_init(&other.pool, 4096, ALLOC_ANY_NODE), -ENOMEM);
	assert_int_equal(promised(), 1);
	pool_destroy(pool);
	sim_shutdown();
}

static void owner_alone_meets_the_ceiling(void **state)
{
	mfn_t m[3];

	boot(2);
	m[0] = pool_alloc(pool);
	m[1] = pool_alloc(pool);
	assert_true(mfn_valid(m[0]) && mfn_valid(m[1]));
	assert_true(is_clear(m[0]));
	m[2] = pool_alloc(pool);
	assert_false(mfn_valid(m[2]));
	assert_int_equal(reason_last()->id, R_POOL_EXHAUSTED);
	assert_int_equal(reason_last()->object, 7);
	assert_int_equal(reason_last()->limit, 2);
	m[2] = frame_alloc(0, ALLOC_ANY_NODE, 0);
	assert_true(mfn_valid(m[2]));
	frame_free(m[2], 0);
	pool_free(pool, m[0]);
	m[0] = pool_alloc(pool);
	assert_true(mfn_valid(m[0]));
	pool_free(pool, m[0]);
	pool_free(pool, m[1]);
	assert_int_equal(pool->peak, 2);
	pool_destroy(pool);
	sim_shutdown();
}

static void promise_holds_when_memory_is_gone(void **state)
{
	mfn_t m[8];

	boot(8);
	exhaust_memory();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 8; i++) {
			m[i] = pool_alloc(pool);
			assert_true(mfn_valid(m[i]));
		}
		assert_false(mfn_valid(pool_alloc(pool)));
		for (unsigned i = 0; i < 8; i++)
			pool_free(pool, m[i]);
		/* What came back is still promised to this pool. */
		assert_false(mfn_valid(frame_alloc(0, ALLOC_ANY_NODE, 0)));
	}
	sim_abandon();
}

static void static_pool_never_allocates_again(void **state)
{
	struct mem_stats before, after;
	mfn_t m[8];

	boot(8);
	assert_int_equal(pool_fill(pool), 0);
	assert_int_equal(promised(), 0);
	frame_stats(&before);
	for (unsigned i = 0; i < 8; i++) {
		m[i] = pool_alloc(pool);
		assert_true(mfn_valid(m[i]));
		memset(frame_va(m[i]), 0x33, PAGE_SIZE);
	}
	assert_false(mfn_valid(pool_alloc(pool)));
	for (unsigned i = 0; i < 8; i++)
		pool_free(pool, m[i]);
	m[0] = pool_alloc(pool);
	assert_true(is_clear(m[0]));
	pool_free(pool, m[0]);
	frame_stats(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	pool_destroy(pool);
	sim_shutdown();
}

static void blocks_are_side_by_side(void **state)
{
	mfn_t m;

	for (unsigned filled = 0; filled < 2; filled++) {
		boot(9);
		if (filled)
			assert_int_equal(pool_fill(pool), 0);
		m = pool_alloc_block(pool, 3);
		assert_true(mfn_valid(m));
		assert_int_equal(m.n & 7, 0);
		assert_int_equal(pool->used, 8);
		assert_false(mfn_valid(pool_alloc_block(pool, 1)));
		for (unsigned i = 0; i < 8; i++)
			pool_free(pool, mfn_add(m, i));
		pool_destroy(pool);
		sim_shutdown();
	}
}

static void ceiling_moves_within_reason(void **state)
{
	mfn_t m;

	boot(4);
	m = pool_alloc(pool);
	assert_int_equal(pool_resize(pool, 10), 0);
	assert_int_equal(promised(), 9);
	assert_int_equal(pool_resize(pool, 100000), -ENOMEM);
	assert_int_equal(pool->ceiling, 10);
	assert_int_equal(pool_resize(pool, 0), -EBUSY);
	assert_int_equal(pool_resize(pool, 1), 0);
	assert_int_equal(promised(), 0);
	assert_false(mfn_valid(pool_alloc(pool)));
	pool_free(pool, m);
	pool_destroy(pool);
	sim_shutdown();
}

static void injected_failures_change_nothing(void **state)
{
	boot(4);
	sim_fail_pool(1);
	assert_false(mfn_valid(pool_alloc(pool)));
	sim_fail_alloc(1);
	assert_false(mfn_valid(pool_alloc(pool)));
	assert_int_equal(pool->used, 0);
	assert_int_equal(promised(), 4);
	pool_destroy(pool);
	sim_shutdown();
}

static void frame_that_others_map_leaves_with_its_promise(void **state)
{
	domid_t id;
	mfn_t m;

	boot(4);
	m = pool_alloc(pool);
	assert_true(frame_get_any(m, &id));
	pool_free(pool, m);
	assert_int_equal(pool->used, 0);
	assert_int_equal(pool->ceiling, 3);
	assert_int_equal(promised(), 3);
	frame_put(m);
	pool_destroy(pool);
	assert_int_equal(promised(), 0);
	sim_shutdown();
}

static void destroy_in_use(void *arg)
{
	if (mfn_valid(pool_alloc(pool)))
		pool_destroy(pool);
}

static void pool_in_use_is_not_destroyed(void **state)
{
	boot(4);
	assert_non_null(sim_expect_panic(destroy_in_use, NULL));
	sim_abandon();
}

static void churn(void *arg)
{
	mfn_t m[4];

	for (unsigned i = 0; i < 40; i++) {
		unsigned n = 0;

		while (n < 4 && mfn_valid(m[n] = pool_alloc(pool)))
			n++;
		lock_take(&pool->lock);
		sim_check(pool->used <= pool->ceiling);
		lock_release(&pool->lock);
		while (n > 0)
			pool_free(pool, m[--n]);
	}
}

static void cpus_share_a_pool(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		sim_boot(3, 16 << 20, seed);
		memset(&dom, 0, sizeof(dom));
		assert_int_equal(pool_init(pool, 6, ALLOC_ANY_NODE), 0);
		exhaust_memory();
		for (unsigned i = 0; i < 3; i++)
			sim_on_cpu(i, churn, NULL);
		sim_run(NULL, NULL);
		assert_int_equal(pool->used, 0);
		assert_int_equal(promised(), 6);
		sim_abandon();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ceiling_is_promised_not_taken),
		cmocka_unit_test(more_than_memory_cannot_be_promised),
		cmocka_unit_test(owner_alone_meets_the_ceiling),
		cmocka_unit_test(promise_holds_when_memory_is_gone),
		cmocka_unit_test(static_pool_never_allocates_again),
		cmocka_unit_test(blocks_are_side_by_side),
		cmocka_unit_test(ceiling_moves_within_reason),
		cmocka_unit_test(injected_failures_change_nothing),
		cmocka_unit_test(frame_that_others_map_leaves_with_its_promise),
		cmocka_unit_test(pool_in_use_is_not_destroyed),
		cmocka_unit_test(cpus_share_a_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
