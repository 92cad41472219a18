/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records of 64-bit Arm domains (public/state_arm.h, hv/state.h): the table of their types, and those
 * that are about the CPU itself. Interrupt controller, timers and UART have theirs in their own files.
 * Called by core/state with all vCPUs of the domain off their CPUs.
 */
#include <arch/state.h>

#include <arch/vcpu.h>
#include <asm/host_timer.h>
#include <asm/sysreg.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/string.h>
#include <public/state.h>
#include <public/state_arm.h>

/* ---- what the CPU can do ------------------------------------------------------------------------- */

static int id_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_arm_id *r = record;

	r->ctr_el0 = sysreg_read(ctr_el0);
	for (unsigned crm = 1; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++)
			r->id[crm - 1][op2] = sysreg_id(crm, op2);
	return 0;
}

static int id_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_id *r = record;

	if (r->reserved)
		return state_bad_field(KRYPTON_STATE_ARM_ID, struct krypton_state_arm_id, reserved,
				       r->reserved);
	if (r->ctr_el0 != sysreg_read(ctr_el0))
		return refuse(R_STATE_CPU, TRAPPED(3, 3, 0, 0, 1), sysreg_read(ctr_el0), r->ctr_el0);
	for (unsigned crm = 1; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++)
			if (r->id[crm - 1][op2] != sysreg_id(crm, op2))
				return refuse(R_STATE_CPU, TRAPPED(3, 0, 0, crm, op2),
					      sysreg_id(crm, op2), r->id[crm - 1][op2]);
	return 0;
}

static void id_load(struct domain *d, struct vcpu *v, const void *record) {}

/* ---- the virtual counter --------------------------------------------------------------------------- */

static int clock_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_arm_clock *r = record;

	r->hz = host_timer.hz;
	r->count = host_ticks() - d->arch.cntvoff;
	return 0;
}

static int clock_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_clock *r = record;

	return r->hz == host_timer.hz ? 0 : refuse(R_STATE_CLOCK, d->id, host_timer.hz, r->hz);
}

static void clock_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_clock *r = record;

	d->arch.cntvoff = host_ticks() - r->count;
}

/* ---- the interrupt controller ------------------------------------------------------------------------ */

static uint32_t gicd_length(const struct domain *d)
{
	const struct vgic *g = &d->arch.vgic;

	return (uint32_t)sizeof(struct krypton_state_arm_gicd) +
	       g->nr_spis * (uint32_t)sizeof(struct krypton_state_arm_irq);
}

static int gicd_save(struct domain *d, struct vcpu *v, void *record)
{
	return vgic_dist_state_save(d, record);
}

static int gicd_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	return vgic_dist_state_check(d, record);
}

static void gicd_load(struct domain *d, struct vcpu *v, const void *record)
{
	vgic_dist_state_load(d, record);
}

static int gicr_save(struct domain *d, struct vcpu *v, void *record)
{
	vgic_vcpu_state_save(v, record);
	return 0;
}

static int gicr_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	return vgic_vcpu_state_check(v, record);
}

static void gicr_load(struct domain *d, struct vcpu *v, const void *record)
{
	vgic_vcpu_state_load(v, record);
	/* An event that came in after the state was saved is pending in shared memory. */
	if (vcpu_events_pending(v))
		arch_vcpu_raise_upcall(v);
}

/* The upcall is raised once more for a guest that has taken the interrupt and not looked at its events yet. */
static void gicr_still(void *before, void *after)
{
	const uint8_t *b = &((struct krypton_state_arm_gicr *)before)->irq[GUEST_EVTCHN_PPI].flags;
	uint8_t *a = &((struct krypton_state_arm_gicr *)after)->irq[GUEST_EVTCHN_PPI].flags;

	if (*b & KRYPTON_ARM_IRQ_ACTIVE)
		*a = (uint8_t)((*a & ~KRYPTON_ARM_IRQ_PENDING) | (*b & KRYPTON_ARM_IRQ_PENDING));
}

/* ---- registers ---------------------------------------------------------------------------------------- */

#define CPU         KRYPTON_STATE_ARM_CPU
#define ALL_FLAGS   (KRYPTON_ARM_CPU_START | KRYPTON_ARM_CPU_SERROR | KRYPTON_ARM_CPU_UNCACHED)

/* clang-format off */
#define EL1_REGISTERS(X)                                                     \
	X(sp_el0) X(sp_el1) X(elr_el1) X(spsr_el1)                           \
	X(sctlr_el1) X(actlr_el1) X(cpacr_el1)                               \
	X(ttbr0_el1) X(ttbr1_el1) X(tcr_el1) X(mair_el1) X(amair_el1)        \
	X(esr_el1) X(far_el1) X(afsr0_el1) X(afsr1_el1)                      \
	X(vbar_el1) X(contextidr_el1) X(par_el1)                             \
	X(tpidr_el0) X(tpidrro_el0) X(tpidr_el1) X(cntkctl_el1) X(csselr_el1)
/* clang-format on */

#define COUNT(name) +1
_Static_assert((0 EL1_REGISTERS(COUNT)) * 8 == sizeof(struct guest_sysregs), "each register once");
_Static_assert(sizeof(((struct krypton_state_arm_cpu *)0)->x) == sizeof(((struct guest_regs *)0)->x),
	       "x0 to x30");

