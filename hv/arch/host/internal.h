/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the simulated machine share. struct sim is the machine, struct sim_cpu one CPU, struct
 * sim_guest what a vCPU runs. In the deterministic build one thread touches all of it; in the TSan
 * build fields that threads share are accessed atomically, and a TLB has a lock of its own.
 */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include <arch/irq.h>
#include <hv/fault.h>
#include <hv/hypercall.h>
#include <setjmp.h>
#include <sim/sim.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER (~0ull)

/* ---- stacks (stack.c) ---- */

struct stack {
	void *sp;   /* where it continues, while it does not run */
	char *base; /* lowest address; NULL: a thread's own, not yet known */
	size_t size;
	void *fake;  /* the address sanitizer's side of it */
	void *fiber; /* the thread sanitizer's */
	void (*fn)(void *arg);
	void *arg;
	struct stack *next; /* in the list of unused ones */
};

struct stack *stack_new(void (*fn)(void *arg), void *arg);
/* Whatever still is on it is forgotten. Not the running one. */
void stack_free(struct stack *s);
void stack_switch(struct stack *from, struct stack *to);

/* ---- TLB ---- */

#define TLB_ENTRIES 24u

struct tlb_entry {
	const struct p2m_view *view; /* NULL: unused */
	uint64_t gfn;                /* first of the block */
	uint64_t mfn;
	unsigned order;
	enum p2m_type type;
	domid_t owner; /* of the frame when the entry was made */
	bool ram;      /* has an entry in the frame table */
};

struct tlb {
	uint32_t busy; /* TSan build: a spin lock */
	struct tlb_entry e[TLB_ENTRIES];
	const struct p2m_view *drop; /* flush asked for, done at the next entry */
	bool drop_all;
};

/* Without a switch point, unlike hv/atomic.h's. */
#define atomic_xchg_quiet(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

/* ---- CPUs ---- */

enum sim_cpu_state {
	SIM_ON,         /* executes */
	SIM_IDLE,       /* in arch_cpu_idle() */
	SIM_LOCKED_OUT, /* waits for a lock */
	SIM_PARKED,     /* between two runs */
};

struct job {
	void (*fn)(void *arg);
	void *arg;
	struct job *next;
};

struct sim_cpu {
	struct cpu *cpu;
	unsigned id;
	uint32_t state;        /* [a] enum sim_cpu_state */
	struct stack *stack;   /* where its hypervisor runs */
	struct stack *on;      /* where it is: `stack` or a guest's */
	const uint16_t *owner; /* SIM_LOCKED_OUT */
	uint16_t ticket;
	uint64_t stalled_until; /* step; others go first */
	uint64_t timer;         /* [a] deadline, NEVER */
	uint64_t kick_at;       /* [a] when a kick arrives, NEVER */
	uint64_t irq_at;        /* CPU 0: when the next host interrupt arrives */
	struct job *jobs, **jobs_tail;
	struct tlb tlb;
	const struct p2m_view *view; /* [a] what it runs, or ran last, in guest mode */
};

struct sim_guest {
	struct vcpu *v;
	struct stack *stack; /* NULL: nothing to run */
	struct sim_cpu *cpu; /* it runs here now, or NULL */
	sim_guest_fn *fn;
	sim_upcall_fn *upcall;
	void *arg;
	bool (*translate)(struct vcpu *v, gva_t va, bool write, gpa_t *pa);
	bool masked, in_upcall, finished;
	enum guest_exit {
		EXIT_INTERRUPT,
		EXIT_HYPERCALL,
		EXIT_WAIT,
		EXIT_IO,
		EXIT_FAULT,
		EXIT_DOWN
	} exit;
	int64_t result;
	struct io_access io;
	bool io_ok, retry;
	struct sim_guest *next, **prev; /* all guests */
};

