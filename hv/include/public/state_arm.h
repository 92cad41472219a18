/* SPDX-License-Identifier: Apache-2.0 */
/* State records of 64-bit Arm domains; the framing and rules are in public/state.h. */
#ifndef PUBLIC_STATE_ARM_H
#define PUBLIC_STATE_ARM_H

#include <stdint.h>

/*
 * What the guest has been told its CPU can do: ID registers by CRm (1..7) and op2, CTR_EL0. Loaded only where
 * they are the same.
 */
struct krypton_state_arm_id {
	uint32_t version; /* 1 */
	uint32_t reserved;
	uint64_t ctr_el0;
	uint64_t id[7][8];
};

/* The virtual counter goes on from here; CNTFRQ_EL0 must be the same. */
struct krypton_state_arm_clock {
	uint32_t version; /* 1 */
	uint32_t hz;
	uint64_t count; /* CNTVCT_EL0 when it was saved */
};

#define KRYPTON_ARM_IRQ_PENDING 0x01u /* latched: an edge, or a write to ISPENDR */
#define KRYPTON_ARM_IRQ_ACTIVE  0x02u
#define KRYPTON_ARM_IRQ_ENABLED 0x04u
#define KRYPTON_ARM_IRQ_LEVEL   0x08u /* configured as level-triggered */
#define KRYPTON_ARM_IRQ_LINE    0x10u /* its source asserts it */

struct krypton_state_arm_irq {
	uint8_t flags; /* KRYPTON_ARM_IRQ_* */
	uint8_t priority;
	uint16_t home;  /* vCPU it is pending or active at */
	uint16_t route; /* vCPU that it goes to from the next time on */
	uint16_t reserved;
};

/* The distributor. Followed by nr_spis times struct krypton_state_arm_irq, interrupt 32 first. */
struct krypton_state_arm_gicd {
	uint32_t version; /* 1 */
	uint32_t ctlr;    /* GICD_CTLR: enables */
	uint32_t nr_spis;
	uint32_t reserved;
};

/* A vCPU's redistributor and CPU interface. */
struct krypton_state_arm_gicr {
	uint32_t version;            /* 1 */
	uint32_t vmcr;               /* as ICH_VMCR_EL2 */
	uint32_t pre_bits, pri_bits; /* of the CPU interface: they say what the words below mean */
	uint32_t ap0r[4], ap1r[4];   /* active priorities */
	struct krypton_state_arm_irq irq[32];
};

#define KRYPTON_ARM_CPU_START \
	0x1u /* CPU_ON: begins at start_pc with x0 = start_x0; all else is at reset then */
#define KRYPTON_ARM_CPU_SERROR   0x2u /* a virtual SError is pending */
#define KRYPTON_ARM_CPU_UNCACHED 0x4u /* set/way maintenance was done and caches are off since */

struct krypton_state_arm_cpu {
	uint32_t version; /* 1 */
	uint32_t flags;   /* KRYPTON_ARM_CPU_* */
	uint64_t mpidr;
	uint64_t x[31], pc, pstate;
	uint64_t sp_el0, sp_el1, elr_el1, spsr_el1;
	uint64_t sctlr_el1, actlr_el1, cpacr_el1;
	uint64_t ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1;
	uint64_t esr_el1, far_el1, afsr0_el1, afsr1_el1;
	uint64_t vbar_el1, contextidr_el1, par_el1;
	uint64_t tpidr_el0, tpidrro_el0, tpidr_el1;
	uint64_t cntkctl_el1, csselr_el1;
	uint64_t start_pc, start_x0;
};

struct krypton_state_arm_fp {
	uint32_t version; /* 1 */
	uint32_t reserved;
	uint64_t fpcr, fpsr;
	uint64_t v[32][2];
};

/* Control: ENABLE and IMASK. The physical timer's compare value is as far ahead of where it is loaded as it was here. */
struct krypton_state_arm_timers {
	uint32_t version; /* 1 */
	uint32_t reserved;
	uint32_t cntv_ctl, cntp_ctl;
	uint64_t cntv_cval, cntp_cval;
	uint64_t cntpct; /* when it was saved */
};

struct krypton_state_arm_pl011 {
	uint32_t version; /* 1 */
	uint16_t imsc, ris, cr, lcr, ibrd, fbrd, ifls, dmacr;
	uint32_t count; /* bytes that wait in rx, oldest first */
	uint8_t rx[32];
};

_Static_assert(sizeof(struct krypton_state_arm_id) == 464, "record of 464 bytes");
_Static_assert(sizeof(struct krypton_state_arm_clock) == 16, "record of 16 bytes");
_Static_assert(sizeof(struct krypton_state_arm_irq) == 8, "8 bytes an interrupt");
_Static_assert(sizeof(struct krypton_state_arm_gicd) == 16,
	       "record of 16 bytes and its interrupts");
_Static_assert(sizeof(struct krypton_state_arm_gicr) == 304, "record of 304 bytes");
_Static_assert(sizeof(struct krypton_state_arm_cpu) == 488, "record of 488 bytes");
_Static_assert(sizeof(struct krypton_state_arm_fp) == 536, "record of 536 bytes");
_Static_assert(sizeof(struct krypton_state_arm_timers) == 40, "record of 40 bytes");
_Static_assert(sizeof(struct krypton_state_arm_pl011) == 56, "record of 56 bytes");

#endif
