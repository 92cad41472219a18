/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The laws of the scheduling policies, on the simulated machine: shares by weight, affinity, no starvation, bounded
 * wait for a waking vCPU, one to one under null; and that nothing is lost when everything changes at once.
 */
#include "sim.h"

#include <hv/option.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <arch/vcpu.h>
#include <hv/softirq.h>

#include "../../hv/arch/host/internal.h"

#define MS 1000000ull

/* For laws about time: the clock's steps are coarse, so that seconds pass quickly, and no CPU stands still for long. */
static void boot(unsigned cpus, const char *sched, uint64_t seed)
{
	struct sim_config cfg = {
		.cpus = cpus,
		.memory = 64 << 20,
		.seed = seed,
		.sched = sched,
		.step_ns = 5000,
	};

	sim_boot_config(&cfg);
	sim.stalls = 0;
}

static bool burn(struct vcpu *v, void *arg)
{
	sim_guest_pause(v);
	return true;
}

static struct domain *burner(unsigned vcpus, uint32_t weight)
{
	struct domain *d = sim_domain(vcpus, 8);
	struct vcpu *v;

	domain_for_each_vcpu(v, d) sim_guest_set(v, burn, NULL, NULL);
	assert_int_equal(sched_set_weight(d, weight, 0), 0);
	sim_start(d);
	return d;
}

static struct cpuset cpus(uint64_t mask)
{
	return (struct cpuset){ .bits = { mask } };
}

/* Per mille of `period` that each domain's vCPU 0 runs from now on. */
static void shares(struct domain **d, unsigned n, uint64_t period, uint64_t *share)
{
	uint64_t before[16], start = arch_time_ns();

	for (unsigned i = 0; i < n; i++)
		before[i] = sched_cpu_time(d[i]->vcpu[0]);
	sim_run_for(period);
	period = arch_time_ns() - start;
	for (unsigned i = 0; i < n; i++)
		share[i] = (sched_cpu_time(d[i]->vcpu[0]) - before[i]) * 1000 / period;
}

static void assert_near(uint64_t got, uint64_t want, uint64_t tolerance)
{
	if (got + tolerance < want || got > want + tolerance)
		sim_fail("%llu instead of %llu", (unsigned long long)got, (unsigned long long)want);
}

/* ---- credit2: shares ------------------------------------------------------------------------------- */

static void shares_follow_weights_on_one_cpu(void **state)
{
	static const uint32_t weight[] = { 256, 512, 1024, 100 };

	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct domain *d[4];
		uint64_t share[4];

		boot(1, "credit2", seed);
		for (unsigned i = 0; i < 4; i++)
			d[i] = burner(1, weight[i]);
		sim_run_for(100 * MS);
		shares(d, 4, 4000 * MS, share);
		for (unsigned i = 0; i < 4; i++)
			assert_near(share[i], weight[i] * 1000 / 1892, 20);
		sim_end_all();
		sim_shutdown();
	}
}

static void three_equals_share_two_cpus(void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct domain *d[3];
		uint64_t share[3];

		boot(2, "credit2", seed);
		for (unsigned i = 0; i < 3; i++)
			d[i] = burner(1, 256);
		sim_run_for(200 * MS);
		shares(d, 3, 4000 * MS, share);
		for (unsigned i = 0; i < 3; i++)
			assert_near(share[i], 667, 20);
		sim_end_all();
		sim_shutdown();
	}
}

/* What a weight entitles to is cut at one CPU; the rest is for the others. */
static void a_heavy_one_gets_a_whole_cpu_at_most(void **state)
{
	static const uint64_t want[] = { 500, 500, 1000 };
	struct domain *d[3];
	uint64_t share[3];

	boot(2, "credit2", 1);
	d[0] = burner(1, 256);
	d[1] = burner(1, 256);
	d[2] = burner(1, 256 * 16);
	sim_run_for(1500 * MS);
	shares(d, 3, 4000 * MS, share);
	for (unsigned i = 0; i < 3; i++)
		assert_near(share[i], want[i], 20);
	sim_end_all();
	sim_shutdown();
}

static void a_light_one_gets_what_its_weight_is_worth(void **state)
{
	static const uint64_t want[] = { 61, 970, 970 };
	struct domain *d[3];
	uint64_t share[3];

	boot(2, "credit2", 1);
	d[0] = burner(1, 16);
	d[1] = burner(1, 256);
	d[2] = burner(1, 256);
	sim_run_for(1000 * MS);
	shares(d, 3, 6000 * MS, share);
	for (unsigned i = 0; i < 3; i++)
		assert_near(share[i], want[i], 20);
	sim_end_all();
	sim_shutdown();
}

