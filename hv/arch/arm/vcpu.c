/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arm's part of domains and vCPUs: what a vCPU has in a CPU, how it gets there and back, and the state it
 * starts from. A vCPU is loaded by arch_vcpu_switch() and stays so through idle; only registers
 * that entry.S saves and the ones named in struct guest_sysregs differ between vCPUs.
 *
 * Called by the scheduler (switch), by domain creation, and by PSCI.
 */
#include <arch/vcpu.h>

#include <asm/control.h>
#include <asm/fault.h>
#include <asm/host_timer.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>
#include <hv/assert.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/string.h>
#include <xen/features.h>
#include <xen/hvm/params.h>
#include <xen/platform.h>

/* xen/arch-arm.h gives the value for 32 bits; these are reserved-one in SCTLR_EL1 (D17.2.118). */
#define SCTLR_EL1_RES1  0x30100800
#define SCTLR_EL1_RESET (SCTLR_GUEST_INIT | SCTLR_EL1_RES1)

/*
 * HCR_EL2 of every 64-bit guest (D17.2.48):
 *   VM		second-stage translation on
 *   PTW	a first-stage table in device memory faults: speculative reads must not reach devices
 *   FMO IMO AMO physical FIQ, IRQ, SError come to us; virtual ones exist
 *   FB BSU_IS	TLB and cache operations that mean "this CPU" reach all: the vCPU may have moved
 *   TID3	identification registers, group 3: sysreg.c answers
 *   TSC	SMC comes to us
 *   TIDCP	implementation-defined registers come to us
 *   TACR	ACTLR_EL1: remembered, without effect
 *   TSW	set/way cache maintenance: setway.c
 *   TERR TLOR	error records and LORegions: hidden
 *   RW		EL1 is 64-bit
 * Clear, on purpose: HCD (HVC works), TVM, TRVM, TGE, E2H, DC, CD, ID; API and APK (pointer authentication
 * is hidden, its keys are not switched), ATA (tags), FIEN, EnSCXT, AMVOFFEN.
 */
#define HCR_GUEST                                                                          \
	(HCR_VM | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TID3 | \
	 HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_TSW | HCR_TERR | HCR_TLOR | HCR_RW)

/* MDCR_EL2 (D17.3.18): debug registers, PMU, SPE and trace filter come to us; HPMN stays. */
#define MDCR_TPMCR BIT(5)
#define MDCR_TPM   BIT(6)
#define MDCR_TDA   BIT(9)
#define MDCR_TDOSA BIT(10)
#define MDCR_TDRA  BIT(11)
#define MDCR_TPMS  BIT(14)
#define MDCR_TTRF  BIT(19)
#define MDCR_GUEST \
	(MDCR_TPMCR | MDCR_TPM | MDCR_TDA | MDCR_TDOSA | MDCR_TDRA | MDCR_TPMS | MDCR_TTRF)

/* CPTR_EL2 (D17.2.36): the reserved-one bits (they trap SVE and SME), trace and activity monitors. */
#define CPTR_GUEST   (0x33ffu | BIT(20) | BIT(30))

/* CNTHCTL_EL2 (D17.11.2): the physical counter may be read; the physical timer is emulated. */
#define CNTHCT_GUEST BIT(0)

