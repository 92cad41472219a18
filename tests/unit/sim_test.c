/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated machine itself: it repeats, it switches, it finds what it is there to find. */
#include "sim.h"

#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/timer.h>

/* ---- memory and CPU 0 only ---------------------------------------------------------------------- */

static void bare_machine_has_memory(void **state)
{
	uint64_t before;
	mfn_t m;

	sim_boot_bare(64 << 20, 1);
	m = frame_alloc(0, ALLOC_ANY_NODE, 0);
	assert_true(mfn_valid(m));
	before = sim_free_frames();
	memset(frame_va(m), 0xaa, PAGE_SIZE);
	frame_free(m, 0);
	assert_int_equal(sim_free_frames(), before + 1);
	sim_shutdown();
}

static void each_machine_is_fresh(void **state)
{
	uint64_t before;

	sim_boot_bare(64 << 20, 1);
	before = sim_free_frames();
	assert_true(mfn_valid(frame_alloc(4, ALLOC_ANY_NODE, 0)));
	sim_abandon();
	sim_boot_bare(64 << 20, 1);
	assert_int_equal(sim_free_frames(), before);
	sim_shutdown();
}

static void take_twice(void *arg)
{
	struct lock l = LOCK_INIT(RANK_DOMAIN);

	lock_take(&l);
	lock_take(&l);
}

static void panics_can_be_expected(void **state)
{
	const char *why;

	sim_boot_bare(64 << 20, 1);
	why = sim_expect_panic(take_twice, NULL);
	assert_non_null(why);
	assert_non_null(strstr(why, "no CPU takes a lock that it holds"));
	sim_abandon();
}

static void read_at_other_level(void *arg)
{
	(void)arch_pte_type(arch_pte_leaf(mfn(0x40200), P2M_RAM_RW, 1), 0);
}

static void entries_know_their_level(void **state)
{
	sim_boot_bare(64 << 20, 1);
	for (unsigned level = 0; level <= 2; level++) {
		pte_t e = arch_pte_leaf(mfn(0x40000), P2M_GRANT_RO, level);

		assert_int_equal(arch_pte_mfn(e).n, 0x40000);
		assert_int_equal(arch_pte_type(e, level), P2M_GRANT_RO);
		assert_false(arch_pte_is_table(e, level));
	}
	assert_true(arch_pte_is_table(arch_pte_table(mfn(0x41234)), 1));
	assert_int_equal(arch_pte_mfn(arch_pte_table(mfn(0x41234))).n, 0x41234);
	assert_non_null(sim_expect_panic(read_at_other_level, NULL));
	sim_abandon();
}

static void replace_without_break(void *arg)
{
	mfn_t m = frame_alloc(0, ALLOC_ANY_NODE, 0);
	pte_t *slot = frame_va(m);

	arch_pte_write(slot, arch_pte_leaf(mfn(0x40001), P2M_RAM_RW, 0));
	arch_pte_write(slot, arch_pte_leaf(mfn(0x40002), P2M_RAM_RW, 0));
}

static void break_before_make_is_watched(void **state)
{
	const struct sim_pte_write *w;
	const char *why;

	sim_boot_bare(64 << 20, 1);
	why = sim_expect_panic(replace_without_break, NULL);
	assert_non_null(why);
	assert_non_null(strstr(why, "without a break"));
	assert_int_equal(sim_pte_writes(&w), 1);
	assert_int_equal(arch_pte_mfn(w[0].new).n, 0x40001);
	sim_abandon();
}

/* ---- several CPUs ------------------------------------------------------------------------------- */

static struct lock counter_lock = LOCK_INIT(RANK_DOMAIN);
static volatile unsigned counter;
#define ROUNDS 20u

static void add_locked(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned seen;

		lock_take(&counter_lock);
		seen = counter;
		sim_switch_point();
		counter = seen + 1;
		lock_release(&counter_lock);
	}
}

static void add_unlocked(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned seen = counter;

		sim_switch_point();
		counter = seen + 1;
	}
}

static unsigned count_on_all(void (*fn)(void *), unsigned cpus, uint64_t seed)
{
	sim_boot(cpus, 16 << 20, seed);
	counter = 0;
	lock_init(&counter_lock, RANK_DOMAIN);
	for (unsigned i = 0; i < cpus; i++)
		sim_on_cpu(i, fn, NULL);
	sim_run(NULL, NULL);
	sim_shutdown();
	return counter;
}