static void five_on_four_cpus_are_treated_alike(void **state)
{
	struct domain *d[5];
	uint64_t share[5];

	boot(4, "credit2", 2);
	for (unsigned i = 0; i < 5; i++)
		d[i] = burner(1, 256);
	sim_run_for(500 * MS);
	shares(d, 5, 5000 * MS, share);
	for (unsigned i = 0; i < 5; i++)
		assert_near(share[i], 800, 30);
	sim_end_all();
	sim_shutdown();
}

static void a_new_weight_takes_effect(void **state)
{
	struct domain *d[2];
	uint64_t share[2];

	boot(1, "credit2", 1);
	d[0] = burner(1, 256);
	d[1] = burner(1, 256);
	shares(d, 2, 1000 * MS, share);
	assert_near(share[0], 500, 20);
	assert_int_equal(sched_set_weight(d[0], 768, 0), 0);
	shares(d, 2, 3000 * MS, share);
	assert_near(share[0], 750, 20);
	assert_int_equal(sched_set_weight(d[0], 0, 0), -EINVAL);
	assert_int_equal(sched_set_weight(d[0], 65536, 0), -EINVAL);
	assert_int_equal(sched_set_weight(d[0], 256, 50), -ENOSYS);
	sim_end_all();
	sim_shutdown();
}

static void nobody_starves_beside_extreme_weights(void **state)
{
	struct domain *d[4];
	uint64_t share[4];

	boot(1, "credit2", 1);
	d[0] = burner(1, 65535);
	d[1] = burner(1, 65535);
	d[2] = burner(1, 1);
	d[3] = burner(1, 256);
	shares(d, 4, 10000 * MS, share);
	assert_near(share[0], 498, 20);
	assert_near(share[1], 498, 20);
	assert_true(sched_cpu_time(d[2]->vcpu[0]) > 0);
	assert_true(sched_cpu_time(d[3]->vcpu[0]) > 6 * MS);
	sim_end_all();
	sim_shutdown();
}

/* Idle CPUs and waiting vCPUs do not go together. */
static void no_cpu_idles_while_somebody_waits(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct domain *d[4];
		uint64_t share[4];

		boot(4, "credit2", seed);
		for (unsigned i = 0; i < 4; i++)
			d[i] = burner(1, 256);
		sim_run_for(50 * MS);
		shares(d, 4, 500 * MS, share);
		for (unsigned i = 0; i < 4; i++)
			assert_near(share[i], 1000, 5);
		sim_end_all();
		sim_shutdown();
	}
}

/* ---- credit2: waking -------------------------------------------------------------------------------- */

static uint64_t woken, longest_wait;
static unsigned wakes;

static bool sleeper(struct vcpu *v, void *arg)
{
	uint64_t at;

	sim_guest_wait(v);
	at = __atomic_exchange_n(&woken, 0, __ATOMIC_SEQ_CST);
	if (at) {
		longest_wait = MAX(longest_wait, arch_time_ns() - at);
		wakes++;
	}
	return true;
}

static void take_upcall(struct vcpu *v, void *arg) {}

static void a_waking_vcpu_waits_for_the_ratelimit_at_most(void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct domain *d;

		boot(1, "credit2", seed);
		burner(3, 256);
		d = sim_domain(1, 8);
		sim_guest_set(d->vcpu[0], sleeper, take_upcall, NULL);
		sim_start(d);
		longest_wait = wakes = 0;
		woken = 0;
		for (unsigned i = 0; i < 50; i++) {
			sim_run_for(20 * MS + sim_random(MS));
			woken = arch_time_ns();
			arch_vcpu_raise_upcall(d->vcpu[0]);
			vcpu_kick(d->vcpu[0]);
		}
		sim_run_for(20 * MS);
		assert_int_equal(wakes, 50);
		/* One millisecond of rate limit and a few steps of the clock. */
		if (longest_wait > 1300000)
			sim_fail("waited for %llu ns", (unsigned long long)longest_wait);
		sim_end_all();
		sim_shutdown();
	}
}

static bool wake_the_other(struct vcpu *v, void *arg)
{
	if (sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1) == 0)
		sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_up, 1);
	return burn(v, arg);
}

