/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on real threads, for ThreadSanitizer: each CPU is one, CPU 0 the test's. Time is real, the order is
 * the host's; between runs all but CPU 0 wait on a condition. fiber.c is the deterministic one.
 */
#ifdef HV_TSAN
#include "internal.h"

#include <arch/cpu.h>
#include <arch/timer.h>
#undef sched_yield /* the build renames core's */
#include <pthread.h>
#include <sanitizer/tsan_interface.h>
#include <time.h>

#define RUN_LIMIT_NS (120ull * 1000000000)

__thread struct sim_cpu *sim_current;
static __thread uint64_t rng;

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static uint64_t generation; /* [gate] of runs */
static bool quit;           /* [gate] */
static unsigned parked;     /* [gate] threads that stand still */
static pthread_t thread[SIM_MAX_CPUS];
static struct stack own_stack[SIM_MAX_CPUS];
static void (*start_fn[SIM_MAX_CPUS])(void *arg);
static uint64_t advanced, started, run_began;
static uint64_t wakes; /* [a] how often CPUs have left arch_cpu_idle() */

__attribute__((noinline)) struct sim_cpu *sim_cpu_now(void)
{
	return *(struct sim_cpu *volatile *)&sim_current;
}

__attribute__((noinline)) struct cpu *this_cpu(void)
{
	struct sim_cpu *c = sim_cpu_now();

	return c ? c->cpu : NULL;
}

__attribute__((noinline)) uint64_t sim_random(uint64_t n)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) % n;
}

void sim_trace(uint64_t what, uint64_t a, uint64_t b) {}

static uint64_t host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t arch_time_ns(void)
{
	return host_ns() - started + __atomic_load_n(&advanced, __ATOMIC_SEQ_CST);
}

void engine_advance(uint64_t ns)
{
	uint64_t now = arch_time_ns();

	if (ns > now)
		__atomic_fetch_add(&advanced, ns - now, __ATOMIC_SEQ_CST);
}

static void let_others(void)
{
	sched_yield(); /* the C library's */
}

void sim_switch_point(void)
{
	if (sim_cpu_now() && sim_random(64) == 0)
		let_others();
}

void arch_cpu_relax(void)
{
	let_others();
}

void arch_lock_wait(const uint16_t *owner, uint16_t ticket)
{
	let_others();
}

void arch_lock_released(void)
{
	sim_switch_point();
}

/* ---- idle ---------------------------------------------------------------------------------------- */

static bool all_idle(void)
{
	for (unsigned i = 0; i < sim.nr_cpus; i++) {
		struct sim_cpu *c = &sim.cpu[i];

		if (load_acquire(&c->state) != SIM_IDLE || read_once(&c->cpu->softirqs) ||
		    cpu_next_event(c, sim.done || sim.run_end != NEVER) != NEVER)
			return false;
	}
	return true;
}

static void nap(void)
{
	struct timespec t = { 0, 20000 };

	nanosleep(&t, NULL);
}

/*
 * Nothing can happen by itself any more. Looked at by CPU 0, while it is idle itself. CPUs that take turns in waking each other may
 * look idle one after the other: none may have gone on between the first look at it and the second.
 */
static bool nothing_left(void)
{
	uint64_t before = __atomic_load_n(&wakes, __ATOMIC_SEQ_CST);

	if (!all_idle())
		return false;
	nap();
	return all_idle() && __atomic_load_n(&wakes, __ATOMIC_SEQ_CST) == before;
}

void arch_cpu_idle(void)
{
	struct sim_cpu *c = sim_cpu_now();

	if (read_once(&c->cpu->softirqs))
		return;
	store_release(&c->state, (uint32_t)SIM_IDLE);
	while (!cpu_interrupted(c)) {
		if (c->id == 0) {
			if (sim.done && sim.done(sim.done_arg))
				break;
			if (arch_time_ns() >= sim.run_end)
				break;
			if (sim.run_end == NEVER && nothing_left()) {
				sim.quiet = true;
				break;
			}
			if (host_ns() - run_began > RUN_LIMIT_NS)
				sim_fail("no end after two minutes");
		}
		nap();
	}
	__atomic_fetch_add(&wakes, 1, __ATOMIC_SEQ_CST); /* before it is seen to go on */
	store_release(&c->state, (uint32_t)SIM_ON);
}

/* ---- starting and stopping ------------------------------------------------------------------------ */

void engine_boot(void)
{
	struct sim_cpu *c = &sim.cpu[0];

	started = host_ns();
	advanced = 1000;
	rng = sim.seed;
	quit = false;
	parked = 0;
	own_stack[0].fiber = __tsan_get_current_fiber();
	c->stack = c->on = &own_stack[0];
	sim_current = c;
}

/* With the gate locked; returns so, in the next run. */
static void wait_for_run(void)
{
	uint64_t g = generation;

	parked++;
	pthread_cond_broadcast(&gate_moved);
	while (generation == g && !quit)
		pthread_cond_wait(&gate_moved, &gate);
	if (quit) {
		pthread_mutex_unlock(&gate);
		pthread_exit(NULL);
	}
}

void engine_park(void)
{
	struct sim_cpu *c = sim_cpu_now();

	pthread_mutex_lock(&gate);
	store_release(&c->state, (uint32_t)SIM_PARKED);
	wait_for_run();
	store_release(&c->state, (uint32_t)SIM_ON);
	pthread_mutex_unlock(&gate);
}

static void *cpu_thread(void *arg)
{
	struct sim_cpu *c = arg;

	rng = sim.seed * 1000 + c->id;
	sim_current = c;
	own_stack[c->id].fiber = __tsan_get_current_fiber();
	c->stack = c->on = &own_stack[c->id];
	engine_park();
	start_fn[c->id](c);
	return NULL;
}

void engine_start_cpu(struct sim_cpu *c, void (*fn)(void *arg))
{
	start_fn[c->id] = fn;
	if (pthread_create(&thread[c->id], NULL, cpu_thread, c) != 0)
		sim_fail("no thread for cpu%u", c->id);
}

static void wait_all_parked(void)
{
	while (parked != sim.nr_cpus - 1)
		pthread_cond_wait(&gate_moved, &gate);
}

void engine_go(void)
{
	pthread_mutex_lock(&gate);
	wait_all_parked();
	sim.quiet = false;
	sim.running = true;
	run_began = host_ns();
	generation++;
	parked = 0; /* not when they wake: the run may be over before that */
	pthread_cond_broadcast(&gate_moved);
	pthread_mutex_unlock(&gate);
}

void engine_stop(void)
{
	__atomic_store_n(&sim.stopping, true, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&gate);
	wait_all_parked();
	__atomic_store_n(&sim.stopping, false, __ATOMIC_SEQ_CST);
	sim.running = false;
	pthread_mutex_unlock(&gate);
}

void engine_end(void)
{
	pthread_mutex_lock(&gate);
	quit = true;
	pthread_cond_broadcast(&gate_moved);
	pthread_mutex_unlock(&gate);
	for (unsigned i = 1; i < sim.nr_cpus; i++)
		pthread_join(thread[i], NULL);
	sim_current = NULL;
}

void engine_panic(void)
{
	if (sim_cpu_now() == &sim.cpu[0] && !sim_in_guest())
		longjmp(sim.panic_jmp, 1);
	fprintf(stderr, "panic on another thread: %s\n", sim.panic_text);
	abort();
}

#endif
