/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain: who exists, what it may have, and its life.
 *
 *	BUILDING -> ALIVE -> SHUTDOWN -> DYING -> DEAD -> (freed after RCU)
 *	    \__________________________^
 *
 * BUILDING: created, paused, being filled. ALIVE: its vCPUs may run. SHUTDOWN: it said so (or
 * crashed); all vCPUs paused, memory kept, resumable. DYING: domain_destroy_step() gives everything
 * back in bounded steps. DEAD: off the list, waits for the last reference.
 *
 * References: domain_get() counts and keeps the structure, not the domain, alive. domain_find() is for
 * the length of one hypercall step (RCU).
 */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <asm/domain.h> /* struct arch_domain */
#include <hv/evtchn.h>
#include <hv/gnttab.h>
#include <hv/io.h>
#include <hv/lock.h>
#include <hv/nospec.h>
#include <hv/p2m.h>
#include <hv/pool.h>
#include <hv/rcu.h>
#include <hv/ref.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>
#include <hv/watchdog.h>
#include <xen/xen.h>

enum domain_state { DOMAIN_BUILDING, DOMAIN_ALIVE, DOMAIN_SHUTDOWN, DOMAIN_DYING, DOMAIN_DEAD };

/* What a domain may do beyond itself; policy/check.c alone reads these. */
#define ROLE_CONTROL  0x01u /* manages other domains: domctl, sysctl, foreign mapping */
#define ROLE_HARDWARE 0x02u /* owns the machine: physdev, platform, power-off */
#define ROLE_STORE    0x04u /* serves xenstore */
#define ROLE_CONSOLE  0x08u /* reads and writes the hypervisor's console */
#define ROLE_STATIC   0x10u /* takes everything at start, never allocates after */

/* How a domain is made; zero in a limit means the default. */
struct domain_config {
	uint8_t uuid[16];
	uint32_t roles;      /* ROLE_* */
	uint32_t max_vcpus;  /* 1..MAX_VCPUS */
	uint64_t max_frames; /* ceiling of guest memory; claimed */
	uint64_t static_frames; /* static memory that comes on top (domain_populate_static); not claimed */
	uint32_t max_evtchn; /* ports, at most EVTCHN_MAX_PORTS; 0: EVTCHN_2L_NR_CHANNELS */
	uint32_t max_grant_frames, max_maptrack_frames;
	uint32_t pool_frames; /* ceiling of the pool; 0: computed from the rest (domain_pool_need) */
	uint32_t pool_more;   /* frames beyond that */
	uint32_t flags;       /* XEN_DOMCTL_CDF_* */
	bool direct_map;      /* gfn == mfn for RAM */
	bool controlled;      /* a toolstack pauses and starts it: pause and unpause count */
	const struct xen_arch_domainconfig
	    *arch;     /* devices as a toolstack asks for; NULL: placed by boot code */
	uint32_t node; /* NUMA node, ALLOC_ANY_NODE */
};

/* Guest memory of one domain. */
struct domain_mem {
	struct lock lock; /* rank POOL */
	uint64_t max;     /* [l] frames it may have */
	uint64_t used;    /* [l] frames it has, those in `held` included */
	uint64_t claimed; /* [l] promised and not yet taken */
	bool asked;       /* [l] that promise was asked for by a toolstack (domain_mem_claim) */
	uint64_t held;    /* [l] given up while others hold references */
	uint64_t parked;  /* [a] kept for a direct-mapped domain that gave them up; not in `used` */
	mfn_t parked_list; /* [l] of these, static memory that is not direct-mapped: linked by gfn */
	uint64_t scan;     /* [destroyer] place in the search for parked frames */
	uint64_t shared;   /* [a] frames mapped into it that are not its own */
};

struct domain {
	struct arch_domain arch; /* first: hot fields of the exit path */
	domid_t id;              /* [c] */
	uint8_t state;  /* [domain lock, read_once] enum domain_state; domain_set_state() */
	bool dying;     /* [a] quick test: state >= DYING */
	uint32_t roles; /* [c] */
	domid_t target; /* [domain lock] stub domain: whom it serves; DOMID_INVALID */
	struct ref ref;
	struct lock lock; /* rank DOMAIN */
	struct rcu_head rcu;