static bool go_down_once(struct vcpu *v, void *arg)
{
	if (!wakes++)
		sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_down, 1);
	return burn(v, arg);
}

/* Who wakes another one on its own CPU keeps the CPU, but not for ever. */
static void a_waker_gives_the_cpu_away_in_time(void **state)
{
	struct domain *d;
	uint64_t before;

	boot(1, "credit2", 1);
	wakes = 0;
	d = sim_domain(2, 8);
	sim_guest_set(d->vcpu[0], wake_the_other, NULL, NULL);
	sim_guest_set(d->vcpu[1], go_down_once, NULL, NULL);
	sim_start(d);
	sim_run_for(100 * MS);
	before = sched_cpu_time(d->vcpu[1]);
	sim_run_for(500 * MS);
	assert_true(wakes > 1);
	assert_near((sched_cpu_time(d->vcpu[1]) - before) / MS, 250, 20);
	sim_end_all();
	sim_shutdown();
}

/* Sleeping does not save up time: after a long sleep the shares are equal again at once. */
static void a_sleeper_cannot_hoard(void **state)
{
	struct domain *d[2];
	uint64_t share[2];

	boot(1, "credit2", 1);
	d[0] = burner(1, 256);
	d[1] = burner(1, 256);
	domain_pause(d[1]);
	sim_run_for(3000 * MS);
	domain_unpause(d[1]);
	shares(d, 2, 500 * MS, share);
	assert_near(share[0], 500, 20);
	sim_end_all();
	sim_shutdown();
}

static bool yielder(struct vcpu *v, void *arg)
{
	sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	return true;
}

static void yielding_lets_equals_go_first(void **state)
{
	struct domain *d[2];
	uint64_t share[2];

	boot(1, "credit2", 1);
	d[0] = burner(1, 256);
	d[1] = sim_domain(1, 8);
	sim_guest_set(d[1]->vcpu[0], yielder, NULL, NULL);
	sim_start(d[1]);
	shares(d, 2, 500 * MS, share);
	assert_true(share[0] > 900);
	assert_true(share[1] > 0);
	sim_end_all();
	sim_shutdown();
}

/* ---- affinity ------------------------------------------------------------------------------------------- */

static struct cpuset allowed[16]; /* by vCPU */
static unsigned seen[16][4];

static bool check_place(struct vcpu *v, void *arg)
{
	unsigned cpu = this_cpu()->id;

	seen[v->id][cpu]++;
	if (!cpuset_has(&allowed[v->id], cpu))
		sim_fail("vCPU %u runs on CPU %u", v->id, cpu);
	sim_guest_pause(v);
	return true;
}

static void hard_affinity_is_never_violated(const char *sched, unsigned vcpus)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct domain *d;

		boot(4, sched, seed);
		memset(seen, 0, sizeof(seen));
		d = sim_domain(vcpus, 16);
		for (unsigned i = 0; i < vcpus; i++) {
			sim_guest_set(d->vcpu[i], check_place, NULL, NULL);
			cpuset_set_all(&allowed[i]);
		}
		sim_start(d);
		for (unsigned round = 0; round < 60; round++) {
			unsigned i = (unsigned)sim_random(vcpus);

			sim_run_for(1 + sim_random(8 * MS));
			/* All CPUs stand between two guest instructions: the next one must obey. */
			allowed[i] = cpus(1 + sim_random(15));
			assert_int_equal(sched_set_affinity(d->vcpu[i], &allowed[i], NULL), 0);
		}
		for (unsigned i = 0; i < vcpus; i++) {
			cpuset_set_all(&allowed[i]);
			assert_int_equal(sched_set_affinity(d->vcpu[i], &allowed[i], NULL), 0);
		}
		memset(seen, 0, sizeof(seen));
		sim_run_for(300 * MS);
		for (unsigned i = 0; i < vcpus; i++)
			assert_true(seen[i][0] + seen[i][1] + seen[i][2] + seen[i][3] > 0);
		sim_end_all();
		sim_shutdown();
	}
}

static void credit2_obeys_hard_affinity(void **state)
{
	hard_affinity_is_never_violated("credit2", 7);
}

static void null_obeys_hard_affinity(void **state)
{
	hard_affinity_is_never_violated("null", 4);
}

