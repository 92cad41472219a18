/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtual CPU. Its run state is one atomic word that only vcpu_transition() changes:
 *
 *	OFFLINE --UP--> READY --SCHED_IN--> RUNNING --SCHED_OUT--> READY
 *	   ^              ^                    |
 *	   +---DOWN-------+<--WAKE-- BLOCKED <-+ BLOCK
 *	                  +<--DONE-- WAITING <-+ WAIT      (an access someone else answers)
 *
 * PAUSE and UNPAUSE count, in any state; a vCPU is eligible to run when it is READY and its own and its
 * domain's pause counts are zero. A RUNNING vCPU that is paused, blocked or taken down leaves
 * its CPU at the next exit path.
 */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include <asm/vcpu.h> /* struct arch_vcpu */
#include <hv/cpu.h>
#include <hv/guest.h>
#include <hv/reason.h>
#include <hv/sched.h>
#include <hv/timer.h>
#include <xen/event_channel.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

struct domain;

enum vcpu_state {
	VCPU_OFFLINE,
	VCPU_READY,
	VCPU_RUNNING,
	VCPU_BLOCKED, /* until an event for it arrives */
	VCPU_WAITING, /* until a saved completion is done */
};

enum vcpu_event {
	VCPU_UP, /* VCPUOP_up, PSCI CPU_ON, domain start */
	VCPU_DOWN,
	VCPU_SCHED_IN, /* by the scheduler, on its CPU */
	VCPU_SCHED_OUT,
	VCPU_BLOCK, /* by itself; turns into nothing when an event is deliverable */
	VCPU_WAKE,  /* an event became deliverable; also a timer or VCPUOP_poll's end */
	VCPU_WAIT,
	VCPU_DONE,
	VCPU_PAUSE,
	VCPU_UNPAUSE,
};

struct vcpu {
	struct arch_vcpu arch; /* first: entry code saves registers here */
	struct domain *domain; /* [c] */
	uint32_t id;           /* [c] */
	uint32_t run;          /* [a] enum vcpu_state in bits 7..0, pause count above */

	/* Event delivery. */
	struct vcpu_info *info; /* [a] where pending bits are; into a pin or the shared_info frame */
	struct pin info_pin;    /* [domain lock] set by VCPUOP_register_vcpu_info */
	uint16_t info_offset;   /* of vcpu_info in info_pin */
	bool polling;           /* [a] in SCHEDOP_poll: any event of the list wakes it */
	uint32_t poll_port;     /* [own] the only port polled, 0: several */
	evtchn_port_t virq_port[NR_VIRQS]; /* [evtchn lock] */

	struct pin runstate_pin[2]; /* [own] registered runstate area, which may straddle two frames */
	uint16_t runstate_offset; /* [own] in the first of them */
	uint64_t runstate;        /* [a] RUNSTATE_* in bits 1..0, since when (ns) above */
	uint64_t time[4]; /* [a] ns in RUNSTATE_running, runnable, blocked, offline until then */

	struct timer singleshot, periodic, poll; /* VCPUOP_set_*_timer, SCHEDOP_poll */
	uint64_t period;                         /* [a] ns, 0: none */

	struct sched_unit *unit;    /* [c] what the scheduler moves */
	struct sched_unit own_unit; /* the usual one-vCPU unit */
	struct cpu *cpu;            /* [a] where it runs or last ran */

	struct refusal refusal; /* the reason hypercall 63 reports */
	bool in_multicall;      /* [own] */
	bool initialised;       /* [domain lock] has a context: VCPUOP_initialise done */
};

/* Limits of the periodic timer's period. */
#define VCPU_PERIOD_MIN_NS 1000000u
#define VCPU_PERIOD_MAX_NS (~(uint64_t)0 >> 2)

/*
 * The one function that changes v->run; an event that means nothing in the present state changes
 * nothing. Returns the state it left. Any CPU (SCHED_IN, SCHED_OUT, BLOCK, WAIT: the vCPU's own). Calls sched_wake() and
 * sched_sleep(), so no SCHED lock may be held; SCHED_IN and SCHED_OUT call neither and may be used under one.
 * SCHED_IN succeeded when the state is RUNNING afterwards: it fails for a vCPU that is no longer eligible.
 */