void guest_cpu_init(void)
{
	uint64_t mmfr0 = sysreg_read(id_aa64mmfr0_el1), mmfr1 = sysreg_read(id_aa64mmfr1_el1);

	sysreg_write(cptr_el2, CPTR_GUEST);
	sysreg_write(mdcr_el2, (sysreg_read(mdcr_el2) & 0x1f) | MDCR_GUEST);
	sysreg_write(hstr_el2, BIT(15)); /* implementation-defined CP15 of 32-bit programs */
	sysreg_write(cnthctl_el2, CNTHCT_GUEST);
	sysreg_write(cntv_ctl_el0, 0);
	sysreg_write(vpidr_el2, sysreg_read(midr_el1));
	sysreg_write(vtcr_el2, p2m_vtcr());
	sysreg_write(vttbr_el2, 0);
	/* Reset values of these are unknown; zero is: no finer traps, nothing enabled. */
	if ((mmfr1 >> 40) & 15)
		sysreg_write(s3_4_c1_c2_2, 0); /* HCRX_EL2 */
	if ((mmfr0 >> 56) & 15) {
		sysreg_write(s3_4_c1_c1_4, 0); /* HFGRTR_EL2 */
		sysreg_write(s3_4_c1_c1_5, 0); /* HFGWTR_EL2 */
		sysreg_write(s3_4_c1_c1_6, 0); /* HFGITR_EL2 */
		sysreg_write(s3_4_c3_c1_4, 0); /* HDFGRTR_EL2 */
		sysreg_write(s3_4_c3_c1_5, 0); /* HDFGWTR_EL2 */
	}
	vgic_cpu_init();
	isb();
	__asm__ volatile("tlbi alle1; dsb nsh; isb" ::: "memory");
}

BOOT_TEXT void guest_boot_init(void)
{
	p2m_boot_init();
	sysreg_boot_init();
}

/* ---- loading and saving --------------------------------------------------------------------------- */

static void sysregs_save(struct guest_sysregs *s)
{
	s->sp_el0 = sysreg_read(sp_el0);
	s->sp_el1 = sysreg_read(sp_el1);
	s->elr_el1 = sysreg_read(elr_el1);
	s->spsr_el1 = sysreg_read(spsr_el1);
	s->sctlr_el1 = sysreg_read(sctlr_el1);
	s->cpacr_el1 = sysreg_read(cpacr_el1);
	s->ttbr0_el1 = sysreg_read(ttbr0_el1);
	s->ttbr1_el1 = sysreg_read(ttbr1_el1);
	s->tcr_el1 = sysreg_read(tcr_el1);
	s->mair_el1 = sysreg_read(mair_el1);
	s->amair_el1 = sysreg_read(amair_el1);
	s->esr_el1 = sysreg_read(esr_el1);
	s->far_el1 = sysreg_read(far_el1);
	s->afsr0_el1 = sysreg_read(afsr0_el1);
	s->afsr1_el1 = sysreg_read(afsr1_el1);
	s->vbar_el1 = sysreg_read(vbar_el1);
	s->contextidr_el1 = sysreg_read(contextidr_el1);
	s->par_el1 = sysreg_read(par_el1);
	s->tpidr_el0 = sysreg_read(tpidr_el0);
	s->tpidrro_el0 = sysreg_read(tpidrro_el0);
	s->tpidr_el1 = sysreg_read(tpidr_el1);
	s->cntkctl_el1 = sysreg_read(cntkctl_el1);
	s->csselr_el1 = sysreg_read(csselr_el1);
}

/* All but what switches the first stage on: stage1_load() does that last. */
static void sysregs_load(const struct guest_sysregs *s)
{
	sysreg_write(sp_el0, s->sp_el0);
	sysreg_write(sp_el1, s->sp_el1);
	sysreg_write(elr_el1, s->elr_el1);
	sysreg_write(spsr_el1, s->spsr_el1);
	sysreg_write(cpacr_el1, s->cpacr_el1);
	sysreg_write(ttbr0_el1, s->ttbr0_el1);
	sysreg_write(ttbr1_el1, s->ttbr1_el1);
	sysreg_write(mair_el1, s->mair_el1);
	sysreg_write(amair_el1, s->amair_el1);
	sysreg_write(esr_el1, s->esr_el1);
	sysreg_write(far_el1, s->far_el1);
	sysreg_write(afsr0_el1, s->afsr0_el1);
	sysreg_write(afsr1_el1, s->afsr1_el1);
	sysreg_write(vbar_el1, s->vbar_el1);
	sysreg_write(contextidr_el1, s->contextidr_el1);
	sysreg_write(par_el1, s->par_el1);
	sysreg_write(tpidr_el0, s->tpidr_el0);
	sysreg_write(tpidrro_el0, s->tpidrro_el0);
	sysreg_write(tpidr_el1, s->tpidr_el1);
	sysreg_write(cntkctl_el1, s->cntkctl_el1);
	sysreg_write(csselr_el1, s->csselr_el1);
}

