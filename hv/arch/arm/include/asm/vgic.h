/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual interrupt controller (GICv3, IHI 0069): one distributor per domain, one
 * redistributor and one set of list registers per vCPU.
 *
 * A virtual interrupt is 16 bytes. Its home is the vCPU it is delivered to; every field of it is
 * under that vCPU's VIRQ lock, and the home itself changes only under the old home's lock, while the
 * interrupt is neither queued nor in a list register. Private interrupts (0..31) never move.
 *
 * While a vCPU is loaded, its list registers are in the CPU and may change at any time; what is in `lr[]` is
 * what was last written there. Nothing is read back until it matters: when the same interrupt is
 * raised again, when all are taken, when a register asks, when the vCPU is switched out. So an interrupt
 * that the guest has long finished still counts as resident until somebody looks.
 */
#ifndef ASM_VGIC_H
#define ASM_VGIC_H

#include <hv/addr.h>
#include <hv/io.h>
#include <hv/lock.h>

struct cpu;
struct vcpu;
struct domain;

#define VIRQ_PENDING   0x01u /* raised and not yet in a list register; of a level one: a latch */
#define VIRQ_LINE      0x02u /* level-triggered, by software: its source asserts it now */
#define VIRQ_ENABLED   0x04u
#define VIRQ_LEVEL     0x08u /* configured as level-triggered */
#define VIRQ_HW        0x10u /* stands for host interrupt `host`: the guest's end of it ends that too */
#define VIRQ_QUEUED    0x20u /* in its home's queue */
#define VIRQ_ACTIVE    0x40u /* seen active in a list register, or made so by a register write */
#define VIRQ_LATCHED   0x80u /* level-triggered, and in its list register because of a latch */

/* What a register write wants done to the list register, by the CPU that has it. */
#define VIRQ_ASK_CLEAR 0x1u /* no longer pending */
#define VIRQ_ASK_END   0x2u /* no longer active */

struct virq {
	uint16_t next;  /* QUEUED: the next one's number; VIRQ_END */
	uint16_t home;  /* whom it is delivered to: vCPU id */
	uint16_t route; /* where the guest routes it; becomes home when it is at rest */
	uint16_t host;  /* HW: number of the host interrupt */
	uint8_t flags;  /* VIRQ_* */
	uint8_t priority;
	uint8_t lr;    /* 1 + the list register it is in, 0: none */
	uint8_t ask;   /* VIRQ_ASK_* */
	uint8_t level; /* QUEUED: in which queue of its home */
	uint8_t pad[3];
};
_Static_assert(sizeof(struct virq) == 16, "256 to a frame");

#define VIRQ_END        0xffffu
#define VGIC_PRIVATE    32u
#define VGIC_MAX_LR     16u
/* Five bits of an interrupt's priority count. */
#define VGIC_LEVELS     32u
#define VIRQS_PER_FRAME (PAGE_SIZE / (unsigned)sizeof(struct virq))

/* Numbers as of xen/arch-arm.h (which names them as PPIs). */
#define VIRQ_PPI_VTIMER 27u

/* One vCPU's part. */
struct vgic_vcpu {
	struct lock lock;  /* rank VIRQ */
	uint32_t waiting;  /* [l] priorities at which interrupts wait for a list register */
	uint16_t used;     /* [l] list registers that hold an interrupt, as far as we know */
	struct cpu *on;    /* [l] the CPU that has its list registers, NULL: they are in lr[] */
	bool maintained;   /* [own] maintenance interrupts are on because the queue is not empty */
	bool vtimer_fired; /* [own] the host's timer interrupt was activated for it on this CPU */
	uint64_t lr[VGIC_MAX_LR];  /* [l] as last written or saved */
	uint64_t vmcr;             /* [own] ICH_VMCR_EL2 while not loaded */
	uint32_t ap0r[4], ap1r[4]; /* [own] active priorities while not loaded */
	struct {
		uint16_t first, last;
	} queue[VGIC_LEVELS]; /* [l] those, oldest first; meaningful where `waiting` has a bit */
	struct virq private[VGIC_PRIVATE]; /* [l] */
};

