/* SPDX-License-Identifier: Apache-2.0 */
/* Ticket locks: exclusion, order, and that a wrong order of ranks is caught. */
#include "sim.h"

#include <arch/cpu.h>

static struct lock low = LOCK_INIT(RANK_DOMAIN), high = LOCK_INIT(RANK_EVTCHN);
static struct lock equal = LOCK_INIT(RANK_DOMAIN);

static void a_lock_is_taken_and_released(void **state)
{
	sim_boot_bare(32 << 20, 1);
	assert_false(lock_held(&low));
	lock_take(&low);
	assert_true(lock_held(&low));
	lock_take(&high);
	lock_release(&low);
	assert_false(lock_held(&low));
	assert_true(lock_held(&high));
	lock_release(&high);
	assert_int_equal(this_cpu()->nr_held, 0);
	sim_shutdown();
}

static void tickets_wrap_around(void **state)
{
	sim_boot_bare(32 << 20, 1);
	for (unsigned i = 0; i < 70000; i++) {
		lock_take(&low);
		lock_release(&low);
	}
	assert_false(lock_held(&low));
	assert_true(lock_try(&low));
	lock_release(&low);
	sim_shutdown();
}

static void a_pair_is_taken_in_order_of_address(void **state)
{
	struct lock pair[2] = { LOCK_INIT(RANK_DOMAIN), LOCK_INIT(RANK_DOMAIN) };

	sim_boot_bare(32 << 20, 1);
	for (unsigned i = 0; i < 2; i++) {
		lock_pair(&pair[i], &pair[1 - i]);
		assert_ptr_equal(this_cpu()->held[0], &pair[0]);
		assert_ptr_equal(this_cpu()->held[1], &pair[1]);
		lock_release_pair(&pair[i], &pair[1 - i]);
	}
	lock_pair(&pair[0], &pair[0]);
	assert_int_equal(this_cpu()->nr_held, 1);
	lock_release_pair(&pair[0], &pair[0]);
	assert_int_equal(this_cpu()->nr_held, 0);
	sim_shutdown();
}

static void take_lower_after_higher(void *arg)
{
	lock_take(&high);
	lock_take(&low);
}

static void take_equal_without_pair(void *arg)
{
	lock_take(&low);
	lock_take(&equal);
}

static void try_lower_after_higher(void *arg)
{
	lock_take(&high);
	if (lock_try(&low))
		lock_release(&low);
}

static void release_of_another(void *arg)
{
	lock_release(&low);
}

static void take_without_rank(void *arg)
{
	struct lock none = { .rank = RANK_NONE };

	lock_take(&none);
}

static void broken_rules_panic(void **state)
{
	static const struct {
		void (*fn)(void *arg);
		const char *says;
	} rule[] = {
		{ take_lower_after_higher, "in order of rank" },
		{ take_equal_without_pair, "in order of rank" },
		{ try_lower_after_higher, "in order of rank" },
		{ release_of_another, "only its holder" },
		{ take_without_rank, "initialised with a rank" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rule); i++) {
		const char *why;

		sim_boot_bare(32 << 20, 1);
		lock_init(&low, RANK_DOMAIN);
		lock_init(&equal, RANK_DOMAIN);
		lock_init(&high, RANK_EVTCHN);
		why = sim_expect_panic(rule[i].fn, NULL);
		assert_non_null(why);
		assert_non_null(strstr(why, rule[i].says));
		sim_abandon();
	}
}

/* ---- several CPUs --------------------------------------------------------------------------------- */

static struct lock shared;
static unsigned inside, entries;

static void work_under_lock(void *arg)
{
	for (unsigned i = 0; i < 50; i++) {
		lock_take(&shared);
		sim_check(inside == 0);
		inside = 1;
		sim_switch_point();
		sim_check(inside == 1);
		entries++;
		inside = 0;
		lock_release(&shared);
	}
}

static void work_if_free(void *arg)
{
	for (unsigned i = 0; i < 50;) {
		if (!lock_try(&shared)) {
			arch_cpu_relax();
			continue;
		}
		sim_check(inside == 0);
		inside = 1;
		sim_switch_point();
		entries++;
		inside = 0;
		lock_release(&shared);
		i++;
	}
}

static unsigned workers_done;

static void worker(void *arg)
{
	if (this_cpu()->id == 3)
		work_if_free(NULL);
	else
		work_under_lock(NULL);
	__atomic_add_fetch(&workers_done, 1, __ATOMIC_SEQ_CST);
}

static bool all_done(void *arg)
{
	return __atomic_load_n(&workers_done, __ATOMIC_SEQ_CST) == 4;
}

static void one_cpu_at_a_time_is_inside(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		sim_boot(4, 32 << 20, seed);
		lock_init(&shared, RANK_DOMAIN);
		inside = entries = workers_done = 0;
		for (unsigned c = 0; c < 4; c++)
			sim_on_cpu(c, worker, NULL);
		assert_true(sim_run(all_done, NULL));
		assert_int_equal(entries, 4 * 50);
		sim_shutdown();
	}
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_lock_is_taken_and_released),
		cmocka_unit_test(tickets_wrap_around),
		cmocka_unit_test(a_pair_is_taken_in_order_of_address),
		cmocka_unit_test(broken_rules_panic),
	};
	const struct CMUnitTest on_threads_too[] = {
		cmocka_unit_test(one_cpu_at_a_time_is_inside),
	};

	return sim_run_tests(alone, on_threads_too);
}
