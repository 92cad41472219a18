/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data and instruction aborts of the second stage: an access to a device that we emulate becomes a
 * record (struct io_access) and is answered; one that met a mapping being changed is tried again; all
 * others become aborts in the guest. Called by the exit path of the vCPU that is loaded here.
 */
#include <asm/decode.h>
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/domain.h>
#include <hv/guest.h>
#include <hv/io.h>

/* ISS of data and instruction aborts (DDI 0487, D17.2.37). */
#define ISS_ISV         BIT(24)
#define ISS_SAS(iss)    (((iss) >> 22) & 3)
#define ISS_SSE         BIT(21)
#define ISS_SRT(iss)    (((iss) >> 16) & 31)
#define ISS_SF          BIT(15)
#define ISS_FNV         BIT(10)
#define ISS_CM          BIT(8)
#define ISS_S1PTW       BIT(7)
#define ISS_WNR         BIT(6)
#define FSC_KIND(iss)   ((iss)&0x3c)
#define FSC_TRANSLATION 0x04
#define FSC_PERMISSION  0x0c

/* ---- accesses to devices ------------------------------------------------------------------------------- */

/* What a load of `size` bytes leaves in its register: all 64 bits (`wide`), or the lower half. */
static uint64_t extend(uint64_t value, unsigned size, bool sign, bool wide)
{
	unsigned shift = 64 - 8 * size;

	value <<= shift;
	value = sign ? (uint64_t)((int64_t)value >> shift) : value >> shift;
	return wide ? value : (uint32_t)value;
}

static uint64_t store_value(const struct guest_regs *r, unsigned reg, unsigned size)
{
	return reg_get(r, reg) & (~(uint64_t)0 >> (64 - 8 * size));
}

/* The access that the syndrome describes. False: nobody answers at that address. */
static bool emulate_syndrome(struct vcpu *v, uint64_t esr, gpa_t addr)
{
	struct guest_regs *r = &v->arch.regs;
	unsigned size = 1u << ISS_SAS(esr), reg = ISS_SRT(esr);
	struct io_access a = { .addr = addr, .size = (uint8_t)size, .write = esr & ISS_WNR };

	if (a.write)
		a.value = store_value(r, reg, size);
	if (io_access(v, &a) != IO_DONE)
		return false;
	if (!a.write)
		reg_set(r, reg, extend(a.value, size, esr & ISS_SSE, esr & ISS_SF));
	skip_instruction(r, esr);
	return true;
}

static uint64_t base_get(const struct vcpu *v, unsigned n)
{
	if (n != 31)
		return v->arch.regs.x[n];
	return (v->arch.regs.pstate & 0xf) == PSR_MODE_EL1h ? sysreg_read(sp_el1)
							    : sysreg_read(sp_el0);
}

static void base_set(struct vcpu *v, unsigned n, uint64_t value)
{
	if (n != 31)
		v->arch.regs.x[n] = value;
	else if ((v->arch.regs.pstate & 0xf) == PSR_MODE_EL1h)
		sysreg_write(sp_el1, value);
	else
		sysreg_write(sp_el0, value);
}

/* The access of an instruction that the syndrome does not describe. */
static bool emulate_instruction(struct vcpu *v, uint64_t far, gpa_t addr)
{
	struct guest_regs *r = &v->arch.regs;
	uint64_t base, at;
	struct load_store d;
	uint32_t insn;

	if (r->pstate & BIT(4)) /* a 32-bit program */
		return false;
	if (guest_read(v, &insn, gva(r->pc), sizeof(insn)) || !decode_load_store(insn, &d))
		return false;
	base = base_get(v, d.base);
	at = d.post ? base : base + (uint64_t)(int64_t)d.offset;
	/* The abort is for the first byte that is not mapped: it must be all of the access. */
	if (at != far || (far & (PAGE_SIZE - 1)) + d.size * d.n > PAGE_SIZE)
		return false;
	/* Big-endian data, and base registers that the instruction loads, are nobody's wish. */
	if (d.writeback && d.base != 31 && (d.base == d.reg[0] || (d.n == 2 && d.base == d.reg[1])))
		return false;

	for (unsigned i = 0; i < d.n; i++) {
		struct io_access a = { .addr = gpa_add(addr, i * d.size),
				       .size = d.size,
				       .write = d.write };

		if (d.write)
			a.value = store_value(r, d.reg[i], d.size);
		if (io_access(v, &a) != IO_DONE)
			return false;
		if (!d.write)
			reg_set(r, d.reg[i], extend(a.value, d.size, d.sign, d.wide));
	}
	if (d.writeback)
		base_set(v, d.base, base + (uint64_t)(int64_t)d.offset);
	r->pc += 4;
	return true;
}