static void pinned_ones_share_their_cpu(void **state)
{
	struct domain *d[4];
	uint64_t share[4];
	struct cpuset one = cpus(2), none = cpus(0x100);

	boot(2, "credit2", 1);
	for (unsigned i = 0; i < 4; i++) {
		d[i] = burner(1, 256);
		if (i < 3)
			assert_int_equal(sched_set_affinity(d[i]->vcpu[0], &one, NULL), 0);
	}
	sim_run_for(100 * MS);
	shares(d, 4, 2000 * MS, share);
	for (unsigned i = 0; i < 3; i++)
		assert_near(share[i], 333, 20);
	assert_near(share[3], 1000, 5);
	assert_int_equal(sched_set_affinity(d[0]->vcpu[0], &none, NULL), -EINVAL);
	assert_int_equal(reason_last()->id, R_NO_CPU_IN_AFFINITY);
	sim_end_all();
	sim_shutdown();
}

/* Units that could not go elsewhere and fell behind are not paid back at the expense of one that moved. */
static void a_crowd_set_free_is_treated_alike(void **state)
{
	struct cpuset one = cpus(2), both = cpus(3);
	struct domain *d[5];
	uint64_t share[5];

	boot(2, "credit2", 1);
	for (unsigned i = 0; i < 5; i++) {
		d[i] = burner(1, 256);
		if (i)
			assert_int_equal(sched_set_affinity(d[i]->vcpu[0], &one, NULL), 0);
	}
	shares(d, 5, 6000 * MS, share);
	assert_near(share[0], 1000, 10);
	for (unsigned i = 1; i < 5; i++) {
		assert_near(share[i], 250, 20);
		assert_int_equal(sched_set_affinity(d[i]->vcpu[0], &both, NULL), 0);
	}
	sim_run_for(2000 * MS);
	shares(d, 5, 2000 * MS, share);
	for (unsigned i = 0; i < 5; i++)
		assert_near(share[i], 400, 20);
	sim_end_all();
	sim_shutdown();
}

static void soft_affinity_is_preferred(void **state)
{
	struct cpuset two = cpus(4), all;
	struct domain *d;
	unsigned total;

	boot(4, "credit2", 1);
	memset(seen, 0, sizeof(seen));
	cpuset_set_all(&all);
	allowed[0] = all;
	d = sim_domain(1, 8);
	sim_guest_set(d->vcpu[0], check_place, NULL, NULL);
	sim_start(d);
	assert_int_equal(sched_set_affinity(d->vcpu[0], &all, &two), 0);
	for (unsigned i = 0; i < 20; i++) {
		domain_pause(d);
		sim_run_for(MS);
		domain_unpause(d);
		sim_run_for(2 * MS);
	}
	total = seen[0][0] + seen[0][1] + seen[0][2] + seen[0][3];
	assert_true(seen[0][2] * 10 > total * 9);
	sim_end_all();
	sim_shutdown();
}

static unsigned last_cpu;

static bool sleep_and_say_where(struct vcpu *v, void *arg)
{
	sim_guest_wait(v);
	last_cpu = this_cpu()->id;
	return true;
}

/* The idle CPU where it blocked still has its registers, and has to be told to give them up. */
static void a_loaded_vcpu_can_wake_elsewhere(void **state)
{
	struct cpuset all;
	struct domain *d;

	boot(4, "credit2", 1);
	cpuset_set_all(&all);
	d = sim_domain(1, 8);
	sim_guest_set(d->vcpu[0], sleep_and_say_where, take_upcall, NULL);
	sim_start(d);
	sim_run_for(MS);
	for (unsigned i = 0; i < 12; i++) {
		unsigned cpu = i * 3 % 4;
		struct cpuset one = cpus(1u << cpu);

		assert_int_equal(vcpu_state(d->vcpu[0]), VCPU_BLOCKED);
		assert_non_null(d->vcpu[0]->unit->held);
		assert_int_equal(sched_set_affinity(d->vcpu[0], &all, &one), 0);
		arch_vcpu_raise_upcall(d->vcpu[0]);
		vcpu_kick(d->vcpu[0]);
		sim_run_for(MS);
		assert_int_equal(last_cpu, cpu);
	}
	sim_end_all();
	sim_shutdown();
}