static void locks_exclude(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		assert_int_equal(count_on_all(add_locked, 4, seed), 4 * ROUNDS);
}

static void races_are_found(void **state)
{
	unsigned found = 0;

	for (uint64_t seed = 1; seed <= 20; seed++)
		found += count_on_all(add_unlocked, 4, seed) != 4 * ROUNDS;
	assert_in_range(found, 10, 20);
}

static void return_with_lock(void *arg)
{
	lock_take(&counter_lock);
}

static void run_holding(void *arg)
{
	sim_on_cpu(1, return_with_lock, NULL);
	sim_run(NULL, NULL);
}

static void locks_kept_are_found(void **state)
{
	const char *why;

	sim_boot(2, 16 << 20, 1);
	lock_init(&counter_lock, RANK_DOMAIN);
	why = sim_expect_panic(run_holding, NULL);
	assert_non_null(why);
	assert_non_null(strstr(why, "locks held"));
	sim_abandon();
}

/* Each of two CPUs has one lock and wants the other's; ranks cannot see it, the locks being a pair. */
static struct lock left = LOCK_INIT(RANK_EVTCHN), right = LOCK_INIT(RANK_POOL);
static unsigned ready;

static void left_then_right(void *arg)
{
	lock_take(&left);
	atomic_add(&ready, 1u);
	while (read_once(&ready) < 2)
		arch_cpu_relax();
	lock_take(&right);
}

static void right_only(void *arg)
{
	lock_take(&right);
	atomic_add(&ready, 1u);
	while (read_once(&ready) < 2)
		arch_cpu_relax();
	/* Waits for `left` behind the ranks' back. */
	while (read_once(&left.owner) != read_once(&left.next))
		arch_lock_wait(&left.owner, left.next);
}

static void run_deadlock(void *arg)
{
	sim_on_cpu(0, left_then_right, NULL);
	sim_on_cpu(1, right_only, NULL);
	sim_run(NULL, NULL);
}

static void deadlocks_are_found(void **state)
{
	const char *why;

	sim_boot(2, 16 << 20, 1);
	ready = 0;
	lock_init(&left, RANK_EVTCHN);
	lock_init(&right, RANK_POOL);
	why = sim_expect_panic(run_deadlock, NULL);
	assert_non_null(why);
	assert_non_null(strstr(why, "deadlock"));
	sim_abandon();
}

static uint64_t fired_at;

static void note_time(struct timer *t)
{
	fired_at = arch_time_ns();
}

static bool has_fired(void *arg)
{
	return fired_at != 0;
}

static void timers_fire_when_due(void **state)
{
	struct timer t;
	uint64_t due;

	sim_boot(2, 16 << 20, 1);
	fired_at = 0;
	timer_init(&t, note_time, this_cpu());
	due = arch_time_ns() + 5000000;
	timer_set(&t, due);
	sim_run_for(1000000);
	assert_int_equal(fired_at, 0);
	assert_true(sim_run(has_fired, NULL));
	assert_in_range(fired_at, due, due + 1000000);
	sim_shutdown();
}

/* ---- guests ------------------------------------------------------------------------------------- */

static bool touch_pages(struct vcpu *v, void *arg)
{
	uint64_t word = 1;

	for (unsigned i = 0; i < 40; i++) {
		gva_t at = gva((v->id + 1 + sim_random(8)) << PAGE_SHIFT);

		sim_check(sim_guest_write(v, at, &word, sizeof(word)));
		sim_check(sim_guest_read(v, at, &word, sizeof(word)));
		sim_check(word == 1);
	}
	sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	return false;
}

static uint64_t trace_of(uint64_t seed)
{
	struct domain *d[2];
	uint64_t hash;

	sim_boot(3, 64 << 20, seed);
	for (unsigned i = 0; i < 2; i++) {
		d[i] = sim_domain(2, 64);
		for (unsigned j = 0; j < 2; j++)
			sim_guest_set(d[i]->vcpu[j], touch_pages, NULL, NULL);
		sim_start(d[i]);
	}
	sim_run(NULL, NULL);
	sim_end_all();
	hash = sim_trace_hash();
	sim_shutdown();
	return hash;
}

static void equal_seeds_run_equally(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		uint64_t first = trace_of(seed);

		assert_true(trace_of(seed) == first);
		if (!getenv("SIM_SEED"))
			assert_true(trace_of(seed + 100) != first);
	}
}

