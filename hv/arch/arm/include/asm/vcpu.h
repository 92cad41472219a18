/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Arm part of a vCPU: what the CPU holds while it is loaded (between arch_vcpu_switch() to it and the next
 * one away from it, through idle as well), what is saved here otherwise.
 */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <asm/regs.h>
#include <asm/vgic.h>
#include <hv/timer.h>

struct domain;

/* EL1 and EL0 state that entry code leaves in the CPU. */
struct guest_sysregs {
	uint64_t sp_el0, sp_el1, elr_el1, spsr_el1;
	uint64_t sctlr_el1, actlr_el1, cpacr_el1;
	uint64_t ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1;
	uint64_t esr_el1, far_el1, afsr0_el1, afsr1_el1;
	uint64_t vbar_el1, contextidr_el1, par_el1;
	uint64_t tpidr_el0, tpidrro_el0, tpidr_el1;
	uint64_t cntkctl_el1, csselr_el1;
};

struct guest_fpsimd {
	uint64_t v[32][2];
	uint64_t fpcr, fpsr;
} ALIGNED(16);

/* One of the two timers of EL1: control and compare value as the guest sees them. */
struct guest_timer {
	uint64_t cval;
	uint32_t ctl;
	struct timer
	    wake; /* host timer: the virtual one's wakes a blocked vCPU, the physical one's raises its line */
};

/* Things to do before the guest's next instruction. */
#define WORK_VIRQ        0x1u /* interrupts are queued */
#define WORK_RESET       0x2u /* PSCI CPU_ON left a start in `start` */
#define WORK_PTIMER      0x4u /* the physical timer's time has come */

/* Frames of its domain's pool that a vCPU costs beyond its own structure's. */
#define ARCH_VCPU_FRAMES 1u

struct arch_vcpu {
	struct guest_regs regs; /* first: SP_EL2 points here while it runs */
	uint32_t work;          /* [a] WORK_* */
	bool loaded;            /* [own CPU] its sysregs are in the CPU */
	uint64_t hcr;           /* [own] HCR_EL2 */
	uint64_t vmpidr;        /* [c] */
	struct guest_sysregs sys;
	struct guest_timer vtimer, ptimer;
	struct vgic_vcpu vgic;
	struct {
		uint64_t entry, context; /* [domain lock] of the CPU_ON that started it */
	} start;
	uint64_t clean_next; /* [own] set/way: next frame to clean, ~0: none under way */
	struct guest_fpsimd fp;
};

/* Affinity fields of a vCPU's MPIDR and back. 16 to a cluster, as the SGI register wants. */
static inline uint64_t vcpu_affinity(uint32_t id)
{
	return (id & 15u) | (uint64_t)((id >> 4) & 0xffu) << 8 | (uint64_t)(id >> 12) << 16;
}

static inline uint32_t vcpu_of_affinity(uint64_t aff)
{
	return (uint32_t)((aff & 15u) | ((aff >> 8) & 0xffu) << 4 | ((aff >> 16) & 0xffu) << 12);
}

/* ---- arm/vcpu.c --------------------------------------------------------------------------------- */

/* What must be set up once, on the boot CPU, before any domain exists: ID registers, second stage. */
void guest_boot_init(void);
/* What must be set up on each CPU, the boot CPU included, after guest_boot_init and the GIC's CPU interface. */
void guest_cpu_init(void);

/* Bring `v` to the state of a CPU that has just been started at `entry` with x0 = `context`. Not loaded. */
void vcpu_reset(struct vcpu *v, uint64_t entry, uint64_t context);

/* fpsimd.S */
void fpsimd_save(struct guest_fpsimd *f);
void fpsimd_load(const struct guest_fpsimd *f);

/* ---- p2m_arch.c ---- */

struct p2m_view;
void p2m_boot_init(void);
uint64_t p2m_vtcr(void);
/* ID_AA64MMFR0_EL1.PARange for guests: their physical addresses are ours to size. */
uint64_t p2m_guest_pa_range(void);
/* VTTBR_EL2 for a view. */
uint64_t p2m_vttbr(const struct p2m_view *view);
/* The guest's own translation of an address, of the vCPU that is loaded here. */
MUST_USE bool guest_translate_stage1(gva_t va, bool write, gpa_t *pa);

/* ---- inject.c: exceptions into EL1 of the vCPU that is loaded on this CPU ------------------------- */

void inject_undefined(struct vcpu *v);
/* Synchronous external abort at virtual address `far`, as if the last exit's access had met it. */
void inject_data_abort(struct vcpu *v, uint64_t far, bool write);
void inject_instruction_abort(struct vcpu *v, uint64_t far);
void inject_serror(struct vcpu *v);

/* A register as the ISS of a trapped access names it (DDI 0487, D17.2.37), without Rt and direction. */
#define TRAPPED(op0, op1, crn, crm, op2) \
	((uint32_t)((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1))
#define TRAPPED_MASK 0x3ffc1eu

/* ---- exit handlers ----------------------------------------------------------------------------- */

/* Step over the instruction that exited. */
static inline void skip_instruction(struct guest_regs *r, uint64_t esr)
{
	r->pc += esr & (1u << 25) ? 4 : 2;
}

static inline uint64_t reg_get(const struct guest_regs *r, unsigned n)
{
	return n == 31 ? 0 : r->x[n];
}

static inline void reg_set(struct guest_regs *r, unsigned n, uint64_t v)
{
	if (n != 31)
		r->x[n] = v;
}

/* What guests see in identification registers, from this machine's. */
void sysreg_boot_init(void);
/* What they see in op0 3, op1 0, CRn 0, and CRm, op2 below 8. */
uint64_t sysreg_id(unsigned crm, unsigned op2);
/* MSR, MRS, SYS trapped with EC 0x18 (sysreg.c). */
void sysreg_exit(struct vcpu *v, uint64_t esr);
/* SMC and HVC by the SMC calling convention (vpsci.c). */
void smccc_call(struct vcpu *v);
/*
 * setway.c. Set/way maintenance was tried: true when the guest may go on behind it, false: the same instruction
 * again.
 */
bool setway_clean(struct vcpu *v);
/* `reg`, one of the registers of translation, is written while they are watched. False: it is another one. */
bool setway_vm_register(struct vcpu *v, uint32_t reg, uint64_t value, bool *again);
/* Aborts of the second stage (abort.c). */
void data_abort(struct vcpu *v, uint64_t esr);
void instruction_abort(struct vcpu *v, uint64_t esr);

/* ---- vtimer.c ------------------------------------------------------------------------------------ */

void vtimer_init(struct vcpu *v);
void vtimer_reset(struct vcpu *v);
/* The host timers that stand in for its own. */
void vtimer_stop(struct vcpu *v);
void vtimer_save(struct vcpu *v);
void vtimer_load(struct vcpu *v);
/* PPI 27 fired on this CPU with `v` loaded; acknowledged, priority dropped, not deactivated. */
void vtimer_interrupt(struct vcpu *v);
bool vtimer_pending(struct vcpu *v);
/* WORK_PTIMER. */
void ptimer_evaluate(struct vcpu *v);
/* State records (hv/state.h). Not loaded. */
struct krypton_state_arm_timers;
void vtimer_state_save(struct vcpu *v, struct krypton_state_arm_timers *r);
MUST_USE int vtimer_state_check(const struct krypton_state_arm_timers *r);
void vtimer_state_load(struct vcpu *v, const struct krypton_state_arm_timers *r);
/* CNTP_* accesses; false: not a timer register. */
bool vtimer_sysreg(struct vcpu *v, uint32_t reg, bool write, uint64_t *value);

#endif
