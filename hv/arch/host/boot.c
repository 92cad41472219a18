/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every simulated machine has, bare or full: memory, CPU 0, the seed, and core's data as it was
 * when the program started. sim_boot_bare() ends here.
 */
#include "internal.h"

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/frame.h>
#include <hv/payload.h>
#include <hv/softirq.h>
#include <string.h>

struct sim sim;

const struct payload_format *const payload_formats[] = { &payload_lz4, &payload_zstd, NULL };

/* CPU 0 before it has an area of core's, and all it ever has in a bare machine. */
static struct cpu boot_area;

/*
 * Core's variables. The build puts those of hv/core, hv/abi, hv/lib and hv/boot into sections of their own
 * in the host library, so that each machine can start with fresh ones.
 */
extern char __start_hv_data[] __attribute__((weak)), __stop_hv_data[] __attribute__((weak));
extern char __start_hv_bss[] __attribute__((weak)), __stop_hv_bss[] __attribute__((weak));
static char *pristine;

/* By hand and unchecked: between variables lie the address sanitizer's red zones. */
__attribute__((no_sanitize("address", "undefined", "thread"))) static void copy_raw(char *dst,
										    const char *src,
										    size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		*(uint64_t *)(void *)(dst + i) = *(const uint64_t *)(const void *)(src + i);
		__asm__ volatile("" ::: "memory");
	}
	for (; i < n; i++)
		dst[i] = src[i];
}

static __attribute__((constructor)) void statics_save(void)
{
	size_t n = (size_t)(__stop_hv_data - __start_hv_data);

	if (!__start_hv_data || !n)
		return;
	pristine = malloc(n);
	copy_raw(pristine, __start_hv_data, n);
}

__attribute__((no_sanitize("address", "undefined", "thread"))) void statics_restore(void)
{
	if (pristine)
		copy_raw(__start_hv_data, pristine, (size_t)(__stop_hv_data - __start_hv_data));
	if (__start_hv_bss)
		for (char *p = __start_hv_bss; p < __stop_hv_bss;) {
			if (((uintptr_t)p & 7) == 0 && __stop_hv_bss - p >= 8) {
				*(uint64_t *)(void *)p = 0;
				p += 8;
			} else {
				*p++ = 0;
			}
			__asm__ volatile("" ::: "memory");
		}
}

uint64_t sim_seed(void)
{
	return sim.seed;
}

uint64_t sim_trace_hash(void)
{
	return sim.hash;
}

void sim_advance(uint64_t ns)
{
	engine_advance(arch_time_ns() + ns);
}

/* ---- interrupts of one CPU --------------------------------------------------------------------- */

bool cpu_interrupted(const struct sim_cpu *c)
{
	uint64_t now = arch_time_ns();

	return __atomic_load_n(&sim.stopping, __ATOMIC_RELAXED) || read_once(&c->kick_at) <= now ||
	       read_once(&c->timer) <= now || (c->id == 0 && irq_next() <= now);
}

void cpu_take_interrupts(struct sim_cpu *c)
{
	uint64_t now = arch_time_ns();

	if (read_once(&c->kick_at) <= now)
		write_once(&c->kick_at, NEVER);
	if (read_once(&c->timer) <= now) {
		write_once(&c->timer, NEVER);
		softirq_raise_here(SOFTIRQ_TIMER);
	}
	if (c->id == 0)
		irq_deliver();
}

uint64_t cpu_next_event(const struct sim_cpu *c, bool timers)
{
	uint64_t next = read_once(&c->kick_at);

	if (timers)
		next = MIN(next, read_once(&c->timer));
	if (c->id == 0)
		next = MIN(next, irq_next());
	return next;
}

void arch_cpu_kick(struct cpu *cpu)
{
	struct sim_cpu *c = cpu->arch.sim;

	sim_trace('k', cpu->id, 0);
	/* A CPU inside the hypervisor looks at its softirqs on the way out: it may miss the kick. */
	if (read_once(&cpu->mode) != CPU_HYPERVISOR || sim_random(2)) {
		uint64_t at = arch_time_ns() + sim_random(2000), old = read_once(&c->kick_at);

		if (at < old)
			write_once(&c->kick_at, at);
	}
	sim_switch_point();
}

void arch_timer_set(uint64_t deadline_ns)
{
	write_once(&sim_cpu_now()->timer, deadline_ns);
}

/* ---- the common part of a boot ----------------------------------------------------------------- */

static void set_defaults(struct sim_config *c)
{
	const char *replay = getenv("SIM_SEED");

	c->cpus = c->cpus ? c->cpus : 1;
	c->memory = c->memory ? c->memory : 64ull << 20;
	c->nodes = c->nodes ? c->nodes : 1;
	c->sched = c->sched ? c->sched : "credit2";
	c->max_steps = c->max_steps ? c->max_steps : 20000000;
	c->step_ns = c->step_ns ? c->step_ns : 64;
	c->tags = c->tags ? c->tags : 255;
	c->seed = replay ? strtoull(replay, NULL, 0) : c->seed ? c->seed : 1;
	if (c->cpus > SIM_MAX_CPUS || c->memory % (4u << 20) || c->tags > 255)
		sim_fail("no such machine: %u CPUs, %llu bytes", c->cpus,
			 (unsigned long long)c->memory);
}