/*
 * Cortex-A57 1319537, A72 1319367, A55 1530923, A76 1165522: these CPUs may execute an AT instruction speculatively while translation
 * registers are those of two contexts, and keep in the TLB what it found. So in between the first stage is on and its
 * walks are off: nothing is found. It goes there and back in steps that each make sense alone.
 */
static bool speculative_at; /* [c] once CPUs are up */

#define SCTLR_M  BIT(0)
#define TCR_EPD0 BIT(7)
#define TCR_EPD1 BIT(23)

static void stage1_park(void)
{
	sysreg_write(tcr_el1, sysreg_read(tcr_el1) | TCR_EPD0 | TCR_EPD1);
	isb();
	sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_M);
	isb();
}

static void stage1_load(uint64_t sctlr, uint64_t tcr)
{
	if (unlikely(speculative_at))
		isb();
	sysreg_write(sctlr_el1, sctlr);
	if (unlikely(speculative_at))
		isb();
	sysreg_write(tcr_el1, tcr);
}

void vcpu_speculative_at(void)
{
	write_once(&speculative_at, true);
	stage1_park();
}

void stage1_hold(struct stage1 *s)
{
	if (likely(!speculative_at))
		return;
	*s = (struct stage1){ .sctlr = sysreg_read(sctlr_el1), .tcr = sysreg_read(tcr_el1) };
	stage1_park();
}

void stage1_release(const struct stage1 *s)
{
	if (unlikely(speculative_at))
		stage1_load(s->sctlr, s->tcr);
}

static void save(struct vcpu *v)
{
	struct arch_vcpu *a = &v->arch;

	sysregs_save(&a->sys);
	/* An SError that its last instructions caused belongs to it and not to the next one. */
	if (unlikely(serror_sync_window()))
		inject_serror(v);
	/* The CPU clears VSE when the guest takes a virtual SError. */
	a->hcr = (a->hcr & ~HCR_VSE) | (sysreg_read(hcr_el2) & HCR_VSE);
	fpsimd_save(&a->fp);
	vtimer_save(v);
	vgic_save(v);
	a->loaded = false;
}

static void load(struct vcpu *v)
{
	struct arch_vcpu *a = &v->arch;
	uint16_t *last = &v->domain->arch.last_vcpu[this_cpu()->id];

	sysreg_write(vttbr_el2, p2m_vttbr(&v->domain->p2m.view));
	sysreg_write(hcr_el2, a->hcr);
	sysreg_write(vmpidr_el2, a->vmpidr);
	sysregs_load(&a->sys);
	/*
	 * Two vCPUs of a domain share its VMID; each may mean different things by one ASID, which on
	 * real CPUs of their own would never meet.
	 */
	if (unlikely(*last != v->id + 1)) {
		*last = (uint16_t)(v->id + 1);
		isb();
		__asm__ volatile("tlbi vmalle1; dsb nsh" ::: "memory");
	}
	fpsimd_load(&a->fp);
	vtimer_load(v);
	vgic_load(v);
	stage1_load(a->sys.sctlr_el1, a->sys.tcr_el1);
	a->loaded = true;
	isb();
}

void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
	if (prev && prev->arch.loaded)
		save(prev);
	if (unlikely(speculative_at))
		stage1_park();
	if (next)
		load(next);
	else
		sysreg_write(hcr_el2, HCR_HOST);
}

/* ---- domains --------------------------------------------------------------------------------------- */

