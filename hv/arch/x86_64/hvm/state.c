/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records of x86 domains, in the layouts of Xen (xen/arch-x86/hvm/save.h): what toolstacks create domains with and what migration
 * carries. The local APIC's are in vlapic_state.c. A vCPU that was never started has no CPU record; one that is loaded starts its vCPU, unless
 * Krypton's own record (public/state.h) says otherwise. Called by core/state with all vCPUs of the domain off their CPUs.
 */
#include <arch/state.h>

#include <arch/vcpu.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/policy.h>
#include <asm/speculation.h>
#include <asm/state.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/string.h>
#include <public/state.h>
#include <xen/hvm/save.h>

/* The XSAVE area (APM vol. 2, 11.5.10): 512 bytes of FXSAVE, a header, then what the header names. */
#define FXSAVE_SIZE  512u
#define FCW_OFFSET   0u
#define MXCSR_OFFSET 24u
#define XCR0_X87     BIT(0)
#define XCR0_SSE     BIT(1)

_Static_assert(offsetof(struct hvm_hw_cpu_xsave, save_area.xsave_hdr) -
		       offsetof(struct hvm_hw_cpu_xsave, save_area) ==
		   FXSAVE_SIZE,
	       "struct hvm_hw_cpu_xsave: an XSAVE area");

/* ---- the header ------------------------------------------------------------------------------------ */

static uint32_t khz(void)
{
	return (uint32_t)(tsc_hz / 1000);
}

static int header_save(struct domain *d, struct vcpu *v, void *record)
{
	struct hvm_save_header *h = record;
	struct vcpu *each;

	/* What a vCPU would take first when it runs again has no record of its own. */
	domain_for_each_vcpu(each, d)
	{
		if (read_once(&each->arch.start))
			hvm_take_start(each);
	}
	h->magic = HVM_FILE_MAGIC;
	h->version = HVM_FILE_VERSION;
	h->cpuid = policy_leaf(d, 1, 0)->eax;
	h->gtsc_khz = khz();
	/* One moment for the counters of all vCPUs, here and when they are loaded. */
	d->arch.state_tsc = rdtsc();
	return 0;
}

static int header_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct hvm_save_header *h = record;

	if (h->magic != HVM_FILE_MAGIC)
		return state_bad_field(HVM_SAVE_CODE(HEADER), struct hvm_save_header, magic,
				       h->magic);
	if (h->version != HVM_FILE_VERSION)
		return refuse(R_STATE_VERSION, HVM_SAVE_CODE(HEADER), HVM_FILE_VERSION, h->version);
	/* Guests' counters run at the speed of the machine's; a few parts in a thousand are its measuring. */
	if (h->gtsc_khz / 256 != khz() / 256 && h->gtsc_khz / 256 + 1 != khz() / 256 &&
	    h->gtsc_khz / 256 != khz() / 256 + 1)
		return refuse(R_STATE_CLOCK, d->id, tsc_hz, h->gtsc_khz * 1000ull);
	return 0;
}

static void header_load(struct domain *d, struct vcpu *v, const void *record)
{
	d->arch.state_tsc = rdtsc();
}

/* ---- the CPU --------------------------------------------------------------------------------------- */

typedef struct hvm_hw_cpu cpu_record;

#define CPU_CODE HVM_SAVE_CODE(CPU)

/* clang-format off */
#define GENERAL(X) X(rbx) X(rcx) X(rdx) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)
#define SAME_NAME(X) X(rax) X(rsp) X(rip) X(rflags) X(cr0) X(cr2) X(cr3) X(cr4) X(dr6) X(dr7) \
	X(sysenter_cs) X(sysenter_esp) X(sysenter_eip)
#define RENAMED(X) X(msr_efer, efer) X(msr_star, star) X(msr_lstar, lstar) X(msr_cstar, cstar) \
	X(msr_syscall_mask, sfmask) X(shadow_gs, kernel_gs_base)