struct vgic_region {
	struct io_device dev;
	uint32_t first; /* [c] vCPU of its first redistributor */
};

#define VGIC_MAX_REGIONS 4u

/* One domain's part. */
struct vgic {
	uint32_t ctlr;         /* [a] GICD_CTLR: enables */
	uint32_t nr_spis;      /* [c] interrupts from 32 on */
	uint32_t nr_regions;   /* [c] */
	struct virq *spi[4];   /* [c] frames of the pool; fields by their home's lock */
	struct io_device dist; /* [c] */
	struct vgic_region region[VGIC_MAX_REGIONS]; /* [c] redistributors */
};

/* ---- for boot code --------------------------------------------------------------------------- */

/*
 * Place the controller in the domain's address space and make its interrupts; before vCPUs
 * exist. `spis` is rounded up to a multiple of 32. vgic_add_region() gives redistributors places, in
 * order of vCPUs, 128 KiB each. Errors: io_register's, the pool's.
 */
MUST_USE int vgic_init(struct domain *d, gpa_t dist, uint32_t spis);
MUST_USE int vgic_add_region(struct domain *d, gpa_t base, uint64_t size);
void vgic_free(struct domain *d);

/* ---- raising interrupts ------------------------------------------------------------------------ */

/* An edge: pending once. Private numbers go to `v`; others where they are routed. Any CPU; kicks. */
void vgic_inject(struct domain *d, struct vcpu *v, uint32_t intid);
/* The level of a line driven by software (level-triggered devices). Any CPU; kicks. */
void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool high);
/*
 * A host interrupt, acknowledged and with its priority dropped, is for the guest's line `intid`: the guest
 * deactivates it. Called by the host's interrupt controller code, which gets the CPU where the vCPU is that the guest routes
 * it to (NULL: there is none), for the next one to come there.
 */
const struct cpu *vgic_inject_host(struct domain *d, uint32_t intid, uint32_t host);
/* Lines `intid` and host interrupt belong together from now on (arch_irq_assign). False: no such line. */
MUST_USE bool vgic_link_host(struct domain *d, uint32_t intid, uint32_t host, bool level);
void vgic_unlink_host(struct domain *d, uint32_t intid);

/* ---- state records (hv/state.h): the vCPU, or all of the domain, is off its CPUs ------------------ */

struct krypton_state_arm_gicd;
struct krypton_state_arm_gicr;
/* Fill, judge, and load a record (vgic/state.c). A distributor's is loaded before its redistributors'. */
MUST_USE int vgic_dist_state_save(struct domain *d, struct krypton_state_arm_gicd *r);
MUST_USE int vgic_dist_state_check(const struct domain *d, const struct krypton_state_arm_gicd *r);
void vgic_dist_state_load(struct domain *d, const struct krypton_state_arm_gicd *r);
void vgic_vcpu_state_save(struct vcpu *v, struct krypton_state_arm_gicr *r);
MUST_USE int vgic_vcpu_state_check(const struct vcpu *v, const struct krypton_state_arm_gicr *r);
void vgic_vcpu_state_load(struct vcpu *v, const struct krypton_state_arm_gicr *r);

/* ---- for the vCPU's own exit and switch code ---------------------------------------------------- */

void vgic_vcpu_init(struct vcpu *v);
/* What a reset of the vCPU's CPU interface does. Not loaded. */
void vgic_vcpu_reset(struct vcpu *v);
/* Once on each CPU, when its physical CPU interface works. */
void vgic_cpu_init(void);
void vgic_save(struct vcpu *v);
void vgic_load(struct vcpu *v);
/* Queue to list registers; before entering the guest, when WORK_VIRQ is set. */
void vgic_flush(struct vcpu *v);
/* The virtual timer's host interrupt came while `v` was loaded: 27, linked with the host's 27. */
void vgic_inject_vtimer(struct vcpu *v);
/* Something is pending that would end a WFI. */
bool vgic_pending(struct vcpu *v);
/* ICC_SGI1R_EL1 was written. */
void vgic_send_sgi(struct vcpu *v, uint64_t value);
/* The physical maintenance interrupt: list registers are free again, or a level one ended. */
void vgic_maintenance(struct vcpu *v);

#endif