	uint32_t max_vcpus;    /* [c] */
	struct vcpu **vcpu;    /* [RCU] array of max_vcpus in pool frames; entries set once */
	uint32_t pause_count;  /* [a] above zero: none of its vCPUs is eligible */
	struct pool pool;      /* what it costs us */
	struct domain_mem mem; /* what it has */
	struct p2m p2m;
	struct iommu_context
	    *iommu; /* [p2m lock] what its devices reach (hv/iommu.h); NULL: it has none */
	struct shared_info *shared_info; /* [c] frame of ours, mapped into the guest on request */
	mfn_t shared_info_mfn;           /* [c] */
	struct evtchn_table evtchn;
	struct gnttab gnttab;
	struct io_table io;       /* emulated devices by address */
	struct work destroy_work; /* background destruction, then freeing */
	bool destroying;          /* [a] domain_destroy() was called */
	bool starves;             /* [a] domain_starves_us() was called */
	struct work crash_work;   /* its crash */
	uint32_t destroy_phase;   /* [destroyer] domain_destroy_step's place */
	uint32_t destroy_next;    /* [destroyer] vCPU to treat next */
	uint8_t grace;            /* [a] destruction: how far its grace period is (lifecycle.c) */

	uint8_t uuid[16];        /* [c] */
	uint32_t create_flags;   /* [c] XEN_DOMCTL_CDF_* */
	uint32_t shutdown_code;  /* [domain lock] SHUTDOWN_*, ~0: none */
	uint32_t ssid;           /* [c] */
	uint32_t control_pauses; /* [domain lock, a] of pause_count: by toolstacks (hv/control.h) */
	bool control_held; /* [who made control_busy] of pause_count: one, while a toolstack reads or writes its state */
	domid_t control_holder; /* [the same] that toolstack's domain */
	void *state_work; /* [who made control_busy] frames of a call about its state that is under way (abi/domctl_state.c), 2^order */
	unsigned state_order; /* [the same] */
	bool control_busy; /* [a] somebody is inside domain_destroy_step(), or between control_hold() and _release() */
	uint32_t suspend_port; /* [domain lock] told instead of VIRQ_DOM_EXC when it suspends, 0: none */
	uint32_t pool_base; /* [domain lock] of the pool's ceiling: what is not the toolstack's paging memory */
	int64_t time_offset;      /* [domain lock] ns added to host time (pauses, migration) */
	int64_t wallclock_offset; /* [domain lock] s added to the host's wall clock */
	uint64_t hvm_param[64];   /* [domain lock] HVM_PARAM_* */
	uint32_t vm_assist;       /* [domain lock] */
	bool direct_map;          /* [c] */
	struct watchdog watchdog[NR_WATCHDOGS];
	struct console_state *console; /* [c] served by us until somebody adopts it; NULL: none */
	void *boot; /* [c] boot-time description (hv/boot.h), for a rebuild; NULL */
};

#define MAX_VCPUS 512u /* pointers in one frame */

/* The first bytes of every domain's name, in logs: "d3". vCPU: "d3v1". */

/* ---- who exists ---- */

/* A counted reference; NULL when there is none. DOMID_SELF is resolved against the current vCPU. */
MUST_USE struct domain *domain_get(domid_t id);
void domain_put(struct domain *d);
/* No reference: good until this CPU's next exit path. */
struct domain *domain_find(domid_t id);
/* All domains in order of id; RCU. */
struct domain *domain_first(void);
struct domain *domain_next(const struct domain *d);
/* The one with the lowest id that is at least `id`. */
struct domain *domain_from(uint32_t id);

/* The vCPU, or NULL. */
static inline struct vcpu *domain_vcpu(const struct domain *d, uint32_t id)
{
	return id < d->max_vcpus ? rcu_load(&d->vcpu[id]) : NULL;
}

/* The same for a number that a guest or a toolstack gave: within bounds under speculation too. */
static inline struct vcpu *domain_find_vcpu(const struct domain *d, uint32_t id)
{
	return id < d->max_vcpus ? rcu_load(&d->vcpu[index_nospec(id, d->max_vcpus)]) : NULL;
}

#define domain_for_each_vcpu(v, d)                       \
	for (uint32_t i_ = 0; i_ < (d)->max_vcpus; i_++) \
		if (((v) = domain_vcpu((d), i_)) != NULL)

/* ---- life ---- */

/*
 * Make domain `id` (DOMID_INVALID: the next free one after the last that was chosen so, from 1), BUILDING, without vCPUs and memory. Claims its pool
 * and max_frames. Errors: R_DOMID_*, R_BAD_* for the limits, R_NO_MEMORY, R_NO_VIEW_TAG.
 */