#define SEGMENTS(X) X(es, SEG_ES) X(cs, SEG_CS) X(ss, SEG_SS) X(ds, SEG_DS) X(fs, SEG_FS) X(gs, SEG_GS) \
	X(tr, SEG_TR) X(ldtr, SEG_LDTR)
/* clang-format on */

static void pending_save(struct vcpu *v, cpu_record *r)
{
	struct hvm_event e;

	if (!hvm->get_pending(v, &e)) {
		if (!v->arch.event_valid)
			return;
		e = v->arch.event;
	}
	r->pending_vector = e.vector;
	r->pending_type = (uint8_t)(e.type & 7);
	r->pending_error_valid = e.has_error;
	r->pending_valid = 1;
	r->error_code = e.error;
}

/* Started by nobody yet: there is nothing that it could go on from. */
static bool cpu_present(const struct vcpu *v)
{
	return read_once(&v->initialised) && !read_once(&v->arch.wait_sipi);
}

static int cpu_save(struct domain *d, struct vcpu *v, void *record)
{
	cpu_record *r = record;
	struct hvm_state s;

	assert(!v->arch.loaded, "its registers are in memory");
	hvm->get_state(v, &s);
#define SAVE(name) r->name = v->arch.regs.name;
	GENERAL(SAVE)
#undef SAVE
#define SAVE(name) r->name = s.name;
	SAME_NAME(SAVE)
#undef SAVE
#define SAVE(name, ours) r->name = s.ours;
	RENAMED(SAVE)
#undef SAVE
#define SAVE(name, n)                      \
	r->name##_sel = s.seg[n].selector; \
	r->name##_limit = s.seg[n].limit;  \
	r->name##_base = s.seg[n].base;    \
	r->name##_arbytes = s.seg[n].attr;
	SEGMENTS(SAVE)
#undef SAVE
	r->gdtr_base = s.gdtr.base;
	r->gdtr_limit = s.gdtr.limit;
	r->idtr_base = s.idtr.base;
	r->idtr_limit = s.idtr.limit;
	r->dr0 = v->arch.dr[0];
	r->dr1 = v->arch.dr[1];
	r->dr2 = v->arch.dr[2];
	r->dr3 = v->arch.dr[3];
	r->msr_tsc_aux = v->arch.tsc_aux;
	r->tsc = d->arch.state_tsc + v->arch.tsc_offset;
	pending_save(v, r);
	memcpy(r->fpu_regs, v->arch.fpu, sizeof(r->fpu_regs));
	r->flags = XEN_X86_FPU_INITIALISED;
	return 0;
}

#define FIELD_BAD(name) state_bad_field(CPU_CODE, cpu_record, name, r->name)

/* What VMRUN, and the guest's own MOV to these registers, would refuse; the entry itself catches the rest (EXIT_INVALID). */
static int control_check(const struct vcpu *v, const cpu_record *r)
{
	const uint64_t efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR;
	bool long_mode = (r->msr_efer & EFER_LME) && (r->cr0 & CR0_PG);

	if (!hvm_cr0_valid(r->cr0))
		return FIELD_BAD(cr0);
	if (!hvm_cr4_valid(v, r->cr4) || (long_mode && !(r->cr4 & CR4_PAE)))
		return FIELD_BAD(cr4);
	if (r->cr3 >> 52)
		return FIELD_BAD(cr3);
	if ((r->msr_efer & ~efer) || !!(r->msr_efer & EFER_LMA) != long_mode)
		return FIELD_BAD(msr_efer);
	if (r->rflags >> 22)
		return FIELD_BAD(rflags);
	if (r->dr6 >> 32)
		return FIELD_BAD(dr6);
	if (r->dr7 >> 32)
		return FIELD_BAD(dr7);
	if (r->msr_tsc_aux >> 32)
		return FIELD_BAD(msr_tsc_aux);
	return 0;
}