static void only_who_may_not_run_leaves_the_queue(void **state)
{
	struct domain *d[3];

	boot(1, "credit2", 1);
	for (unsigned i = 0; i < 3; i++)
		d[i] = burner(1, 256);
	sim_run_for(20 * MS);
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu *v = d[i]->vcpu[0];

		if (!v->unit->queued)
			continue;
		/* As when somebody else brought it up again between the state's change and the call. */
		sched_sleep(v);
		assert_true(v->unit->queued);
		vcpu_pause(v);
		assert_false(v->unit->queued);
		assert_true(vcpu_off_cpu(v));
		vcpu_unpause(v);
		assert_true(v->unit->queued);
	}
	sim_end_all();
	sim_shutdown();
}

/* ---- null ------------------------------------------------------------------------------------------------ */

static void null_gives_each_a_cpu_of_its_own(void **state)
{
	struct domain *d[3];
	uint64_t share[3];
	struct cpu *home;

	boot(2, "null", 1);
	options_parse("");
	for (unsigned i = 0; i < 3; i++)
		d[i] = burner(1, 256);
	assert_true(sim_console_has("d3v0 waits: sched=null"));
	assert_false(sim_console_has("d2v0 waits"));
	sim_run_for(10 * MS);
	shares(d, 3, 200 * MS, share);
	assert_near(share[0], 1000, 2);
	assert_near(share[1], 1000, 2);
	assert_int_equal(share[2], 0);
	assert_ptr_not_equal(d[0]->vcpu[0]->cpu, d[1]->vcpu[0]->cpu);
	/* A place comes free: the one that waits gets it. */
	home = d[0]->vcpu[0]->cpu;
	sim_end(d[0]);
	sim_run_for(10 * MS);
	shares(d + 1, 2, 200 * MS, share);
	assert_near(share[0], 1000, 2);
	assert_near(share[1], 1000, 2);
	assert_ptr_equal(d[2]->vcpu[0]->cpu, home);
	sim_end_all();
	sim_shutdown();
}

/* ---- everything at once ------------------------------------------------------------------------------------- */

static void unknown_policies_are_refused(void **state)
{
	sim_boot(1, 32 << 20, 1);
	assert_int_equal(sched_init("sedf"), -EINVAL);
	assert_int_equal(reason_last()->id, R_UNKNOWN_SCHEDULER);
	assert_string_equal(sched_policy()->name, "credit2");
	sim_shutdown();
}

static void time_is_accounted_whole(void **state)
{
	struct domain *d[3];

	boot(1, "credit2", 1);
	for (unsigned i = 0; i < 3; i++)
		d[i] = burner(1, 256);
	sim_run_for(500 * MS);
	domain_pause(d[1]);
	sim_run_for(500 * MS);
	domain_unpause(d[1]);
	sim_run_for(200 * MS);
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu_runstate_info r;
		uint64_t before, sum = 0, start;

		start = arch_time_ns();
		vcpu_runstate(d[i]->vcpu[0], &r);
		before = r.time[0] + r.time[1] + r.time[2] + r.time[3];
		sim_run_for(100 * MS);
		vcpu_runstate(d[i]->vcpu[0], &r);
		for (unsigned k = 0; k < 4; k++)
			sum += r.time[k];
		assert_near(sum - before, arch_time_ns() - start, 1000);
	}
	sim_end_all();
	sim_shutdown();
}

static unsigned progress[16]; /* [a] by vCPU */

static bool waits_and_works(struct vcpu *v, void *arg)
{
	__atomic_add_fetch(&progress[v->id], 1, __ATOMIC_SEQ_CST);
	if (progress[v->id] % 3 == 0)
		sim_guest_wait(v);
	else if (progress[v->id] % 3 == 1)
		sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield);
	else
		sim_guest_pause(v);
	return true;
}

/* On a CPU, inside the hypervisor, while the others go on. */
static struct domain *victim;
static unsigned rounds_left[4], done;