/* The interrupt controller's place is the builder's to choose: vgic_init(), vgic_add_region(). */
int arch_domain_init(struct domain *d, const struct domain_config *cfg)
{
	struct arch_domain *a = &d->arch;

	a->hcr = HCR_GUEST;
	if (!options.vwfi_native)
		a->hcr |= HCR_TWI | HCR_TWE;
	a->cntvoff = host_ticks();
	/* A PPI, level-low (xen/hvm/params.h). */
	d->hvm_param[HVM_PARAM_CALLBACK_IRQ] = (uint64_t)HVM_PARAM_CALLBACK_TYPE_PPI << 56 |
					       HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_LOW_LEVEL << 8 |
					       GUEST_EVTCHN_PPI;
	return cfg->arch ? control_place_devices(d, cfg->arch) : 0;
}

void arch_domain_free(struct domain *d)
{
	vgic_free(d);
}

/* ---- vCPUs ------------------------------------------------------------------------------------------ */

void vcpu_reset(struct vcpu *v, uint64_t entry, uint64_t context)
{
	struct arch_vcpu *a = &v->arch;

	a->regs = (struct guest_regs){ .pc = entry, .pstate = PSR_GUEST64_INIT | PSR_DBG_MASK };
	a->regs.x[0] = context;
	a->sys = (struct guest_sysregs){ .sctlr_el1 = SCTLR_EL1_RESET };
	memset(&a->fp, 0, sizeof(a->fp));
	a->hcr = v->domain->arch.hcr;
	a->clean_next = ~(uint64_t)0;
	vtimer_reset(v);
	vgic_vcpu_reset(v);
}

int arch_vcpu_init(struct vcpu *v)
{
	v->arch.vmpidr = BIT(31) | vcpu_affinity(v->id);
	vgic_vcpu_init(v);
	vtimer_init(v);
	vcpu_reset(v, 0, 0);
	return 0;
}

void arch_vcpu_stop(struct vcpu *v)
{
	vtimer_stop(v);
}

void arch_vcpu_free(struct vcpu *v) {}

/* Only what EL1 and EL0 may be: a guest that could name EL2 here would be us. */
static bool pstate_allowed(uint64_t pstate)
{
	uint64_t mode = pstate & 0x1f;

	return mode == PSR_MODE_EL1h || mode == PSR_MODE_EL1t || mode == PSR_MODE_EL0t;
}

int arch_vcpu_set_context(struct vcpu *v, const vcpu_guest_context_t *c)
{
	const struct vcpu_guest_core_regs *u = &c->user_regs;
	struct arch_vcpu *a = &v->arch;

	if (!pstate_allowed(u->cpsr))
		return refuse(R_BAD_VCPU_CONTEXT, v->id, 0, u->cpsr);
	vcpu_reset(v, u->pc64, 0);
	memcpy(a->regs.x, &u->x0, sizeof(a->regs.x));
	a->regs.pstate = u->cpsr;
	a->sys.spsr_el1 = u->spsr_el1;
	a->sys.elr_el1 = u->elr_el1;
	a->sys.sp_el0 = u->sp_el0;
	a->sys.sp_el1 = u->sp_el1;
	a->sys.sctlr_el1 = c->sctlr | SCTLR_EL1_RES1;
	a->sys.tcr_el1 = c->ttbcr;
	a->sys.ttbr0_el1 = c->ttbr0;
	a->sys.ttbr1_el1 = c->ttbr1;
	return 0;
}

void arch_vcpu_get_context(struct vcpu *v, vcpu_guest_context_t *c)
{
	struct vcpu_guest_core_regs *u = &c->user_regs;
	struct arch_vcpu *a = &v->arch;

	*c = (vcpu_guest_context_t){ .flags = vcpu_state(v) == VCPU_OFFLINE ? 0 : VGCF_online };
	memcpy(&u->x0, a->regs.x, sizeof(a->regs.x));
	u->pc64 = a->regs.pc;
	u->cpsr = a->regs.pstate;
	u->spsr_el1 = a->sys.spsr_el1;
	u->elr_el1 = a->sys.elr_el1;
	u->sp_el0 = a->sys.sp_el0;
	u->sp_el1 = a->sys.sp_el1;
	c->sctlr = a->sys.sctlr_el1;
	c->ttbcr = a->sys.tcr_el1;
	c->ttbr0 = a->sys.ttbr0_el1;
	c->ttbr1 = a->sys.ttbr1_el1;
}