/* ---- aborts -------------------------------------------------------------------------------------------- */

/* The second stage maps it for this kind of access after all: the guest may try again. */
static bool mapped_now(const struct vcpu *v, gpa_t a, bool write, bool execute)
{
	struct p2m_entry e = p2m_lookup(v->domain, gpa_to_gfn(a));

	if (!mfn_valid(e.mfn))
		return false;
	if (execute)
		return p2m_type_is_ram(e.type);
	return !write || p2m_type_writable(e.type) || e.type == P2M_MMIO_DIRECT;
}

/* Was only the log of writes in the way? Of the CPU's own writes to tables too (FEAT_HAFDBS): another vCPU's may just have met it. */
static bool logged(struct vcpu *v, gpa_t a, bool walk)
{
	enum p2m_type t = p2m_lookup(v->domain, gpa_to_gfn(a)).type;

	if (t == P2M_LOGDIRTY)
		p2m_log_fault(v->domain, gpa_to_gfn(a));
	return t == P2M_LOGDIRTY || (walk && t == P2M_RAM_RW);
}

/* The guest physical address of an abort; HPFAR_EL2 is not always valid (D17.2.64). */
static bool abort_address(uint64_t esr, uint64_t far, gpa_t *a)
{
	if ((esr & ISS_S1PTW) || FSC_KIND(esr) == FSC_TRANSLATION) {
		*a = gpa((sysreg_read(hpfar_el2) & 0xffffffffff0ull) << 8 | (far & (PAGE_SIZE - 1)));
		return true;
	}
	if (esr & ISS_FNV)
		return false;
	return guest_translate_stage1(gva(far), false, a);
}

void data_abort(struct vcpu *v, uint64_t esr)
{
	uint64_t far = sysreg_read(far_el2);
	/* Cache maintenance counts as a write in the syndrome but needs only to read (D17.2.37, CM). */
	bool write = (esr & ISS_WNR) && !(esr & ISS_CM);
	unsigned kind = FSC_KIND(esr);
	gpa_t a;

	if ((kind == FSC_TRANSLATION || kind == FSC_PERMISSION) && abort_address(esr, far, &a)) {
		bool walk = esr & ISS_S1PTW;

		if (kind == FSC_PERMISSION && (write || walk) && logged(v, a, walk))
			return;
		if (kind == FSC_TRANSLATION && !walk && (esr & ISS_ISV) &&
		    emulate_syndrome(v, esr, a))
			return;
		/* A table in device memory is refused for good (HCR_EL2.PTW). */
		if (!(walk && kind == FSC_PERMISSION) && mapped_now(v, a, write && !walk, false))
			return;
		if (kind == FSC_TRANSLATION && !walk && !(esr & (ISS_ISV | ISS_CM)) &&
		    emulate_instruction(v, far, a))
			return;
	}
	inject_data_abort(v, far, esr & ISS_WNR);
}

void instruction_abort(struct vcpu *v, uint64_t esr)
{
	uint64_t far = sysreg_read(far_el2);
	unsigned kind = FSC_KIND(esr);
	gpa_t a;

	if ((kind == FSC_TRANSLATION || kind == FSC_PERMISSION) && abort_address(esr, far, &a)) {
		bool walk = esr & ISS_S1PTW;

		if (kind == FSC_PERMISSION && walk && logged(v, a, true))
			return;
		if (!(walk && kind == FSC_PERMISSION) && mapped_now(v, a, false, !walk))
			return;
	}
	inject_instruction_abort(v, far);
}