enum vcpu_state vcpu_transition(struct vcpu *v, enum vcpu_event e);

static inline enum vcpu_state vcpu_state(const struct vcpu *v)
{
	return (enum vcpu_state)(read_once(&v->run) & 0xff);
}

/* READY and nobody holds it paused (the domain's own count included). */
bool vcpu_eligible(const struct vcpu *v);

/*
 * The scheduler switched `v` in or out just now (ns) on this CPU: account the time and refresh the
 * runstate area that the guest registered.
 */
void vcpu_switched_in(struct vcpu *v, uint64_t now);
void vcpu_switched_out(struct vcpu *v, uint64_t now);
/* The times up to now, as VCPUOP_get_runstate_info gives them. */
void vcpu_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
/*
 * VCPUOP_register_vcpu_info: event words of `v` at `offset` of RAM frame `g`. `caller` is the vCPU itself, another one of its domain while `v`
 * is down (R_VCPU_RUNS), or NULL for the builder. The domain is locked. Once only: R_VCPU_INFO_SET; R_BAD_VCPU_INFO, R_VCPU_INFO_NOT_RAM.
 */
MUST_USE int vcpu_set_info(const struct vcpu *caller, struct vcpu *v, gfn_t g, unsigned offset);
/*
 * VCPUOP_register_runstate_memory_area: `area` as `caller`, the current vCPU, sees it. `caller` is `v`, or `v` is down, off its CPU and held
 * paused, and the domain is locked.
 */
MUST_USE int vcpu_set_runstate_area(struct vcpu *caller, struct vcpu *v, gva_t area);
/* No tick comes any more, although one may be under way on another CPU. */
void vcpu_stop_periodic(struct vcpu *v);
/* Drop the pins: v->info no longer points into one, and a grace period has passed since. Destruction. */
void vcpu_unpin(struct vcpu *v);

/* Allocate vCPU `id` of `d` (OFFLINE, no context). Domain lock held. Charged to d's pool. */
MUST_USE int vcpu_create(struct domain *d, unsigned id, struct vcpu **out);
void vcpu_free(struct vcpu *v);

static inline void vcpu_wake(struct vcpu *v)
{
	(void)vcpu_transition(v, VCPU_WAKE);
}

/* An event was set pending for `v`: get its attention, wherever it is (blocked, other CPU, here). */
void vcpu_kick(struct vcpu *v);

/*
 * Block the current vCPU until an interrupt or event is deliverable (WFI, SCHEDOP_block); nothing
 * happens if one is already. The caller returns to the exit path, which schedules.
 */
void vcpu_block(struct vcpu *v);

/* Pauses count. The vCPU leaves its CPU at that CPU's next exit path; vcpu_off_cpu() says when it has. */
void vcpu_pause(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/* No CPU runs it or holds its registers. Stays true while the caller keeps it paused. */
bool vcpu_off_cpu(const struct vcpu *v);
/* The domain's own pause count changed: make the vCPU leave its CPU, or run. */
void vcpu_recheck(struct vcpu *v);

/* Has the guest masked its upcall? Only the x86 ABI has the mask. */
static inline bool vcpu_upcall_masked(const struct vcpu_info *info)
{
#ifdef XEN_HAVE_PV_UPCALL_MASK
	return read_once(&info->evtchn_upcall_mask) != 0;
#else
	(void)info;
	return false;
#endif
}

/* Events pending and not masked. Reads guest memory once. */
static inline bool vcpu_events_pending(const struct vcpu *v)
{
	const struct vcpu_info *info = load_acquire(&v->info);

	return info && read_once(&info->evtchn_upcall_pending) && !vcpu_upcall_masked(info);
}

static inline void vcpu_upcall_unmask(struct vcpu_info *info)
{
#ifdef XEN_HAVE_PV_UPCALL_MASK
	write_once(&info->evtchn_upcall_mask, 0);
#else
	(void)info;
#endif
}

#endif