void arch_vcpu_raise_upcall(struct vcpu *v)
{
	vgic_inject(v->domain, v, GUEST_EVTCHN_PPI);
	vcpu_kick(v); /* one that blocks wakes even if it has this interrupt disabled */
}

bool arch_vcpu_interrupt_pending(struct vcpu *v)
{
	return vgic_pending(v) || vtimer_pending(v) || vcpu_events_pending(v);
}

int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value, bool *handled)
{
	*handled = false;
	return 0;
}

void arch_vcpu_unpin(struct vcpu *v) {}

/* Starting and stopping is PSCI's, timers are the CPU's. */
bool arch_has_vcpu_op(uint32_t op)
{
	return false;
}

int arch_vcpu_op(struct vcpu *caller, struct vcpu *v, uint32_t op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_vcpu_op);
}

int arch_hvm_op(struct vcpu *caller, uint32_t op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_hvm_op);
}

int arch_platform_op(struct vcpu *caller, struct xen_platform_op *op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_platform_op);
}

int arch_physdev_op(struct vcpu *caller, uint32_t op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_physdev_op);
}

uint32_t arch_features(const struct domain *d, unsigned submap)
{
	if (submap)
		return 0;
	return 1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_ARM_SMCCC_supported |
	       1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
	       (d->roles & ROLE_HARDWARE ? 1u << XENFEAT_dom0 : 0) |
	       1u << (d->direct_map ? XENFEAT_direct_mapped : XENFEAT_not_direct_mapped);
}

const char *arch_capabilities(void)
{
	return "xen-3.0-aarch64";
}

/* ---- reports ----------------------------------------------------------------------------------------- */

static void dump_stack(struct vcpu *v, uint64_t sp)
{
	uint64_t word[4];

	if (v != current_vcpu()) /* only its own translation tables can be walked */
		return;
	for (unsigned line = 0; line < 8; line++, sp += sizeof(word)) {
		if (guest_read(v, word, gva(sp), sizeof(word)))
			return;
		log_info("  %016llx: %016llx %016llx %016llx %016llx", (unsigned long long)sp,
			 (unsigned long long)word[0], (unsigned long long)word[1],
			 (unsigned long long)word[2], (unsigned long long)word[3]);
	}
}

void arch_vcpu_dump(struct vcpu *v)
{
	struct guest_sysregs now, *s = &v->arch.sys;
	const struct guest_regs *r = &v->arch.regs;
	uint64_t sp;

	if (v->arch.loaded && this_cpu()->current == v) {
		sysregs_save(&now);
		s = &now;
	}
	sp = (r->pstate & 0xf) == PSR_MODE_EL1h ? s->sp_el1 : s->sp_el0;
	log_info("d%uv%u: pc %016llx  pstate %08llx  sp %016llx  lr %016llx", v->domain->id, v->id,
		 (unsigned long long)r->pc, (unsigned long long)r->pstate, (unsigned long long)sp,
		 (unsigned long long)r->x[30]);
	for (unsigned i = 0; i < 30; i += 3)
		log_info("  x%-2u %016llx  x%-2u %016llx  x%-2u %016llx", i,
			 (unsigned long long)r->x[i], i + 1, (unsigned long long)r->x[i + 1], i + 2,
			 (unsigned long long)r->x[i + 2]);
	log_info("  sctlr %08llx  tcr %016llx  ttbr0 %016llx  ttbr1 %016llx",
		 (unsigned long long)s->sctlr_el1, (unsigned long long)s->tcr_el1,
		 (unsigned long long)s->ttbr0_el1, (unsigned long long)s->ttbr1_el1);
	log_info("  esr %08llx  far %016llx  elr %016llx  spsr %08llx  vbar %016llx",
		 (unsigned long long)s->esr_el1, (unsigned long long)s->far_el1,
		 (unsigned long long)s->elr_el1, (unsigned long long)s->spsr_el1,
		 (unsigned long long)s->vbar_el1);
	dump_stack(v, sp);
}