static int cpu_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_arm_cpu *r = record;
	const struct arch_vcpu *a = &v->arch;

	assert(!a->loaded, "its registers are in memory");
	r->mpidr = a->vmpidr;
	if (read_once(&a->work) & WORK_RESET) {
		/* What it was before is of no interest any more. */
		r->flags = KRYPTON_ARM_CPU_START;
		r->start_pc = a->start.entry;
		r->start_x0 = a->start.context;
		return 0;
	}
	r->flags = (a->hcr & HCR_VSE ? KRYPTON_ARM_CPU_SERROR : 0) |
		   (a->hcr & HCR_TVM ? KRYPTON_ARM_CPU_UNCACHED : 0);
	memcpy(r->x, a->regs.x, sizeof(r->x));
	r->pc = a->regs.pc;
	r->pstate = a->regs.pstate;
#define SAVE(name) r->name = a->sys.name;
	EL1_REGISTERS(SAVE)
#undef SAVE
	return 0;
}

/*
 * Only states that entering a guest can lead to: a mode that this CPU does not have would make the return an
 * illegal one, which stays in EL2 (D1.4.4). 32-bit is for EL0 alone, where the guest was told of it.
 */
static bool pstate_good(uint64_t pstate)
{
	switch (pstate & 0x1f) {
	case PSR_MODE_EL0t:
	case PSR_MODE_EL1t:
	case PSR_MODE_EL1h: return true;
	case PSR_MODE_USR: return (sysreg_id(4, 0) & 15) == 2;
	default: return false;
	}
}

static int cpu_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_cpu *r = record;
	bool start = r->flags & KRYPTON_ARM_CPU_START;

	if (r->flags & ~ALL_FLAGS || (start && r->flags != KRYPTON_ARM_CPU_START))
		return state_bad_field(CPU, struct krypton_state_arm_cpu, flags, r->flags);
	if (r->mpidr != v->arch.vmpidr)
		return state_bad_field(CPU, struct krypton_state_arm_cpu, mpidr, r->mpidr);
	if (!start && !pstate_good(r->pstate))
		return state_bad_field(CPU, struct krypton_state_arm_cpu, pstate, r->pstate);
	return 0;
}

static void cpu_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_cpu *r = record;
	struct arch_vcpu *a = &v->arch;

	assert(!a->loaded, "its registers are in memory");
	/* Translations that CPUs remember were the old registers': each drops them when it loads the next vCPU. */
	for (unsigned i = 0; i < MAX_CPUS; i++)
		d->arch.last_vcpu[i] = 0;
	a->clean_next = ~(uint64_t)0;
	if (r->flags & KRYPTON_ARM_CPU_START) {
		a->start.entry = r->start_pc;
		a->start.context = r->start_x0;
		atomic_or(&a->work, WORK_RESET);
		return;
	}
	atomic_and(&a->work, ~WORK_RESET);
	a->hcr = d->arch.hcr | (r->flags & KRYPTON_ARM_CPU_SERROR ? HCR_VSE : 0) |
		 (r->flags & KRYPTON_ARM_CPU_UNCACHED ? HCR_TVM : 0);
	memcpy(a->regs.x, r->x, sizeof(r->x));
	a->regs.pc = r->pc;
	a->regs.pstate = r->pstate;
#define LOAD(name) a->sys.name = r->name;
	EL1_REGISTERS(LOAD)
#undef LOAD
}

static int fp_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_arm_fp *r = record;

	memcpy(r->v, v->arch.fp.v, sizeof(r->v));
	r->fpcr = v->arch.fp.fpcr;
	r->fpsr = v->arch.fp.fpsr;
	return 0;
}

static int fp_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_fp *r = record;

	if (r->reserved)
		return state_bad_field(KRYPTON_STATE_ARM_FP, struct krypton_state_arm_fp, reserved,
				       r->reserved);
	return 0;
}

static void fp_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct krypton_state_arm_fp *r = record;

	memcpy(v->arch.fp.v, r->v, sizeof(r->v));
	v->arch.fp.fpcr = r->fpcr;
	v->arch.fp.fpsr = r->fpsr;
}

/* ---- devices ------------------------------------------------------------------------------------------ */

static int timers_save(struct domain *d, struct vcpu *v, void *record)
{
	vtimer_state_save(v, record);
	return 0;
}

static int timers_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	return vtimer_state_check(record);
}

static void timers_load(struct domain *d, struct vcpu *v, const void *record)
{
	vtimer_state_load(v, record);
}

static uint32_t pl011_length(const struct domain *d)
{
	return vpl011_present(d) ? sizeof(struct krypton_state_arm_pl011) : 0;
}

static int pl011_save(struct domain *d, struct vcpu *v, void *record)
{
	vpl011_state_save(d, record);
	return 0;
}

static int pl011_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	return vpl011_state_check(record);
}

static void pl011_load(struct domain *d, struct vcpu *v, const void *record)
{
	vpl011_state_load(d, record);
}

/* ---- the table ------------------------------------------------------------------------------------------ */

/* clang-format off */
#define RECORD(CODE, name) \
	.code = KRYPTON_STATE_ARM_##CODE, .version = 1, .length = sizeof(struct krypton_state_arm_##name), \
	.save = name##_save, .check = name##_check, .load = name##_load
static const struct state_type type[] = {
	{ RECORD(ID, id) },
	{ RECORD(CLOCK, clock), .moving = true },
	{ RECORD(GICD, gicd), .length_of = gicd_length },
	{ RECORD(GICR, gicr), .per_vcpu = true, .still = gicr_still },
	{ RECORD(CPU, cpu), .per_vcpu = true },
	{ RECORD(FP, fp), .per_vcpu = true },
	{ RECORD(TIMERS, timers), .per_vcpu = true, .moving = true },
	{ RECORD(PL011, pl011), .length_of = pl011_length },
};
/* clang-format on */

const struct arch_state arch_state = {
	.machine = KRYPTON_MACHINE_ARM64,
	.nr = ARRAY_SIZE(type),
	.type = type,
};