static int segments_check(const cpu_record *r)
{
#define CHECK(name, n)                        \
	if (r->name##_sel >> 16)              \
		return FIELD_BAD(name##_sel); \
	if (r->name##_arbytes >> 12)          \
		return FIELD_BAD(name##_arbytes);
	SEGMENTS(CHECK)
#undef CHECK
	return 0;
}

/* Only what can be injected (APM vol. 2, 15.20). */
static int pending_check(const cpu_record *r)
{
	bool exception = r->pending_type == EVENT_EXCEPTION;

	if (!r->pending_valid)
		return 0;
	if (r->pending_reserved ||
	    (r->pending_type != EVENT_INTERRUPT && r->pending_type != EVENT_NMI &&
	     r->pending_type != EVENT_SOFTWARE && !exception))
		return FIELD_BAD(pending_event);
	if (exception && (r->pending_vector == 2 || r->pending_vector > 31))
		return FIELD_BAD(pending_event);
	return 0;
}

static uint32_t mxcsr_of(const void *area)
{
	uint32_t v;

	memcpy(&v, (const char *)area + MXCSR_OFFSET, sizeof(v));
	return v;
}

static int cpu_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const cpu_record *r = record;
	int err = control_check(v, r);

	if (!err)
		err = segments_check(r);
	if (!err)
		err = pending_check(r);
	if (err)
		return err;
	if (r->flags & ~XEN_X86_FPU_INITIALISED)
		return FIELD_BAD(flags);
	/* XRSTOR would be refused, and we with it. */
	if ((r->flags & XEN_X86_FPU_INITIALISED) && (mxcsr_of(r->fpu_regs) & ~fpu_mxcsr_mask()))
		return state_bad_field(CPU_CODE, cpu_record, fpu_regs, mxcsr_of(r->fpu_regs));
	return 0;
}

static void fpu_image_load(struct vcpu *v, const cpu_record *r)
{
	uint8_t *area = v->arch.fpu;
	uint64_t components = XCR0_X87 | XCR0_SSE;

	if (!(r->flags & XEN_X86_FPU_INITIALISED)) {
		fpu_reset(v);
		return;
	}
	memset(area, 0, PAGE_SIZE);
	memcpy(area, r->fpu_regs, FXSAVE_SIZE);
	memcpy(area + FXSAVE_SIZE, &components, sizeof(components));
}

/* The counter goes on from where it was; vCPUs that are not started yet will agree with the first. */
static void tsc_load(struct domain *d, struct vcpu *v, uint64_t tsc)
{
	uint64_t offset = tsc - d->arch.state_tsc;
	struct vcpu *o;

	hvm->set_tsc_offset(v, offset);
	if (v->id)
		return;
	d->arch.tsc_offset = offset;
	domain_for_each_vcpu(o, d) if (!read_once(&o->initialised)) hvm->set_tsc_offset(o, offset);
}

static void pending_load(struct vcpu *v, const cpu_record *r)
{
	const struct hvm_event e = {
		.vector = r->pending_vector,
		.type = r->pending_type,
		.has_error = r->pending_error_valid,
		.error = r->error_code,
		.cr2 = r->cr2,
	};

	hvm_event_replace(v, r->pending_valid && !hvm_event_repeats(e.type, e.vector) ? &e : NULL);
}

static void state_load(struct vcpu *v, const cpu_record *r)
{
	struct hvm_state s;

	hvm->get_state(v, &s); /* the page attribute table is another record's */
#define LOAD(name) v->arch.regs.name = r->name;
	GENERAL(LOAD)
#undef LOAD
#define LOAD(name) s.name = r->name;
	SAME_NAME(LOAD)
#undef LOAD
#define LOAD(name, ours) s.ours = r->name;
	RENAMED(LOAD)
#undef LOAD
#define LOAD(name, n)                                \
	s.seg[n] = (struct segment){                 \
		.selector = (uint16_t)r->name##_sel, \
		.attr = (uint16_t)r->name##_arbytes, \
		.limit = r->name##_limit,            \
		.base = r->name##_base,              \
	};
	SEGMENTS(LOAD)
#undef LOAD
	s.gdtr.base = r->gdtr_base;
	s.gdtr.limit = r->gdtr_limit;
	s.idtr.base = r->idtr_base;
	s.idtr.limit = r->idtr_limit;
	s.cr0 |= CR0_ET;
	s.rflags |= 2;
	s.interrupt_shadow = 0;
	hvm->set_state(v, &s);
	hvm->flush_guest_tlb(v);
}

static void cpu_load(struct domain *d, struct vcpu *v, const void *record)
{
	const cpu_record *r = record;

	assert(!v->arch.loaded, "its registers are in memory");
	state_load(v, r);
	v->arch.dr[0] = r->dr0;
	v->arch.dr[1] = r->dr1;
	v->arch.dr[2] = r->dr2;
	v->arch.dr[3] = r->dr3;
	v->arch.tsc_aux = r->msr_tsc_aux;
	tsc_load(d, v, r->tsc);
	pending_load(v, r);
	fpu_image_load(v, r);
	hvm_started(v);
	lock_take(&d->lock);
	v->initialised = true;
	lock_release(&d->lock);
	(void)vcpu_transition(v, VCPU_UP);
	/* An event that came in after the state was saved is pending in shared memory. */
	if (vcpu_events_pending(v))
		arch_vcpu_raise_upcall(v);
}

static void cpu_still(void *before, void *after)
{
	((cpu_record *)before)->tsc = 0;
	((cpu_record *)after)->tsc = 0;
}

/* ---- memory types ---------------------------------------------------------------------------------- */

#define MTRR_CODE    HVM_SAVE_CODE(MTRR)
#define MTRR_DEFAULT 0xc06u /* what guests read: on, write-back (msr.c) */

static int mtrr_save(struct domain *d, struct vcpu *v, void *record)
{
	struct hvm_hw_mtrr *r = record;
	struct hvm_state s;

	hvm->get_state(v, &s);
	r->msr_pat_cr = s.pat;
	r->msr_mtrr_def_type = MTRR_DEFAULT;
	return 0;
}

/* The ranges mean nothing under nested paging here: all of RAM is write-back, whatever a tool puts there. */
static int mtrr_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct hvm_hw_mtrr *r = record;

	return hvm_pat_valid(r->msr_pat_cr)
		   ? 0
		   : state_bad_field(MTRR_CODE, struct hvm_hw_mtrr, msr_pat_cr, r->msr_pat_cr);
}

static void mtrr_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct hvm_hw_mtrr *r = record;
	struct hvm_state s;

	hvm->get_state(v, &s);
	s.pat = r->msr_pat_cr;
	hvm->set_state(v, &s);
}

/* ---- extended state -------------------------------------------------------------------------------- */

static uint32_t xsave_length(const struct domain *d)
{
	return fpu_area_size()
		   ? (uint32_t)offsetof(struct hvm_hw_cpu_xsave, save_area) + fpu_area_size()
		   : 0;
}

static int xsave_save(struct domain *d, struct vcpu *v, void *record)
{
	struct hvm_hw_cpu_xsave *r = record;

	r->xfeature_mask = r->xcr0_accum = fpu_xcr0_allowed();
	r->xcr0 = v->arch.xcr0;
	memcpy(&r->save_area, v->arch.fpu, fpu_area_size());
	return 0;
}

#define XSAVE_BAD(name) state_bad_field(CPU_XSAVE_CODE, struct hvm_hw_cpu_xsave, name, r->name)

/* Whatever XRSTOR would raise #GP for: it is executed by us. */
int hvm_xsave_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct hvm_hw_cpu_xsave *r = record;

	if (!hvm_xcr0_valid(d, r->xcr0))
		return XSAVE_BAD(xcr0);
	if (r->save_area.xsave_hdr.xstate_bv & ~fpu_xcr0_allowed())
		return XSAVE_BAD(save_area.xsave_hdr.xstate_bv);
	if (r->save_area.xsave_hdr.xcomp_bv)
		return XSAVE_BAD(save_area.xsave_hdr.xcomp_bv);
	for (unsigned i = 0; i < ARRAY_SIZE(r->save_area.xsave_hdr.reserved); i++)
		if (r->save_area.xsave_hdr.reserved[i])
			return XSAVE_BAD(save_area.xsave_hdr.reserved[i]);
	if (mxcsr_of(&r->save_area) & ~fpu_mxcsr_mask())
		return state_bad_field(CPU_XSAVE_CODE, struct hvm_hw_cpu_xsave, save_area,
				       mxcsr_of(&r->save_area));
	return 0;
}

