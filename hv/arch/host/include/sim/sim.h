/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated machine, as tests see it.
 *
 * One seed decides everything: which CPU runs between two switch points, when interrupts and timers
 * arrive, what is cached where, which injected failure strikes. The same seed gives the same run
 * (sim_trace_hash() compares two). Every boot prints its seed; SIM_SEED=n in the environment replays it.
 *
 * The test itself is CPU 0. Between two calls of sim_run() it has the machine to itself: it may call any
 * function of core directly, no lock is held, and the other CPUs stand between two guest
 * instructions. sim_run() lets all CPUs work until a condition holds.
 *
 * A guest is a function that runs on a stack of its own and uses the calls named sim_guest_* below; each of
 * them may leave the guest, run the hypervisor, other vCPUs and other CPUs, and come back, perhaps
 * on another CPU. A guest that spins must call one of them.
 *
 * What is watched at all times, and ends the run with the seed: a stale translation used to reach a
 * frame that was freed or given away; a walk through a freed table; an entry replaced without the
 * flush that the architecture asks for; a vCPU loaded on two CPUs; a deadlock; a lock held on the way to a
 * guest; a machine that makes no progress.
 *
 * Built with -DHV_TSAN each CPU is a thread and the order is the host's: no seed, no trace.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <arch/memory.h>
#include <hv/domain.h>
#include <hv/fault.h>

/* ---- the machine ----------------------------------------------------------------------------- */

#define SIM_MAX_CPUS 16u
#define SIM_RAM_BASE 0x40000000ull /* machine address of the first frame */

struct sim_config {
	unsigned cpus;      /* 1..SIM_MAX_CPUS; 0: 1 */
	uint64_t memory;    /* bytes, a multiple of 4 MiB; 0: 64 MiB */
	uint64_t seed;      /* 0: 1 */
	unsigned nodes;     /* NUMA nodes that share the memory; 0: 1 */
	const char *sched;  /* NULL: "credit2" */
	uint64_t max_steps; /* switch points after which a run counts as stuck; 0: 20 million */
	unsigned switching; /* one in so many switch points switches; 0: the seed chooses */
	unsigned step_ns;   /* the clock moves by up to so much at each switch point; 0: 64 */
	bool clock_stands;  /* the clock moves only by sim_advance() and while all CPUs are idle */
	unsigned tags;      /* second-stage tags that exist; 0: 255 */
	bool quiet;         /* do not print the seed (fuzzers) */
	bool bare;          /* CPU 0 and memory only: no scheduler, no sim_run() */
};

/* A fresh machine: core is as it was when the program started, its RAM never used. */
void sim_boot(unsigned cpus, uint64_t memory, uint64_t seed);
void sim_boot_config(const struct sim_config *cfg);
/* The same without scheduler, timers and other CPUs: enough for frames, pools, locks. */
void sim_boot_bare(uint64_t memory, uint64_t seed);
void sim_boot_config_bare(const struct sim_config *cfg); /* with cfg->bare set */
/* End it and check: no domain is left, every frame that a domain could have taken is back, no lock is held. */
void sim_shutdown(void);
/* End it without checks (after an expected panic, or in a fuzzer). */
void sim_abandon(void);

