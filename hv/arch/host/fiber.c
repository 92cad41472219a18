/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deterministic engine: one thread, a stack for each CPU, and a seed that says at each switch point who
 * goes on. thread.c is the same on real threads. Everything runs on it; its state is struct sim.
 */
#ifndef HV_TSAN
#include "internal.h"

#include <arch/cpu.h>
#include <arch/timer.h>

struct sim_cpu *sim_current;
static struct stack main_stack;

struct sim_cpu *sim_cpu_now(void)
{
	return sim_current;
}

struct cpu *this_cpu(void)
{
	return sim_current ? sim_current->cpu : NULL;
}

/* splitmix64 */
static uint64_t random64(void)
{
	uint64_t z = sim.rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t sim_random(uint64_t n)
{
	return random64() % n;
}

void sim_trace(uint64_t what, uint64_t a, uint64_t b)
{
	static int print = -1;
	uint64_t h = sim.hash;

	if (print < 0)
		print = getenv("SIM_TRACE") != NULL;
	if (print)
		fprintf(stderr, "sim: %10llu cpu%u %llu: %llx %llx\n", (unsigned long long)sim.now,
			sim_current ? sim_current->id : 0, (unsigned long long)what,
			(unsigned long long)a, (unsigned long long)b);
	h = (h ^ what) * 0x100000001b3ull;
	h = (h ^ a) * 0x100000001b3ull;
	h = (h ^ b) * 0x100000001b3ull;
	sim.hash = (h ^ sim.now) * 0x100000001b3ull + (sim_current ? sim_current->id : 0);
}

uint64_t arch_time_ns(void)
{
	return sim.now;
}

void engine_advance(uint64_t ns)
{
	if (ns > sim.now)
		sim.now = ns;
}

/* ---- who is next ------------------------------------------------------------------------------ */

static bool runnable(const struct sim_cpu *c)
{
	switch (c->state) {
	case SIM_ON: return true;
	case SIM_IDLE:
		/* Not by a raised softirq: whoever raises it for a CPU that is idle kicks it. */
		return sim.stopping || c->jobs || cpu_interrupted(c) ||
		       (c->id == 0 && (sim.quiet || (sim.done && sim.done(sim.done_arg)) ||
				       sim.now >= sim.run_end));
	case SIM_LOCKED_OUT: return *c->owner == c->ticket;
	default: return false;
	}
}

static void report_cpus(void)
{
	for (unsigned i = 0; i < sim.nr_cpus; i++)
		fprintf(stderr, "sim: cpu%u state %u mode %u softirqs %x holds %u locks\n", i,
			sim.cpu[i].state, sim.cpu[i].cpu->mode, sim.cpu[i].cpu->softirqs,
			sim.cpu[i].cpu->nr_held);
}

/* Nobody can run: move the clock to the next thing that comes by itself. */
static void pass_time(void)
{
	uint64_t next = sim.run_end;
	bool waiting = false;

	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		/* sim_run(NULL) ends when only timers are left. */
		next = MIN(next, cpu_next_event(&sim.cpu[i], sim.done || sim.run_end != NEVER));
		waiting |= sim.cpu[i].state == SIM_LOCKED_OUT;
	}
	if (next != NEVER) {
		engine_advance(next);
		return;
	}
	if (waiting) {
		report_cpus();
		sim_fail("deadlock: a CPU waits for a lock and nothing else can happen");
	}
	sim.quiet = true;
}

static struct sim_cpu *choose(void)
{
	struct sim_cpu *ready[SIM_MAX_CPUS], *stalled = NULL;
	unsigned n = 0;

	for (;;) {
		for (unsigned i = 0; i < sim.nr_cpus; i++) {
			struct sim_cpu *c = &sim.cpu[i];

			if (!runnable(c))
				continue;
			if (c->stalled_until > sim.steps)
				stalled = c;
			else
				ready[n++] = c;
		}
		if (n)
			return ready[n == 1 ? 0 : sim_random(n)];
		if (stalled)
			return stalled;
		pass_time();
	}
}

/* What is looked at while choosing (the test's condition) must not switch itself. */
static struct sim_cpu *pick(void)
{
	struct sim_cpu *c;