/* A guest that keeps touching a page, which goes away under it. */
static struct {
	unsigned touched, aborts;
} toucher;

#define VICTIM_GFN 20u

static bool keep_touching(struct vcpu *v, void *arg)
{
	uint64_t word;

	if (sim_guest_read(v, gva(VICTIM_GFN << PAGE_SHIFT), &word, sizeof(word)))
		toucher.touched++;
	else
		toucher.aborts++;
	return toucher.aborts < 3;
}

static void take_page(void *arg)
{
	struct domain *d = arg;

	sim_check(domain_depopulate(d, gfn(VICTIM_GFN), 0) == 0);
}

static bool touched_some(void *arg)
{
	return toucher.touched > 10;
}

static bool aborted(void *arg)
{
	return toucher.aborts > 0;
}

static void balloon_under_guest(void *arg)
{
	struct domain *d = sim_domain(1, 64);

	memset(&toucher, 0, sizeof(toucher));
	sim_guest_set(d->vcpu[0], keep_touching, NULL, NULL);
	sim_start(d);
	sim_check(sim_run(touched_some, NULL));
	sim_break_flush(arg != NULL);
	sim_on_cpu(0, take_page, d);
	sim_check(sim_run(aborted, NULL));
	sim_break_flush(false);
	sim_end(d);
}

static void flushed_pages_are_gone(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_boot(2, 64 << 20, seed);
		balloon_under_guest(NULL);
		sim_shutdown();
	}
}

static void missing_flushes_are_found(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		const char *why;

		sim_boot(2, 64 << 20, seed);
		why = sim_expect_panic(balloon_under_guest, &toucher);
		assert_non_null(why);
		assert_non_null(strstr(why, "stale translation"));
		sim_abandon();
	}
}

/* ---- injected failures -------------------------------------------------------------------------- */

/* Make a domain the way sim_domain() does; every failure is undone at once. */
static bool try_domain(void)
{
	struct domain_config cfg = {
		.max_vcpus = 2,
		.max_frames = 64,
		.max_evtchn = 64,
		.max_grant_frames = 2,
		.max_maptrack_frames = 2,
		.node = ALLOC_ANY_NODE,
	};
	struct domain *d;
	struct vcpu *v;
	int err;

	if (domain_create(DOMID_INVALID, &cfg, &d))
		return false;
	lock_take(&d->lock);
	err = vcpu_create(d, 0, &v);
	if (!err)
		err = vcpu_create(d, 1, &v);
	lock_release(&d->lock);
	for (uint64_t g = 0; g < 64 && !err; g++) {
		gfn_t at = gfn(g);

		err = domain_populate(d, &at, 0, 0);
	}
	sim_end(d);
	return err == 0;
}

static void creation_fails_cleanly(enum fault_point what)
{
	unsigned n = 0;

	for (bool ok = false; !ok; n++) {
		sim_boot(1, 64 << 20, n + 1);
		sim_fail_nth(what, n + 1);
		ok = try_domain();
		sim_fail_nth(what, 0);
		assert_true(ok || sim_failures(what) >= 1);
		sim_shutdown(); /* every frame is back */
		assert_in_range(n, 0, 400);
	}
	assert_in_range(n, 4, 400);
}

static void failed_allocations_leave_nothing(void **state)
{
	creation_fails_cleanly(FAULT_ALLOC);
}

static void exhausted_pools_leave_nothing(void **state)
{
	creation_fails_cleanly(FAULT_POOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bare_machine_has_memory),
		cmocka_unit_test(each_machine_is_fresh),
		cmocka_unit_test(panics_can_be_expected),
		cmocka_unit_test(entries_know_their_level),
		cmocka_unit_test(break_before_make_is_watched),
		cmocka_unit_test(locks_exclude),
		cmocka_unit_test(races_are_found),
		cmocka_unit_test(locks_kept_are_found),
		cmocka_unit_test(deadlocks_are_found),
		cmocka_unit_test(timers_fire_when_due),
		cmocka_unit_test(equal_seeds_run_equally),
		cmocka_unit_test(flushed_pages_are_gone),
		cmocka_unit_test(missing_flushes_are_found),
		cmocka_unit_test(failed_allocations_leave_nothing),
		cmocka_unit_test(exhausted_pools_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