void boot_common_part(const struct sim_config *cfg)
{
	uint64_t share;

	if (sim.booted)
		sim_fail("the machine before was not shut down");
	memset(&sim, 0, sizeof(sim));
	sim.cfg = *cfg;
	set_defaults(&sim.cfg);
	sim.bare = sim.cfg.bare;
	sim.seed = sim.rng = sim.cfg.seed;
	sim.run_end = NEVER;
	sim.test_idle = true;
	sim.now = 1000;
	if (!sim.cfg.quiet)
		fprintf(stderr, "sim: seed %llu\n", (unsigned long long)sim.seed);
	statics_restore();
	/* Some seeds switch at every turn, some hardly ever: both find faults. */
	sim.switching = sim.cfg.switching ? sim.cfg.switching : 1u << sim_random(7);
	sim.stalls = sim_random(2) ? 100u << sim_random(7) : 0;
	sim.kick_flush = sim_random(2);
	sim.step_ns = sim.cfg.step_ns;
	sim.nr_cpus = 1;
	for (unsigned i = 0; i < SIM_MAX_CPUS; i++) {
		struct sim_cpu *c = &sim.cpu[i];

		c->id = i;
		c->timer = c->kick_at = NEVER;
		c->jobs_tail = &c->jobs;
	}
	memset(&boot_area, 0, sizeof(boot_area));
	boot_area.arch.sim = &sim.cpu[0];
	boot_area.mode = CPU_HYPERVISOR;
	boot_area.idle = true;
	sim.cpu[0].cpu = &boot_area;
	engine_boot();
	irq_reset();
	memory_reset();
	console_reset();
	ram_boot();
	sim.booted = true;
	share = sim.cfg.memory / sim.cfg.nodes & ~((4ull << 20) - 1);
	for (unsigned i = 0; i < sim.cfg.nodes; i++) {
		uint64_t start = SIM_RAM_BASE + i * share;
		uint64_t end = i + 1 == sim.cfg.nodes ? SIM_RAM_BASE + sim.cfg.memory
						      : start + share;

		frame_add_region(paddr(start), paddr(end), i);
	}
}

void sim_boot_config_bare(const struct sim_config *cfg)
{
	boot_common_part(cfg);
}

void sim_boot_bare(uint64_t memory, uint64_t seed)
{
	struct sim_config cfg = { .memory = memory, .seed = seed, .bare = true };

	boot_common_part(&cfg);
}

void sim_as(struct vcpu *v)
{
	struct cpu *c = this_cpu();

	if (v && !sim.as_active) {
		sim.as_saved = c->current;
		sim.as_idle = c->idle;
		sim.as_active = true;
	}
	if (v) {
		c->current = v;
		c->idle = false;
	} else if (sim.as_active) {
		c->current = sim.as_saved;
		c->idle = sim.as_idle;
		sim.as_active = false;
	}
}

void guests_lock(void)
{
#ifdef HV_TSAN
	while (__atomic_exchange_n(&sim.guests_busy, 1, __ATOMIC_ACQUIRE))
		;
#endif
}

void guests_unlock(void)
{
#ifdef HV_TSAN
	__atomic_store_n(&sim.guests_busy, 0, __ATOMIC_RELEASE);
#endif
}

uint64_t sim_free_frames(void)
{
	struct mem_stats s;

	frame_stats(&s);
	return s.free + s.never;
}

uint64_t sim_unused_frames(void)
{
	return sim_free_frames() + sim.table_frames;
}

/* ---- the end ------------------------------------------------------------------------------------ */

void sim_shutdown(void)
{
	for (unsigned i = 0; i < NR_FAULT_POINTS; i++)
		sim.nth[i] = sim.one_in[i] = 0;
	sim.spurious = 0;
	sim.flush_broken = false;
	if (sim.check_end)
		sim.check_end();
	sim_abandon();
}

void sim_abandon(void)
{
	if (!sim.booted)
		return;
	while (sim.guests) {
		struct sim_guest *g = sim.guests;

		sim.guests = g->next;
		stack_free(g->stack);
		free(g);
	}
	for (unsigned i = 0; i < sim.nr_cpus; i++)
		while (sim.cpu[i].jobs) {
			struct job *j = sim.cpu[i].jobs;

			sim.cpu[i].jobs = j->next;
			free(j);
		}
	engine_end();
	ram_end();
	sim.booted = false;
}

/* ---- hv/include/arch/boot.h: the simulator boots by itself ------------------------------------- */

void arch_boot_cpus(void) {}

int arch_boot_domain_config(struct boot_domain *b, struct domain_config *cfg)
{
	return 0;
}

int arch_boot_prepare(struct boot_domain *b, struct domain *d)
{
	return 0;
}

int arch_boot_load(struct boot_domain *b, struct domain *d)
{
	return 0;
}

void arch_boot_done(void) {}