	sim.choosing = true;
	c = choose();
	sim.choosing = false;
	return c;
}

/*
 * Now and then a CPU stands still for long, wherever it is: as one does whose memory is slow, or
 * which firmware has taken. Only then do others get far enough to free what it is looking at.
 */
static void maybe_stall(struct sim_cpu *c)
{
	if (sim.stalls && sim_random(sim.stalls) == 0)
		c->stalled_until = sim.steps + sim_random(20000);
}

static void go(struct sim_cpu *next)
{
	struct sim_cpu *me = sim_current;

	if (next == me)
		return;
	sim_trace('s', next->id, 0);
	sim_current = next;
	stack_switch(me->on, next->on);
}

static void step(void)
{
	if (!sim.cfg.clock_stands)
		sim.now += 1 + sim_random(sim.step_ns);
	if (++sim.steps - sim.steps_at_run > sim.cfg.max_steps) {
		report_cpus();
		sim_fail("no end after %llu switch points", (unsigned long long)sim.cfg.max_steps);
	}
	if (sim.spurious && sim.running && sim_random(sim.spurious) == 0)
		arch_cpu_kick(sim.cpu[sim_random(sim.nr_cpus)].cpu);
}

void sim_switch_point(void)
{
	if (!sim_current || !sim.booted || sim.choosing)
		return;
	if (!sim.running) {
		if (!sim.cfg.clock_stands)
			sim.now += 1;
		return;
	}
	step();
	maybe_stall(sim_current);
	if (sim_current->stalled_until > sim.steps || sim_random(sim.switching) == 0)
		go(pick());
}

void arch_cpu_relax(void)
{
	sim_switch_point();
}

void arch_lock_wait(const uint16_t *owner, uint16_t ticket)
{
	struct sim_cpu *me = sim_current;

	if (!sim.running)
		sim_fail("the test waits for a lock that nobody will release");
	me->owner = owner;
	me->ticket = ticket;
	me->state = SIM_LOCKED_OUT;
	step();
	go(pick());
	me->state = SIM_ON;
}

void arch_lock_released(void)
{
	sim_switch_point();
}

void arch_cpu_idle(void)
{
	struct sim_cpu *me = sim_current;

	if (me->cpu->softirqs)
		return;
	me->state = SIM_IDLE;
	go(pick());
	me->state = SIM_ON;
}

/* ---- starting and stopping --------------------------------------------------------------------- */

void engine_boot(void)
{
	struct sim_cpu *c = &sim.cpu[0];

	main_stack = (struct stack){ .base = main_stack.base,
				     .size = main_stack.size,
				     .fake = main_stack.fake };
	c->stack = c->on = &main_stack;
	sim_current = c;
}

void engine_start_cpu(struct sim_cpu *c, void (*fn)(void *arg))
{
	c->stack = c->on = stack_new(fn, c);
	c->state = SIM_PARKED;
}

void engine_park(void)
{
	struct sim_cpu *me = sim_current;

	me->state = SIM_PARKED;
	go(pick());
	me->state = SIM_ON;
}

void engine_go(void)
{
	for (unsigned i = 0; i < sim.nr_cpus; i++)
		sim.cpu[i].state = SIM_ON;
	sim.quiet = false;
	sim.running = true;
}

void engine_stop(void)
{
	bool all;

	sim.stopping = true;
	do {
		all = true;
		for (unsigned i = 1; i < sim.nr_cpus; i++)
			all &= sim.cpu[i].state == SIM_PARKED;
		if (!all) {
			step();
			go(pick());
		}
	} while (!all);
	sim.stopping = sim.running = false;
}

void engine_end(void)
{
	for (unsigned i = 1; i < sim.nr_cpus; i++)
		stack_free(sim.cpu[i].stack);
	sim_current = NULL;
}

void engine_panic(void)
{
	struct sim_cpu *me = sim_current;

	sim.panicked = true;
	if (me && me->on != &main_stack) {
		sim_current = &sim.cpu[0];
		stack_switch(me->on, &main_stack);
	}
	longjmp(sim.panic_jmp, 1);
}

#endif