uint64_t sim_seed(void);
/* A hash of everything that happened so far: who ran when, page-table writes, calls and results. */
uint64_t sim_trace_hash(void);
/* The seed's own random numbers, for tests: below `n` (n > 0). */
uint64_t sim_random(uint64_t n);
/* Print the message and the seed, and abort. */
NORETURN void sim_fail(const char *fmt, ...) PRINTF(1, 2);
#define sim_check(cond)                                                   \
	do {                                                              \
		if (!(cond))                                              \
			sim_fail("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* Two integers; a difference is reported with both, and with the last refusal of the calling vCPU. */
#define sim_check_equal(got, want) \
	sim_check_integers((int64_t)(got), (int64_t)(want), __FILE__ ": " #got, __LINE__)
void sim_check_integers(int64_t got, int64_t want, const char *what, unsigned line);

/* ---- running --------------------------------------------------------------------------------- */

/*
 * Let all CPUs work until `done(arg)` (asked often, on CPU 0, must not change anything) or nothing can happen any
 * more: all idle, no timer armed. True: done. NULL: until nothing happens before the next timer.
 */
bool sim_run(bool (*done)(void *arg), void *arg);
/* Let all CPUs work for so many simulated nanoseconds. */
void sim_run_for(uint64_t ns);
/* Move the clock while nothing runs. */
void sim_advance(uint64_t ns);
/* Queue `fn` to be run by a CPU in the hypervisor, between two guest instructions, at the next sim_run(). */
void sim_on_cpu(unsigned cpu, void (*fn)(void *arg), void *arg);
/* Make `v` the current vCPU of the test's CPU until sim_as(NULL), so that calls can be made in its name. */
void sim_as(struct vcpu *v);
/* sim_switch_point() of hv/atomic.h: a point where another CPU may run, for tests with loops of their own. */
/* What arch_machine_end() was asked for. */
enum sim_end { SIM_RUNNING, SIM_POWER_OFF, SIM_RESET, SIM_HALTED };
enum sim_end sim_ended(void);

/* ---- guests ---------------------------------------------------------------------------------- */

/* Called again and again while it returns true; false: the vCPU takes itself down. */
typedef bool sim_guest_fn(struct vcpu *v, void *arg);
/* An event interrupt arrived (evtchn_upcall_pending is set and is for the guest to clear). */
typedef void sim_upcall_fn(struct vcpu *v, void *arg);

/* What `v` runs once it is up. Before it first runs. `upcall` may be NULL: it then only wakes. */
void sim_guest_set(struct vcpu *v, sim_guest_fn *fn, sim_upcall_fn *upcall, void *arg);
/* Bring `v` up as an architecture's own start would (PSCI CPU_ON). */
void sim_guest_start(struct vcpu *v);
/* How guest virtual addresses become physical ones; default: the same. False: a first-stage fault. */
void sim_guest_set_translate(struct vcpu *v,
			     bool (*fn)(struct vcpu *v, gva_t va, bool write, gpa_t *pa));

/*
 * A hypercall, by a guest, or (between runs) by the test in the name of `v`, which must not be running.
 * Restarts go through the exit path, as on hardware. Missing arguments are 0.
 */
#define sim_hypercall(v, nr, ...) sim_hypercall6((v), (nr), (const uint64_t[6]){ __VA_ARGS__ })
int64_t sim_hypercall6(struct vcpu *v, uint64_t nr, const uint64_t arg[6]);

/* Access own memory, through both stages and this CPU's TLB. False: an abort was injected. */
bool sim_guest_read(struct vcpu *v, gva_t va, void *buf, size_t n);
bool sim_guest_write(struct vcpu *v, gva_t va, const void *buf, size_t n);
/* Exchange an aligned word of own memory in one atomic access. */
bool sim_guest_xchg(struct vcpu *v, gva_t va, unsigned long *word);
/* Set bits of an aligned word of own memory atomically. */
bool sim_guest_or(struct vcpu *v, gva_t va, unsigned long bits);
/* Compare and exchange of 32 bits. False: it held what *old is now. A missing translation ends the run. */
bool sim_guest_cas(struct vcpu *v, gva_t va, uint32_t *old, uint32_t new);
/* A device register, through io_access(). False: nobody answered. */
bool sim_guest_io(struct vcpu *v, gpa_t pa, unsigned size, bool write, uint64_t *value);
/* Wait for an interrupt (WFI, HLT). Returns when an upcall is pending; takes it unless masked. */
void sim_guest_wait(struct vcpu *v);
/* Some instructions: a place where interrupts are taken. */
void sim_guest_pause(struct vcpu *v);
/* Upcalls are held back while masked (the guest's interrupts are off). */
void sim_guest_mask(struct vcpu *v, bool masked);
/* In the guest now? False: the caller is the test or the hypervisor. */
bool sim_in_guest(void);

/* ---- faults (places: hv/fault.h) ------------------------------------------------------------- */

/* The `n`th opportunity from now fails (1: the next); 0: none. Strikes once. */
void sim_fail_nth(enum fault_point f, uint64_t n);
/* One in `n` opportunities fails; 0: none. */
void sim_fail_one_in(enum fault_point f, uint64_t n);
/* Failures injected so far. */
uint64_t sim_failures(enum fault_point f);
#define sim_fail_alloc(n) sim_fail_nth(FAULT_ALLOC, (n))
#define sim_fail_pool(n)  sim_fail_nth(FAULT_POOL, (n))
#define sim_fail_copy(n)  sim_fail_nth(FAULT_COPY, (n))
/* One in `n` switch points gives some CPU an interrupt without a cause; 0: none. */
void sim_spurious_kick(unsigned n);
/* Raise a host interrupt (arch/irq.h); it arrives after up to `delay_ns`. */
void sim_raise_irq(uint32_t number, uint64_t delay_ns);
/* The domain and message that arrive at vector `n` (arch_msi_bind()), whose number is irq->vector; NULL: it leads nowhere. */
const struct irq *sim_vector(unsigned n);
/* Vectors that are bound; and no more than `n` can be from now on. */
unsigned sim_vectors_used(void);
void sim_vectors_limit(unsigned n);
/* Who answers arch_device_read() and arch_device_write(); none after a boot. `value` in or out. */
void sim_device(void (*access)(uint64_t pa, unsigned size, bool write, uint64_t *value));

/* Run `fn(arg)` and return what it panicked with; NULL: it came back. Afterwards only sim_abandon(). */
const char *sim_expect_panic(void (*fn)(void *arg), void *arg);

/* ---- looking --------------------------------------------------------------------------------- */

/* Called at every write of a second-stage entry, after it. A test asks here whether a forbidden moment exists. */
struct sim_pte_write {
	uint64_t time;
	unsigned cpu;
	mfn_t table; /* the table's frame */
	unsigned index;
	pte_t old, new;
};
void sim_on_pte_write(void (*fn)(const struct sim_pte_write *w, void *arg), void *arg);
/* The recorded writes, oldest first; the last 4096 are kept. */
unsigned sim_pte_writes(const struct sim_pte_write **w);
/* Flushes that were asked for so far. */
uint64_t sim_flushes(void);
/* A flush does nothing: to see that the model finds it. */
void sim_break_flush(bool broken);
/* Translations cached anywhere that the tables of `d` no longer give, outside any change. */
unsigned sim_stale(struct domain *d);

/* Everything that core wrote to the console since sim_boot(), a string. */
const char *sim_console(void);
/* Does the console's text contain `s`? */
bool sim_console_has(const char *s);
/* Type on the console. */
void sim_type(const char *s);
/* Frames that are free or never used. */
uint64_t sim_free_frames(void);

#endif