struct sim {
	bool choosing;
	bool booted, bare, running, stopping, quiet, ended_early;
	struct sim_config cfg;
	uint64_t seed, rng, now, steps, steps_at_run, hash;
	unsigned switching, step_ns, spurious;
	unsigned stalls; /* one in so many switch points stalls its CPU; 0: none */
	unsigned nr_cpus;
	struct sim_cpu cpu[SIM_MAX_CPUS];
	struct cpu *boot_area;
	bool (*done)(void *arg);
	void *done_arg;
	uint64_t run_end; /* sim_run_for; NEVER otherwise */
	bool kick_flush;  /* flush by kick (x86's way) instead of broadcast (Arm's) */
	uint64_t flushes, flush_seq;
	bool flush_broken;
	uint64_t nth[NR_FAULT_POINTS], one_in[NR_FAULT_POINTS], failures[NR_FAULT_POINTS];
	enum sim_end end;
	uint64_t start_free;
	struct sim_guest *guests;
	uint32_t guests_busy;
	/* sim_as() */
	struct vcpu *as_saved;
	bool as_idle, as_active;
	bool test_idle; /* CPU 0 was idle when the last run ended */
	/* panics */
	bool expect_panic, panicked;
	jmp_buf panic_jmp;
	char panic_text[512];
	/* RAM */
	uint64_t ram_frames;
	/* set by the full machine so that the parts of a bare one do not need it */
	void (*exit_path)(void);
	void (*check_end)(void);
	uint64_t table_frames; /* gone into the frame table, for good */
	void (*on_pte)(const struct sim_pte_write *w, void *arg);
	void *on_pte_arg;
};

extern struct sim sim;

#ifdef HV_TSAN
extern __thread struct sim_cpu *sim_current;
#else
extern struct sim_cpu *sim_current;
#endif
/* Through a call: a guest's stack may continue on another thread. */
struct sim_cpu *sim_cpu_now(void);

/* ---- engine (fiber.c or thread.c) ---- */

/* CPU `c` starts at engine code; CPU 0 is the caller. */
void engine_boot(void);
void engine_start_cpu(struct sim_cpu *c, void (*fn)(void *arg));
/* The run is over: stand still until the next one. On the CPU's own loop, nothing held. */
void engine_park(void);
/* Let the others go on / make all of them park. On CPU 0. */
void engine_go(void);
void engine_stop(void);
/* sim_shutdown: the other CPUs' stacks or threads end. */
void engine_end(void);
/* A panic that the test expects, on any CPU: continue at sim.panic_jmp on the test's stack. */
NORETURN void engine_panic(void);
/* The clock moves to `ns` if it is not there. */
void engine_advance(uint64_t ns);

/* Something that CPU `c` must look at between two guest instructions, now. */
bool cpu_interrupted(const struct sim_cpu *c);
/* Take what has arrived: raises softirqs, runs handlers. */
void cpu_take_interrupts(struct sim_cpu *c);
/* When will the next thing arrive by itself? `timers`: timers count. */
uint64_t cpu_next_event(const struct sim_cpu *c, bool timers);
void irq_deliver(void);
uint64_t irq_next(void);
void irq_reset(void);

void sim_trace(uint64_t what, uint64_t a, uint64_t b);

/* ---- the parts' own starts ---- */
void ram_boot(void);
void ram_end(void);
void memory_reset(void);
void console_reset(void);
void console_type(const char *s);
void console_capture(const char *s, size_t n);
/* Core's data as it was when the program started (machine start). */
void statics_restore(void);

void tlb_enter_guest(struct sim_cpu *c, const struct p2m_view *view);
/* One access of a guest to one page; NULL: not mapped. */
void *guest_touch(struct vcpu *v, gpa_t pa, bool write);
void tlb_done(struct sim_cpu *c);

/* Free, or gone where they will never come back from. */
uint64_t sim_unused_frames(void);
void guests_lock(void);
void guests_unlock(void);
void guest_forget(struct sim_guest *g);

/* Run the guest of `v` until it leaves guest mode, and do what it left for. On the CPU's stack. */
void guest_enter(struct sim_cpu *c, struct vcpu *v);

#endif