void hvm_xsave_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct hvm_hw_cpu_xsave *r = record;

	v->arch.xcr0 = r->xcr0;
	memset(v->arch.fpu, 0, PAGE_SIZE);
	memcpy(v->arch.fpu, &r->save_area, fpu_area_size());
}

/* ---- model-specific registers: SPEC_CTRL, where guests have it -------------------------------------- */

/* struct hvm_msr with one of them. */
struct msr_record {
	uint32_t count, zero;
	struct hvm_one_msr spec_ctrl;
};
_Static_assert(sizeof(struct msr_record) == sizeof(struct hvm_msr) + sizeof(struct hvm_one_msr) &&
		   offsetof(struct msr_record, spec_ctrl) == offsetof(struct hvm_msr, msr),
	       "xen/arch-x86/hvm/save.h");

static uint32_t msr_length(const struct domain *d)
{
	return x86_speculation.guest_spec_ctrl ? sizeof(struct msr_record) : 0;
}

static int msr_save(struct domain *d, struct vcpu *v, void *record)
{
	struct msr_record *r = record;
	struct hvm_state s;

	hvm->get_state(v, &s);
	r->count = 1;
	r->spec_ctrl.index = MSR_SPEC_CTRL;
	r->spec_ctrl.val = s.spec_ctrl;
	return 0;
}

