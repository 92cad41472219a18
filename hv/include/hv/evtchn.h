/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event channels of one domain. A port is 32 bytes in a frame of the domain's pool; the table grows
 * a frame at a time and never shrinks. Sending takes no lock: it reads the port once, follows the
 * remote domain under RCU, sets a bit in the receiver's shared page and kicks its vCPU. Everything that
 * changes what a port is takes the table's lock (both tables': lock_pair).
 *
 * How pending, masked and priorities are represented is a table of port operations: 2-level, and FIFO from
 * the domain's first EVTCHNOP_init_control until a reset.
 */
#ifndef HV_EVTCHN_H
#define HV_EVTCHN_H

#include <hv/addr.h>
#include <hv/lock.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

struct domain;
struct vcpu;

enum evtchn_state {
	EVTCHN_FREE,
	EVTCHN_RESERVED, /* ours to skip: port 0 */
	EVTCHN_UNBOUND,  /* waits for `remote_id` to bind */
	EVTCHN_INTERDOMAIN,
	EVTCHN_PIRQ,
	EVTCHN_VIRQ,
	EVTCHN_IPI,
	EVTCHN_SERVED, /* the other end is the hypervisor itself (consoles, device models) */
};

struct evtchn {
	struct domain *remote; /* [l, RCU] INTERDOMAIN: the peer (counted); NULL in every other state */
	union {                /* [l, a] */
		uint32_t remote_port; /* INTERDOMAIN */
		uint32_t virq;
		uint32_t pirq;
		domid_t remote_id; /* UNBOUND, SERVED */
	};
	uint16_t vcpu;        /* [l, a] whom it notifies; one that exists */
	uint8_t state;        /* [l, a] enum evtchn_state */
	uint8_t xen_consumer; /* [l, a] EVTCHN_SERVED: which function to call; 0: none */
	uint32_t next_free;   /* [l] FREE: next in the list, 0: none */
	uint16_t last_vcpu; /* [a; changed under that vCPU's queue lock] FIFO: where it was linked last */
	uint8_t last_priority; /* [that lock] */
	uint8_t priority;      /* [l, a] FIFO */
	uint8_t early;         /* [a] FIFO: pending, while the guest has no word for it */
	uint8_t pad[3];
};

struct evtchn_table;
struct evtchn_fifo;

/* How one domain's ports show in guest memory. */
struct evtchn_port_ops {
	/* Mark pending; wake who polls and, unless masked, tell `v` (NULL: not created yet). Lock-free. */
	void (*set_pending)(struct domain *d, struct vcpu *v, uint32_t port);
	void (*clear_pending)(struct domain *d, uint32_t port);
	/* The guest unmasked: deliver if pending. */
	void (*unmask)(struct domain *d, uint32_t port);
	bool (*is_pending)(const struct domain *d, uint32_t port);
	bool (*is_masked)(const struct domain *d, uint32_t port);
	uint32_t max_ports;
};

#define EVTCHN_PER_FRAME (PAGE_SIZE / 32u)
/* As many as one frame of pointers to frames of ports reaches; the FIFO ABI could number twice as many. */
#define EVTCHN_MAX_PORTS 65536u

struct evtchn_table {
	struct lock lock;                  /* rank EVTCHN */
	const struct evtchn_port_ops *ops; /* [l, RCU] */
	struct evtchn_fifo *fifo; /* [l, RCU] the guest's FIFO pages; NULL: ports are 2-level */
	struct evtchn **
	    bucket; /* [c] pool frame of pointers to frames of ports; [RCU] entries set once, NULL before */
	uint32_t nr_ports; /* [l, a] ports that have a struct */
	uint32_t pollers;  /* [a] vCPUs of the domain inside SCHEDOP_poll */
	uint32_t limit; /* [c] ports it may have; 2-level ones number EVTCHN_2L_NR_CHANNELS at most */
	uint32_t nr_active;    /* [l] ports not FREE */
	uint32_t free;         /* [l] first free port, 0: none */
	uint32_t reset_next;   /* [a] EVTCHNOP_reset has closed all ports below */
	uint32_t destroy_next; /* [destroyer] the same for destruction */
};

