/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What toolstacks read and write of a vCPU beside its state records (hvm/state.c) and its context (hvm/context.c): extended context,
 * extended state, MSRs. They are calls for PV guests; what PVH guests get of them is what Xen 4.17 was seen to answer. The domain
 * is held still meanwhile (hv/control.h); a call copies less than a page.
 */
#include <asm/control.h>

#include <arch/vcpu.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/state.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/guest.h>
#include <hv/hypercall.h>
#include <hv/reason.h>
#include <xen/domctl.h>
#include <xen/hvm/save.h>

/* ---- extended context: call-backs of PV guests, and machine checks ------------------------------------ */

#define EXT_PV_SIZE  offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)
#define EXT_CAP_SIZE (EXT_PV_SIZE + sizeof(uint64_t))
#define MCG_COUNT    0xffu /* MCG_CAP: how many banks; none is shown to guests here (hvm/msr.c) */
#define RPL          3u

static void ext_get(const struct vcpu *v, struct xen_domctl_ext_vcpucontext *e)
{
	*e = (struct xen_domctl_ext_vcpucontext){ .vcpu = v->id, .size = sizeof(*e) };
}

/* There is nothing to set, so a value is only looked at. The structure may be cut after any part, or be longer than ours. */
static int ext_set(const struct vcpu *v, const struct xen_domctl_ext_vcpucontext *e)
{
	if (e->size < EXT_PV_SIZE)
		return refuse(R_EXT_CONTEXT, v->id, EXT_PV_SIZE, e->size);
	if (e->syscall32_callback_eip || (e->syscall32_callback_cs & ~RPL))
		return refuse(R_EXT_CONTEXT, v->id, 0, e->syscall32_callback_eip);
	if (e->sysenter_callback_eip || (e->sysenter_callback_cs & ~RPL))
		return refuse(R_EXT_CONTEXT, v->id, 0, e->sysenter_callback_eip);
	if (e->size >= EXT_CAP_SIZE && (e->mcg_cap & ~(uint64_t)MCG_COUNT))
		return refuse(R_EXT_CONTEXT, v->id, MCG_COUNT, e->mcg_cap);
	return 0;
}

/* ---- extended state: XCR0 twice, now and ever, then the XSAVE area -------------------------------------- */

#define XSTATE_HEADER 16u
#define XSTATE_LEAST  (XSTATE_HEADER + 512u + 64u) /* x87, SSE and the header of the area */
#define X87_AND_SSE   3u

_Static_assert(offsetof(struct hvm_hw_cpu_xsave, save_area) ==
		   offsetof(struct hvm_hw_cpu_xsave, xcr0) + XSTATE_HEADER,
	       "xen/arch-x86/hvm/save.h");

/* A state record (xen/arch-x86/hvm/save.h) is the same behind its first word. */
struct xstate {
	struct hvm_hw_cpu_xsave r;
	uint8_t wider[256]; /* what fpu_area_size() is larger by with AVX */
};

static uint32_t xstate_size(void)
{
	return XSTATE_HEADER + fpu_area_size();
}

static int xstate_get(struct vcpu *caller, const struct vcpu *v, struct xen_domctl_vcpuextstate *x)
{
	uint64_t xcr0[2] = { v->arch.xcr0, fpu_xcr0_allowed() };
	gva_t to = handle_gva(x->buffer);
	int err;

	if (!to.a || (!x->size && !x->xfeature_mask)) {
		x->xfeature_mask = fpu_xcr0_allowed();
		x->size = xstate_size();
		return 0;
	}
	if (x->size < xstate_size() || x->xfeature_mask != fpu_xcr0_allowed())
		return refuse(R_XSTATE_SIZE, v->id, xstate_size(), x->size);
	x->size = xstate_size();
	err = guest_write(caller, to, xcr0, sizeof(xcr0));
	return err ? err
		   : guest_write(caller, gva_add(to, sizeof(xcr0)), v->arch.fpu, fpu_area_size());
}

static int xstate_set(struct vcpu *caller, struct vcpu *v, const struct xen_domctl_vcpuextstate *x)
{
	struct xstate s = { 0 };
	int err;

	if (x->size < XSTATE_HEADER || x->size > xstate_size())
		return refuse(R_XSTATE_SIZE, v->id, xstate_size(), x->size);
	err = guest_read(caller, &s.r.xcr0, handle_gva(x->buffer), x->size);
	if (err || x->size == XSTATE_HEADER) /* of a vCPU that never had any */
		return err;
	if (x->size < XSTATE_LEAST || (x->size < xstate_size() && s.r.xcr0_accum > X87_AND_SSE))
		return refuse(R_XSTATE_SIZE, v->id, xstate_size(), x->size);
	if ((s.r.xcr0 | s.r.save_area.xsave_hdr.xstate_bv) & ~s.r.xcr0_accum)
		return refuse(R_XSTATE_SIZE, v->id, s.r.xcr0_accum, s.r.xcr0);
	err = hvm_xsave_check(v->domain, v, &s);
	if (!err)
		hvm_xsave_load(v->domain, v, &s);
	return err;
}

/* ---- the calls ------------------------------------------------------------------------------------------- */

static int act(struct vcpu *caller, struct vcpu *v, struct xen_domctl *op)
{
	switch (op->cmd) {
	case XEN_DOMCTL_get_ext_vcpucontext: ext_get(v, &op->u.ext_vcpucontext); return 0;
	case XEN_DOMCTL_set_ext_vcpucontext: return ext_set(v, &op->u.ext_vcpucontext);
	case XEN_DOMCTL_getvcpuextstate: return xstate_get(caller, v, &op->u.vcpuextstate);
	default: return xstate_set(caller, v, &op->u.vcpuextstate);
	}
}

int control_vcpu(struct vcpu *caller, struct domain *d, struct xen_domctl *op, bool *answer)
{
	/* Where all of these structures have the vCPU's number. */
	uint32_t id = op->u.ext_vcpucontext.vcpu;
	struct vcpu *v = domain_find_vcpu(d, id);
	int err;

	if (!v)
		return refuse(R_VCPU_NOT_MADE, id, 0, d->id);
	if (op->cmd == XEN_DOMCTL_get_vcpu_msrs || op->cmd == XEN_DOMCTL_set_vcpu_msrs)
		return refuse(R_VCPU_MSRS, id, 0, d->id);
	if (d == caller->domain)
		return op->cmd == XEN_DOMCTL_getvcpuextstate ||
			       op->cmd == XEN_DOMCTL_setvcpuextstate
			   ? refuse(R_NOT_ON_SELF, d->id, 0, op->cmd)
			   : refuse(R_EXT_ON_SELF, d->id, 0, op->cmd);
	err = control_hold(caller->domain, d);
	if (err)
		return err;
	err = act(caller, v, op);
	control_release(d);
	*answer = !err;
	return err;
}
