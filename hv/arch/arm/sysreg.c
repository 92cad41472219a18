/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers whose access traps. Identification registers are data: computed once from this
 * machine's by the table below, which names what guests may see field by field; a field that is
 * not named reads as zero, so that a feature of a later CPU is hidden until somebody looks at it.
 *
 * Everything not known here is undefined for the guest, as it would be on a CPU without the feature.
 */
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/vcpu.h>

#define FIELD(low) (15ull << (low))
#define ALL        (~(uint64_t)0)

/*
 * ID(CRm, op2, fields shown, bits set besides): op0 3, op1 0, CRn 0; DDI 0487 D17.2.
 *
 * Hidden: EL2 and EL3, RAS, SVE, SME, MTE, MPAM, AMU, pointer authentication (its keys would have
 * to be switched), PMU, SPE, trace, LORegions, nested virtualization, transactional memory, WFxT (time-outs
 * are not emulated), what needs HCRX_EL2, and at EL1 the 32-bit state.
 */
/* clang-format off */
#define F FIELD
#define ID_REGISTERS                                                                            \
	/* ID_PFR0, 1: without RAS, AMU; without virtualization */                              \
	ID(1, 0, ALL & ~(F(28) | F(20)), 0)                                                     \
	ID(1, 1, ALL & ~F(12), 0)                                                               \
	/* ID_DFR0: debug architecture only */                                                  \
	ID(1, 2, F(0), 0)                                                                       \
	/* ID_MMFR0..3, ID_ISAR0..5, ID_MMFR4, ID_ISAR6, MVFR0..2 */                            \
	ID(1, 4, ALL, 0) ID(1, 5, ALL, 0) ID(1, 6, ALL, 0) ID(1, 7, ALL, 0)                     \
	ID(2, 0, ALL, 0) ID(2, 1, ALL, 0) ID(2, 2, ALL, 0) ID(2, 3, ALL, 0)                     \
	ID(2, 4, ALL, 0) ID(2, 5, ALL, 0) ID(2, 6, ALL, 0) ID(2, 7, ALL, 0)                     \
	ID(3, 0, ALL, 0) ID(3, 1, ALL, 0) ID(3, 2, ALL, 0)                                      \
	/* ID_PFR2: CSV3, SSBS. ID_MMFR5 */                                                     \
	ID(3, 4, F(0) | F(4), 0)                                                                \
	ID(3, 6, ALL, 0)                                                                        \
	/* ID_AA64PFR0: EL0, FP, AdvSIMD, GIC, DIT, CSV2, CSV3; EL1 is 64-bit */                \
	ID(4, 0, F(0) | F(16) | F(20) | F(24) | F(48) | F(56) | F(60), 1ull << 4)               \
	/* ID_AA64PFR1: BT, SSBS */                                                             \
	ID(4, 1, F(0) | F(4), 0)                                                                \
	/* ID_AA64DFR0: Armv8 debug with the fewest breakpoints allowed, no double lock */      \
	ID(5, 0, 0, 6 | 1ull << 12 | 1ull << 20 | 15ull << 36)                                  \
	/* ID_AA64ISAR0: all but TME */                                                         \
	ID(6, 0, ALL & ~F(24), 0)                                                               \
	/* ID_AA64ISAR1: DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB, SPECRES, BF16, DGH, I8MM */      \
	ID(6, 1, F(0) | F(12) | F(16) | F(20) | F(32) | F(36) | F(40) | F(44) | F(48) | F(52), 0) \
	/* ID_AA64ISAR2: RPRES, BC */                                                           \
	ID(6, 2, F(4) | F(20), 0)                                                               \
	/* ID_AA64MMFR0: ASIDs, endianness, first-stage granules, ExS; PARange below */         \
	ID(7, 0, F(4) | F(8) | F(12) | F(16) | F(20) | F(24) | F(28) | F(44), 0)                \
	/* ID_AA64MMFR1: HAFDBS, HPDS, PAN, ETS, AFP, nTLBPA */                                 \
	ID(7, 1, F(0) | F(12) | F(20) | F(36) | F(44) | F(48), 0)                               \
	/* ID_AA64MMFR2: CnP, UAO, LSM, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD */          \
	ID(7, 2, F(0) | F(4) | F(8) | F(16) | F(20) | F(28) | F(32) | F(36) | F(48) | F(52) | F(60), 0)
/* clang-format on */

static uint64_t id_register[8][8]; /* [c] by CRm and op2, as guests see them */

static void cap_field(uint64_t *reg, unsigned low, uint64_t most)
{
	if (((*reg >> low) & 15) > most)
		*reg = (*reg & ~FIELD(low)) | most << low;
}