MUST_USE int domain_create(domid_t id, const struct domain_config *cfg, struct domain **out);
/* Frames of pool that a configuration may come to need: what 0 in pool_frames stands for. */
uint32_t domain_pool_need(const struct domain_config *cfg);

/* BUILDING -> ALIVE and let the vCPUs that are up run. */
MUST_USE int domain_start(struct domain *d);
/* BUILDING -> ALIVE; nothing in another state. Who built it takes its pause away afterwards. */
void domain_built(struct domain *d) HOLDS(d->lock);
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);

/* ALIVE -> SHUTDOWN with SHUTDOWN_* from `xen/sched.h`; tells boot code or VIRQ_DOM_EXC's owner. */
void domain_shutdown(struct domain *d, uint32_t code);
/* No vCPU is up: nothing but a toolstack or an INIT can wake it. */
bool domain_all_down(const struct domain *d);
/* SHUTDOWN -> ALIVE (SUSPEND cancelled). */
MUST_USE int domain_resume(struct domain *d);
/* Report and shut down with SHUTDOWN_crash: the guest did something it cannot go on from. */
void domain_crash(struct domain *d, const char *fmt, ...) PRINTF(2, 3);

/*
 * Any state -> DYING, then one bounded step of giving everything back. 0: done, the caller's reference
 * is the last thing. -ERR_RESTART: call again.
 */
MUST_USE int domain_destroy_step(struct domain *d);
/* Start destruction in the background (SOFTIRQ_WORK). */
void domain_destroy(struct domain *d);

/* Take a DEAD domain out of the table. For lifecycle.c. */
void domain_unlist(struct domain *d);

/* Called once a domain is SHUTDOWN, and once it is DEAD; installed by boot code. */
extern void (*domain_shutdown_hook)(struct domain *d);

/* ---- memory accounting ---- */

/* A new domain's ceiling, claimed from free memory (core/mem/populate.c), and its return; all frames must be back. */
MUST_USE int domain_mem_init(struct domain *d, uint64_t max_frames);
void domain_mem_destroy(struct domain *d);
/* The ceiling becomes `max` frames, also when it has more: then it gets none until it has fewer. No promise. */
void domain_mem_limit(struct domain *d, uint64_t max);
/* Promise `d` so much that it can grow to `total` frames; 0: take the promise back. R_CLAIM_*, R_NO_MEMORY. */
MUST_USE int domain_mem_claim(struct domain *d, uint64_t total);
/* What of all such promises is still to come. */
uint64_t domain_mem_asked(void);

/*
 * Allocate 2^order frames for `d` and map them at `*g` as RAM. Of a direct-mapped domain, while it is BUILDING:
 * anywhere (alloc_flags), and *g is set to their own number; later: only what it has given up before and
 * where it was. RAM that was at *g is given up. Step of populate_physmap. On a refusal nothing has changed.
 * Errors: R_MEM_LIMIT, R_NO_MEMORY, R_NOT_PARKED, p2m_change's.
 */
MUST_USE int domain_populate(struct domain *d, gfn_t *g, unsigned order, unsigned alloc_flags);
/*
 * Map 2^order frames that were reserved with FRAME_STATIC at `g` as RAM, cleared. Raises the domain's ceiling by as
 * many: a domain with static memory is created with the rest as max_frames. R_STATIC_IN_USE, p2m_change's.
 */
MUST_USE int domain_populate_static(struct domain *d, gfn_t g, mfn_t m, unsigned order);
/*
 * Unmap 2^order frames of RAM at `g` and give them up. Of a direct-mapped domain they stay reserved for
 * it, uncounted, so that domain_populate can give the same frames back. All or nothing up to 2 MiB.
 * R_GFN_NOT_RAM, p2m_change's.
 */
MUST_USE int domain_depopulate(struct domain *d, gfn_t g, unsigned order);
/* The end of domain_depopulate, for RAM of `d` that no longer has a mapping. */
void domain_mem_drop(struct domain *d, mfn_t m, unsigned order);

#ifdef HV_DEBUG
/* The part of the next one that is about memory (core/mem/populate.c). Nothing else runs. */
void domain_mem_check(struct domain *d);
/* Walk everything the domain has and panic on a broken invariant; tests and fuzzers call it after each operation. */
void domain_check_invariants(struct domain *d);
#endif

#endif
