/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The full machine: CPUs with their loop between guest instructions, runs, shutdown. CPU 0's loop is
 * sim_run(), called by the test on its own stack; the others have theirs for as long as the machine
 * lives and stand still between runs.
 */
#include "internal.h"

#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/sched.h>
#include <hv/softirq.h>

void boot_common_part(const struct sim_config *cfg);
extern struct console_device sim_console_device;

static void check_nothing_held(const struct sim_cpu *c)
{
	if (c->cpu->nr_held)
		sim_fail("cpu%u leaves the hypervisor with %u locks held (the last of rank %u)",
			 c->id, c->cpu->nr_held, c->cpu->held[c->cpu->nr_held - 1]->rank);
}

static bool run_job(struct sim_cpu *c)
{
	struct job *first = c->jobs, j;

	if (!first)
		return false;
	c->jobs = first->next;
	if (!c->jobs)
		c->jobs_tail = &c->jobs;
	j = *first;
	free(first);
	j.fn(j.arg);
	return true;
}

static void idle(struct sim_cpu *c)
{
	store_release(&c->cpu->mode, (uint32_t)CPU_IDLE);
	atomic_fence();
	if (!read_once(&c->cpu->softirqs) && !c->jobs && !cpu_interrupted(c))
		arch_cpu_idle();
	store_release(&c->cpu->mode, (uint32_t)CPU_HYPERVISOR);
	atomic_fence(); /* before anything shared is read: RCU did not wait for us */
}

/* Once round between two guest instructions. */
static void turn(struct sim_cpu *c)
{
	check_nothing_held(c);
	cpu_take_interrupts(c);
	sim_switch_point();
	if (read_once(&c->cpu->softirqs))
		softirq_run();
	check_nothing_held(c);
	if (run_job(c))
		return;
	if (c->cpu->idle)
		idle(c);
	else
		guest_enter(c, c->cpu->current);
	check_nothing_held(c);
}

static void cpu_loop(void *arg)
{
	struct sim_cpu *c = arg;

	cpu_online(c->cpu);
	for (;;) {
		if (__atomic_load_n(&sim.stopping, __ATOMIC_ACQUIRE))
			engine_park();
		else
			turn(c);
	}
}

/* On real threads time is the host's, which has other work. */
#ifdef HV_TSAN
#define PATIENCE 100u
#else
#define PATIENCE 1u
#endif

/* ---- before and after -------------------------------------------------------------------------------- */

static bool domains_gone(void *arg)
{
	return domain_first() == NULL;
}

static bool all_dying(void)
{
	for (struct domain *d = domain_first(); d; d = domain_next(d))
		if (!d->dying)
			return false;
	return true;
}

static void check_end(void)
{
	uint64_t free_now;

	/* Destructions that were only asked for begin. */
	for (unsigned i = 0; i < 200 * PATIENCE && !all_dying(); i++)
		sim_run_for(1000000);
	for (struct domain *d = domain_first(); d; d = domain_next(d))
		if (!d->dying)
			sim_fail("d%u still exists at the end", d->id);
	sim_run(domains_gone, NULL);
	/* What waits for a grace period. */
	for (unsigned i = 0; i < 4 * PATIENCE && sim_unused_frames() != sim.start_free; i++)
		sim_run_for(100000000);
	if (domain_first())
		sim_fail("d%u does not end", domain_first()->id);
	free_now = sim_unused_frames();
	if (free_now != sim.start_free)
		sim_fail("%lld frames are lost (%llu were free, %llu are)",
			 (long long)(sim.start_free - free_now), (unsigned long long)sim.start_free,
			 (unsigned long long)free_now);
}

/*
 * Some frames are taken once and kept: the table of domain ids. A creation that fails late takes
 * them, so that the frames at the end can be compared with those at the start.
 */
static void warm_up(void)
{
	struct domain_config cfg = { .max_vcpus = 1, .max_evtchn = 2, .node = ALLOC_ANY_NODE };
	struct domain *d;

	sim_fail_alloc(2);
	if (!domain_create(1, &cfg, &d))
		sim_fail("the injected failure did not strike");
	sim_fail_alloc(0);
}

/* ---- boot ---------------------------------------------------------------------------------------- */

static void add_cpu(unsigned i)
{
	struct cpu *area = cpu_area_create(i * sim.cfg.nodes / sim.cfg.cpus);
	struct sim_cpu *c = &sim.cpu[i];

	if (!area)
		sim_fail("no memory for the area of cpu%u", i);
	area->arch.sim = c;
	area->mode = CPU_HYPERVISOR;
	c->cpu = area;
}

static void between_restarts(void)
{
	if (!sim.running && read_once(&this_cpu()->softirqs) & ~(1u << SOFTIRQ_SCHEDULE))
		softirq_run();
}

void sim_boot_config(const struct sim_config *cfg)
{
	boot_common_part(cfg);
	sim.exit_path = between_restarts;
	console_attach(&sim_console_device);
	add_cpu(0);
	if (sched_init(sim.cfg.sched))
		sim_fail("no scheduler %s", sim.cfg.sched);
	cpu_online(sim.cpu[0].cpu);
	for (unsigned i = 1; i < sim.cfg.cpus; i++) {
		add_cpu(i);
		engine_start_cpu(&sim.cpu[i], cpu_loop);
		sim.nr_cpus++;
	}
	/* All online before the test looks. */
	sim_run(NULL, NULL);
	warm_up();
	sim.start_free = sim_unused_frames();
	sim.check_end = check_end;
}

void sim_boot(unsigned cpus, uint64_t memory, uint64_t seed)
{
	struct sim_config cfg = { .cpus = cpus, .memory = memory, .seed = seed };

	sim_boot_config(&cfg);
}

/* ---- runs ---------------------------------------------------------------------------------------- */

static bool run_is_over(void)
{
	if (read_once(&sim.end) != SIM_RUNNING || sim.quiet)
		return true;
	return arch_time_ns() >= sim.run_end || (sim.done && sim.done(sim.done_arg));
}

static void run(void)
{
	struct sim_cpu *c = &sim.cpu[0];

	if (sim.bare)
		sim_fail("a bare machine does not run: sim_boot()");
	if (sim_cpu_now() != c || sim_in_guest() || sim.running)
		sim_fail("sim_run() is for the test, between runs");
	sim_as(NULL);
	c->cpu->idle = sim.test_idle;
	sim.steps_at_run = sim.steps;
	engine_go();
	while (!run_is_over())
		turn(c);
	engine_stop();
	/* The test is nobody's vCPU. */
	sim.test_idle = c->cpu->idle;
	c->cpu->idle = true;
}

bool sim_run(bool (*done)(void *arg), void *arg)
{
	bool ok;

	sim.done = done;
	sim.done_arg = arg;
	run();
	ok = done && done(arg);
	sim.done = NULL;
	return ok;
}

void sim_run_for(uint64_t ns)
{
	sim.run_end = arch_time_ns() + ns;
	run();
	sim.run_end = NEVER;
}

void sim_type(const char *s)
{
	console_type(s);
	console_interrupt();
}

void sim_on_cpu(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct job *j = malloc(sizeof(*j));

	if (!j || cpu >= sim.nr_cpus)
		sim_fail("there is no cpu%u", cpu);
	*j = (struct job){ .fn = fn, .arg = arg };
	*sim.cpu[cpu].jobs_tail = j;
	sim.cpu[cpu].jobs_tail = &j->next;
}