BOOT_TEXT void sysreg_boot_init(void)
{
#define ID(crm, op2, shown, set) \
	id_register[crm][op2] = (sysreg_read(s3_0_c0_c##crm##_##op2) & (shown)) | (set);
	ID_REGISTERS
#undef ID
	/* CSV2 2 and up would promise SCXTNUM registers of its own. */
	cap_field(&id_register[4][0], 56, 1);
	id_register[7][0] |= p2m_guest_pa_range();
	if ((id_register[4][0] & 15) < 2) { /* no 32-bit state: these are unknown */
		for (unsigned crm = 1; crm <= 3; crm++)
			for (unsigned op2 = 0; op2 < 8; op2++)
				id_register[crm][op2] = 0;
	}
}

uint64_t sysreg_id(unsigned crm, unsigned op2)
{
	return id_register[crm][op2];
}

#define OSLSR_OSLM BIT(3) /* the OS lock exists, and is open */

/* A debug register (op0 2): there is nothing behind any of them. */
static bool debug_read(uint32_t reg, uint64_t *value)
{
	if (((reg >> 14) & 7) == 1) /* trace */
		return false;
	*value = reg == TRAPPED(2, 0, 1, 1, 4) ? OSLSR_OSLM : 0;
	return true;
}

static bool is_id_register(uint32_t reg)
{
	uint32_t crm = (reg >> 1) & 15;

	return (reg & ~(7u << 17 | 15u << 1)) == TRAPPED(3, 0, 0, 0, 0) && crm >= 1 && crm <= 7;
}

/* PMU registers: CRn 9, CRm 12..14, and CRn 14, CRm 8..15. */
static bool is_pmu(uint32_t reg)
{
	uint32_t crn = (reg >> 10) & 15, crm = (reg >> 1) & 15;

	if ((reg >> 20) != 3)
		return false;
	return (crn == 9 && crm >= 12 && crm <= 14) || (crn == 14 && crm >= 8);
}

static bool read_register(struct vcpu *v, uint32_t reg, uint64_t *value)
{
	if (is_id_register(reg)) {
		*value = id_register[(reg >> 1) & 7][(reg >> 17) & 7];
		return true;
	}
	if (reg == TRAPPED(3, 0, 1, 0, 1)) { /* ACTLR_EL1 */
		*value = v->arch.sys.actlr_el1;
		return true;
	}
	if (vtimer_sysreg(v, reg, false, value))
		return true;
	if ((reg >> 20) == 2)
		return debug_read(reg, value);
	*value = 0;
	return is_pmu(reg);
}

static bool write_register(struct vcpu *v, uint32_t reg, uint64_t value)
{
	uint64_t unused;

	switch (reg) {
	case TRAPPED(3, 0, 1, 0, 1): v->arch.sys.actlr_el1 = value; return true;
	case TRAPPED(3, 0, 12, 11, 6): /* ICC_ASGI1R_EL1, ICC_SGI0R_EL1: groups that nobody has */
	case TRAPPED(3, 0, 12, 11, 7): return true;
	}
	if (vtimer_sysreg(v, reg, true, &value))
		return true;
	if ((reg >> 20) == 2)
		return debug_read(reg, &unused);
	return is_pmu(reg);
}

void sysreg_exit(struct vcpu *v, uint64_t esr)
{
	struct guest_regs *r = &v->arch.regs;
	uint32_t reg = (uint32_t)esr & TRAPPED_MASK;
	unsigned rt = (esr >> 5) & 31;
	bool el0 = (r->pstate & 0x1f) == PSR_MODE_EL0t;

	if (likely(reg == TRAPPED(3, 0, 12, 11, 5) && !(esr & 1))) { /* ICC_SGI1R_EL1 */
		vgic_send_sgi(v, reg_get(r, rt));
		skip_instruction(r, esr);
		return;
	}
	switch (reg) {
	case TRAPPED(1, 0, 7, 6, 2): /* DC ISW, CSW, CISW */
	case TRAPPED(1, 0, 7, 10, 2):
	case TRAPPED(1, 0, 7, 14, 2):
		if (setway_clean(v))
			skip_instruction(r, esr);
		return;
	}
	if ((v->arch.hcr & HCR_TVM) && !(esr & 1)) {
		bool again;

		if (setway_vm_register(v, reg, reg_get(r, rt), &again)) {
			if (!again)
				skip_instruction(r, esr);
			return;
		}
	}
	/* Programs may have the timer, which EL1 has granted them; everything else is EL1's. */
	if (el0 && ((reg >> 20) == 2 || is_pmu(reg))) {
		inject_undefined(v);
		return;
	}
	if (esr & 1) {
		uint64_t value;

		if (read_register(v, reg, &value)) {
			reg_set(r, rt, value);
			skip_instruction(r, esr);
			return;
		}
	} else if (write_register(v, reg, reg_get(r, rt))) {
		skip_instruction(r, esr);
		return;
	}
	inject_undefined(v);
}