#define MSR_BAD(name, actual) state_bad_field(CPU_MSR_CODE, struct msr_record, name, actual)

/* The CPU refuses bits that it does not have: VMRUN would. */
static int msr_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct msr_record *r = record;

	if (r->count != 1)
		return MSR_BAD(count, r->count);
	if (r->spec_ctrl.index != MSR_SPEC_CTRL || r->spec_ctrl._rsvd)
		return MSR_BAD(spec_ctrl.index, r->spec_ctrl.index);
	if (r->spec_ctrl.val & ~x86_spec_ctrl_of(x86_speculation.guest_leaf))
		return MSR_BAD(spec_ctrl.val, r->spec_ctrl.val);
	return 0;
}

static void msr_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct msr_record *r = record;
	struct hvm_state s;

	hvm->get_state(v, &s);
	s.spec_ctrl = r->spec_ctrl.val;
	hvm->set_state(v, &s);
}

/* ---- the table ------------------------------------------------------------------------------------- */

/* clang-format off */
#define RECORD(CODE, name) \
	.code = HVM_SAVE_CODE(CODE), .length = HVM_SAVE_LENGTH(CODE), \
	.save = name##_save, .check = name##_check, .load = name##_load
static const struct state_type type[] = {
	{ RECORD(HEADER, header) },
	{ RECORD(CPU, cpu), .per_vcpu = true, .present = cpu_present, .still = cpu_still },
	{ RECORD(LAPIC, vlapic_hidden), .per_vcpu = true },
	{ RECORD(LAPIC_REGS, vlapic_regs), .per_vcpu = true, .still = vlapic_regs_still },
	{ RECORD(MTRR, mtrr), .per_vcpu = true },
	{ .code = CPU_XSAVE_CODE, .per_vcpu = true, .length_of = xsave_length,
	  .save = xsave_save, .check = hvm_xsave_check, .load = hvm_xsave_load },
	{ .code = CPU_MSR_CODE, .per_vcpu = true, .length_of = msr_length,
	  .save = msr_save, .check = msr_check, .load = msr_load },
};
/* clang-format on */

const struct arch_state arch_state = {
	.machine = KRYPTON_MACHINE_X86_64,
	.nr = ARRAY_SIZE(type),
	.type = type,
	.xen = true,
};
