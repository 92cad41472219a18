/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fair ticket locks with ranks. A CPU may only take a lock whose rank is higher than that of every
 * lock it holds; debug builds check this at each take. Two locks of one rank are taken together
 * only by lock_pair(), lower address first. Interrupts are always off in the hypervisor, so there
 * is one flavour. docs/locking.md says what each rank guards.
 *
 * Both tickets live in one word, so that taking a free lock is one atomic addition and a comparison;
 * release builds inline everything and spin with arch_cpu_relax(). Debug builds call out of line, check ranks,
 * and offer the simulator its switch points: arch_cpu_relax() before a take, arch_lock_wait() while it
 * waits, arch_lock_released() after a release.
 */
#ifndef HV_LOCK_H
#define HV_LOCK_H

#include <asm/cpu.h> /* arch_cpu_relax() */
#include <hv/atomic.h>
#include <hv/compiler.h>

enum lock_rank {
	RANK_NONE,
	RANK_DOMLIST,       /* creation, removal and numbering of domains */
	RANK_DOMAIN,        /* struct domain: lifecycle, vCPU creation, limits */
	RANK_CONSOLE_DOM,   /* console state of one domain */
	RANK_GNTTAB,        /* growth of one grant table */
	RANK_GNTENTRY,      /* one active grant entry */
	RANK_MAPTRACK,      /* one vCPU's map-track free list */
	RANK_PCI,           /* what owners see of PCI functions */
	RANK_IOMMU_DEVICES, /* which device is in which IOMMU context */
	RANK_P2M,           /* one domain's second-stage tables */
	RANK_EVTCHN,        /* one domain's event-channel table */
	RANK_DEVICE,        /* one emulated device or interrupt distributor */
	RANK_FIFO,          /* one vCPU's queues of FIFO event channels */
	RANK_VIRQ,          /* pending virtual interrupts of one vCPU */
	RANK_IRQ,           /* one host interrupt */
	RANK_IRQ_CHIP,      /* registers of the host's interrupt controllers (x86) */
	RANK_IOMMU,         /* one IOMMU's command queue and registers */
	RANK_PCI_PORTS,     /* the ports to configuration space (x86) */
	RANK_DEVICE_WINDOW, /* the page through which moving registers are reached (x86) */
	RANK_TRACE_SETUP,   /* making trace rings */
	RANK_POOL,          /* one domain's page pool and page list */
	RANK_HEAP,          /* free frames of one node */
	RANK_FRAMETABLE,    /* never-used memory, and the growth of the frame table */
	RANK_SCHED,         /* one run queue */
	RANK_TIMER,         /* one CPU's timers */
	RANK_RCU,           /* grace-period state */
	RANK_TRACE,
	RANK_CONSOLE, /* the console ring and the UART: may be taken anywhere */
	NR_RANKS
};

struct CAPABILITY("lock") lock {
	union {
		uint32_t tickets; /* [a] both; little-endian on every supported architecture */
		struct {
			uint16_t owner; /* [a] ticket being served; written by the holder */
			uint16_t next;  /* [a] next ticket to hand out */
		};
	};
	uint8_t rank; /* [c] enum lock_rank */
};

#define LOCK_NEXT_TICKET 0x10000u
#define LOCK_INIT(r)        \
	{                   \
		.rank = (r) \
	}

static inline void lock_init(struct lock *l, enum lock_rank rank)
{
	l->tickets = 0;
	l->rank = (uint8_t)rank;
}

#ifdef HV_DEBUG
#define LOCK_FUNCTION
#else
#define LOCK_FUNCTION static ALWAYS_INLINE
#endif

/* Wait for and take the lock. Acquire ordering. */
LOCK_FUNCTION void lock_take(struct lock *l) ACQUIRES(*l);
/* Take the lock if it is free; true when taken. The rank rule holds for it as well. */
MUST_USE LOCK_FUNCTION bool lock_try(struct lock *l);
/* Release ordering. */
LOCK_FUNCTION void lock_release(struct lock *l) RELEASES(*l);

#ifndef HV_DEBUG

/* The two halves differ: somebody holds it. */
static inline bool lock_tickets_taken(uint32_t tickets)
{
	return tickets != (tickets >> 16 | tickets << 16);
}

NO_LOCK_CHECK LOCK_FUNCTION void lock_take(struct lock *l)
{
	uint32_t t = __atomic_fetch_add(&l->tickets, LOCK_NEXT_TICKET, __ATOMIC_ACQUIRE);

	if (unlikely(lock_tickets_taken(t)))
		while (load_acquire(&l->owner) != (uint16_t)(t >> 16))
			arch_cpu_relax();
}

LOCK_FUNCTION bool lock_try(struct lock *l)
{
	uint32_t t = read_once(&l->tickets);

	return !lock_tickets_taken(t) &&
	       __atomic_compare_exchange_n(&l->tickets, &t, t + LOCK_NEXT_TICKET, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

NO_LOCK_CHECK LOCK_FUNCTION void lock_release(struct lock *l)
{
	store_release(&l->owner, (uint16_t)(read_once(&l->owner) + 1));
}

#endif

/* Two locks of one rank in one order (by address); `a` and `b` may be the same lock. */
void lock_pair(struct lock *a, struct lock *b) ACQUIRES(*a, *b);
void lock_release_pair(struct lock *a, struct lock *b) RELEASES(*a, *b);

/* Held by the calling CPU. Exact in debug builds; otherwise: held by anybody. */
bool lock_held(const struct lock *l);

#endif