MUST_USE int evtchn_init(struct domain *d, uint32_t limit);
/* Close ports in steps; -ERR_RESTART until done. */
MUST_USE int evtchn_destroy_step(struct domain *d);
/* Destruction, between the two: the guest's pages are let go, once no sender can be looking at them. */
void evtchn_detach(struct domain *d);
/* After evtchn_destroy_step() was done and a grace period has passed: senders look at a peer's table without a lock. */
void evtchn_free(struct domain *d);

/* The port's struct, or NULL beyond the table. No lock. */
struct evtchn *evtchn_of(const struct domain *d, uint32_t port);

/* EVTCHNOP_*: each happens whole or not at all. `v` / `d` are whom it is about, permission is already checked. */
MUST_USE int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port);
MUST_USE int evtchn_bind_interdomain(struct domain *d, struct vcpu *notify, struct domain *remote,
				     uint32_t remote_port, uint32_t *port);
MUST_USE int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);
MUST_USE int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port);
MUST_USE int evtchn_bind_pirq(struct domain *d, uint32_t pirq, uint32_t flags, uint32_t *port);
MUST_USE int evtchn_close(struct domain *d, uint32_t port);
MUST_USE int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
MUST_USE int evtchn_unmask(struct domain *d, uint32_t port);
MUST_USE int evtchn_status(struct domain *d, uint32_t port, struct evtchn_status *out);
MUST_USE int evtchn_reset(struct domain *d); /* restartable; ports are 2-level afterwards */
/* EVTCHNOP_init_control: queues of vCPU `vcpu` at `offset` of RAM frame `g`. R_FIFO_*, R_NO_SUCH_VCPU, R_POOL_EXHAUSTED. */
MUST_USE int evtchn_init_control(struct domain *d, uint32_t vcpu, gfn_t g, uint32_t offset);
/* EVTCHNOP_expand_array: `g` holds the words of the next 1,024 ports. R_FIFO_*. */
MUST_USE int evtchn_expand_array(struct domain *d, gfn_t g);
/* For the next time that the port is linked. R_NO_PORT_PRIORITY, R_PORT_WITHOUT_PRIORITY, R_BAD_PORT_PRIORITY. */
MUST_USE int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority);
/* Frames of a domain's pool that FIFO ports take. */
uint32_t fifo_pool_need(uint32_t vcpus);

/* EVTCHNOP_send by a vCPU of `d`. The hot path. */
MUST_USE int evtchn_send(struct domain *d, uint32_t port);

/* False: one per vCPU. */
bool evtchn_virq_is_global(uint32_t virq);
/* Raise a virtual interrupt: per-vCPU ones for `v`; global ones to whoever in `d` bound it. Any context. */
void evtchn_send_virq_vcpu(struct vcpu *v, uint32_t virq);
void evtchn_send_virq(struct domain *d, uint32_t virq);
/* A global VIRQ of the machine (VIRQ_CONSOLE, DOM_EXC, ...) to the domain that may receive it. */
void evtchn_send_global_virq(uint32_t virq);

/*
 * A port of `d` whose other end is the hypervisor, until domain `remote` binds to it as if it were unbound (console_taken() is then called):
 * `fn` runs when the guest sends. evtchn_notify_served() is the other direction.
 */
typedef void evtchn_served_fn(struct domain *d, uint32_t port);
MUST_USE int evtchn_alloc_served(struct domain *d, domid_t remote, uint32_t vcpu,
				 evtchn_served_fn *fn, uint32_t *port);
void evtchn_notify_served(struct domain *d, uint32_t port);

/*
 * SCHEDOP_poll of the current vCPU: from begin to end a send to `port` (0: to any port of its domain) wakes it,
 * masked or not, whichever vCPU the port notifies. Look at the ports after begin. The event that wakes ends
 * it too; ending twice is harmless.
 */
void evtchn_poll_begin(struct vcpu *v, uint32_t port);
void evtchn_poll_end(struct vcpu *v);

#ifdef HV_DEBUG
/* The part of domain_check_invariants() that is about event channels. */
void evtchn_check(struct domain *d);
#endif

#endif