static void disturb(void *arg)
{
	unsigned cpu = this_cpu()->id;
	static unsigned r[4];
	struct vcpu *v;
	struct cpuset s;

	r[cpu] = r[cpu] * 1103515245 + 12345 + cpu;
	v = victim->vcpu[r[cpu] / 65536 % victim->max_vcpus];
	s = cpus(1 + r[cpu] / 1024 % 15);
	switch (r[cpu] / 4096 % 6) {
	case 0:
		arch_vcpu_raise_upcall(v);
		vcpu_kick(v);
		break;
	case 1:
		vcpu_pause(v);
		vcpu_unpause(v);
		break;
	case 2:
		domain_pause(victim);
		domain_unpause(victim);
		break;
	case 3: (void)!sched_set_affinity(v, &s, NULL); break;
	default: (void)!sched_set_weight(victim, 1 + r[cpu] % 1000, 0); break;
	}
	if (--rounds_left[cpu])
		sim_on_cpu(cpu, disturb, NULL);
	else
		__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static bool all_done(void *arg)
{
	return __atomic_load_n(&done, __ATOMIC_SEQ_CST) == 4;
}

static bool all_progressed(void *arg)
{
	const unsigned *from = arg;

	for (unsigned i = 0; i < victim->max_vcpus; i++)
		if (__atomic_load_n(&progress[i], __ATOMIC_SEQ_CST) == from[i])
			return false;
	return true;
}

#ifdef HV_TSAN
#define SEEDS 3u
#else
#define SEEDS 150u
#endif

/* Wakes, pauses, affinities and weights change on all CPUs at once; afterwards every vCPU still runs when woken. */
static void no_wake_up_is_lost(const char *sched, unsigned vcpus)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sim_config cfg = {
			.cpus = 4,
			.memory = 64 << 20,
			.seed = seed,
			.sched = sched,
			.step_ns = 2000,
		};
		struct cpuset all;
		unsigned from[16];
		struct vcpu *v;

		sim_boot_config(&cfg);
		memset(progress, 0, sizeof(progress));
		victim = sim_domain(vcpus, 16);
		domain_for_each_vcpu(v, victim)
		    sim_guest_set(v, waits_and_works, take_upcall, NULL);
		sim_start(victim);
		done = 0;
		for (unsigned c = 0; c < 4; c++) {
			rounds_left[c] = 100;
			sim_on_cpu(c, disturb, NULL);
		}
		assert_true(sim_run(all_done, NULL));
		cpuset_set_all(&all);
		for (unsigned i = 0; i < vcpus; i++) {
			from[i] = __atomic_load_n(&progress[i], __ATOMIC_SEQ_CST);
			assert_int_equal(sched_set_affinity(victim->vcpu[i], &all, NULL), 0);
		}
		/* A guest may take the interrupt just before it waits: then it is the second one that wakes it. */
		for (unsigned round = 0; round < 2; round++) {
			domain_for_each_vcpu(v, victim)
			{
				arch_vcpu_raise_upcall(v);
				vcpu_kick(v);
			}
			(void)sim_run(all_progressed, from);
		}
		assert_true(all_progressed(from));
		sim_end_all();
		sim_shutdown();
	}
}

static void credit2_loses_no_wake_up(void **state)
{
	no_wake_up_is_lost("credit2", 7);
}

static void null_loses_no_wake_up(void **state)
{
	no_wake_up_is_lost("null", 4);
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(shares_follow_weights_on_one_cpu),
		cmocka_unit_test(three_equals_share_two_cpus),
		cmocka_unit_test(a_heavy_one_gets_a_whole_cpu_at_most),
		cmocka_unit_test(a_light_one_gets_what_its_weight_is_worth),
		cmocka_unit_test(five_on_four_cpus_are_treated_alike),
		cmocka_unit_test(a_new_weight_takes_effect),
		cmocka_unit_test(nobody_starves_beside_extreme_weights),
		cmocka_unit_test(no_cpu_idles_while_somebody_waits),
		cmocka_unit_test(a_waking_vcpu_waits_for_the_ratelimit_at_most),
		cmocka_unit_test(a_waker_gives_the_cpu_away_in_time),
		cmocka_unit_test(a_sleeper_cannot_hoard),
		cmocka_unit_test(yielding_lets_equals_go_first),
		cmocka_unit_test(credit2_obeys_hard_affinity),
		cmocka_unit_test(null_obeys_hard_affinity),
		cmocka_unit_test(pinned_ones_share_their_cpu),
		cmocka_unit_test(a_crowd_set_free_is_treated_alike),
		cmocka_unit_test(soft_affinity_is_preferred),
		cmocka_unit_test(a_loaded_vcpu_can_wake_elsewhere),
		cmocka_unit_test(only_who_may_not_run_leaves_the_queue),
		cmocka_unit_test(null_gives_each_a_cpu_of_its_own),
		cmocka_unit_test(unknown_policies_are_refused),
		cmocka_unit_test(time_is_accounted_whole),
	};
	const struct CMUnitTest on_threads_too[] = {
		cmocka_unit_test(credit2_loses_no_wake_up),
		cmocka_unit_test(null_loses_no_wake_up),
	};

	return sim_run_tests(alone, on_threads_too);
}
