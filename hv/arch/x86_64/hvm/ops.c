/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that only the x86 ABI has: of vcpu_op (starting a vCPU in a given state, the PV clock's second place) and of hvm_op. */
#include <arch/vcpu.h>

#include <arch/timer.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/pvclock.h>
#include <hv/guest.h>
#include <hv/hypercall.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

#define FIRST_VECTOR 16u

/* ---- VCPUOP_initialise ------------------------------------------------------------------------------ */

static void set_32(struct vcpu *v, struct hvm_state *s, const struct vcpu_hvm_x86_32 *c)
{
	v->arch.regs = (struct guest_regs){
		.rcx = c->ecx,
		.rdx = c->edx,
		.rbx = c->ebx,
		.rbp = c->ebp,
		.rsi = c->esi,
		.rdi = c->edi,
	};
	s->rax = c->eax;
	s->rsp = c->esp;
	s->rip = c->eip;
	s->rflags = c->eflags;
	s->cr0 = c->cr0;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->efer = c->efer;
	s->seg[SEG_CS] = (struct segment){ .attr = c->cs_ar,
					   .limit = c->cs_limit,
					   .base = c->cs_base };
	s->seg[SEG_DS] = (struct segment){ .attr = c->ds_ar,
					   .limit = c->ds_limit,
					   .base = c->ds_base };
	s->seg[SEG_SS] = (struct segment){ .attr = c->ss_ar,
					   .limit = c->ss_limit,
					   .base = c->ss_base };
	s->seg[SEG_ES] = (struct segment){ .attr = c->es_ar,
					   .limit = c->es_limit,
					   .base = c->es_base };
	s->seg[SEG_TR] = (struct segment){ .attr = c->tr_ar,
					   .limit = c->tr_limit,
					   .base = c->tr_base };
}

static void set_64(struct vcpu *v, struct hvm_state *s, const struct vcpu_hvm_x86_64 *c)
{
	const struct segment data = { .attr = 0xc93, .limit = ~0u };

	v->arch.regs = (struct guest_regs){
		.rcx = c->rcx,
		.rdx = c->rdx,
		.rbx = c->rbx,
		.rbp = c->rbp,
		.rsi = c->rsi,
		.rdi = c->rdi,
	};
	s->rax = c->rax;
	s->rsp = c->rsp;
	s->rip = c->rip;
	s->rflags = c->rflags;
	s->cr0 = c->cr0;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->efer = c->efer;
	s->seg[SEG_CS] = (struct segment){ .attr = 0xa9b, .limit = ~0u };
	s->seg[SEG_DS] = s->seg[SEG_ES] = s->seg[SEG_SS] = data;
	s->seg[SEG_TR] = (struct segment){ .attr = 0x08b, .limit = 0x67 };
}

/* What VMRUN, and the guest's own MOV to these registers, would refuse. */
static bool state_valid(struct vcpu *v, const struct hvm_state *s, bool wide)
{
	uint64_t efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	if (!hvm_cr0_valid(s->cr0) || !(s->cr0 & CR0_PE) || !hvm_cr4_valid(v, s->cr4) ||
	    (s->efer & ~efer) || !(s->rflags & 2) || s->rflags >> 22)
		return false;
	/* Long mode is what LMA says, and needs all of these. */
	if (s->efer & EFER_LMA)
		return (s->efer & EFER_LME) && (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE);
	return !wide && !((s->efer & EFER_LME) && (s->cr0 & CR0_PG));
}

static int initialise(struct vcpu *caller, struct vcpu *v, gva_t arg)
{
	struct vcpu_hvm_context c;
	struct hvm_state s;
	bool wide;
	int err;

	err = guest_get(caller, &c, arg);
	if (err)
		return err;
	wide = c.mode == VCPU_HVM_MODE_64B;
	if (c.mode > VCPU_HVM_MODE_64B || c.pad)
		return refuse(R_BAD_HVM_CONTEXT, v->id, 0, c.mode);
	lock_take(&v->domain->lock);
	if (v->initialised || !vcpu_off_cpu(v)) {
		err = refuse(R_VCPU_INITIALISED, v->id, 0, 0);
		goto out;
	}
	hvm->get_state(v, &s);
	if (wide)
		set_64(v, &s, &c.cpu_regs.x86_64);
	else
		set_32(v, &s, &c.cpu_regs.x86_32);
	if (!state_valid(v, &s, wide)) {
		err = refuse(R_BAD_HVM_CONTEXT, v->id, 0, s.cr0);
		goto out;
	}
	s.cr0 |= CR0_ET;
	hvm->set_state(v, &s);
	hvm_started(v);
	v->initialised = true;
out:
	lock_release(&v->domain->lock);
	return err;
}

/* ---- the clock's second place ----------------------------------------------------------------------- */

static int register_time(struct vcpu *caller, struct vcpu *v, gva_t arg)
{
	struct vcpu_register_time_memory_area op;
	struct pin pin = { .va = NULL };
	uint64_t offset;
	int err;

	if (v != caller)
		return refuse(R_NOT_OWN_VCPU, v->id, caller->id,
			      VCPUOP_register_vcpu_time_memory_area);
	err = guest_get(v, &op, arg);
	if (err)
		return err;
	if (!op.addr.p) { /* none any more: Linux asks for that before it is saved */
		pin_put(&v->arch.time_pin);
		return 0;
	}
	offset = op.addr.p & (PAGE_SIZE - 1);
	if (offset > PAGE_SIZE - sizeof(struct vcpu_time_info) || (offset & 7))
		return refuse(R_BAD_TIME_AREA, v->id, PAGE_SIZE - sizeof(struct vcpu_time_info),
			      offset);
	err = pin_get_va(&pin, v, gva(op.addr.p));
	if (err)
		return err;
	pin_put(&v->arch.time_pin);
	v->arch.time_pin = pin;
	v->arch.time_offset = (uint16_t)offset;
	pvclock_update(v);
	return 0;
}

void arch_vcpu_unpin(struct vcpu *v)
{
	pin_put(&v->arch.time_pin);
}

bool arch_has_vcpu_op(uint32_t op)
{
	return true;
}

int arch_vcpu_op(struct vcpu *caller, struct vcpu *v, uint32_t op, gva_t arg)
{
	switch (op) {
	case VCPUOP_initialise: return initialise(caller, v, arg);
	case VCPUOP_register_vcpu_time_memory_area: return register_time(caller, v, arg);
	case VCPUOP_send_nmi: hvm_nmi(v); return 0;
	default: return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_vcpu_op);
	}
}

/* ---- hvm_op --------------------------------------------------------------------------------------- */

static int set_upcall_vector(struct vcpu *caller, gva_t arg)
{
	struct xen_hvm_evtchn_upcall_vector op;
	struct vcpu *v;
	int err;

	err = guest_get(caller, &op, arg);
	if (err)
		return err;
	if (op.vector < FIRST_VECTOR)
		return refuse(R_BAD_UPCALL_VECTOR, op.vcpu, FIRST_VECTOR, op.vector);
	v = domain_find_vcpu(caller->domain, op.vcpu);
	if (!v)
		return refuse(R_NO_SUCH_VCPU, op.vcpu, caller->domain->max_vcpus, op.vcpu);
	write_once(&v->arch.upcall_vector, op.vector);
	hvm_work(v);
	if (vcpu_events_pending(v)) /* raised by the old way, perhaps */
		arch_vcpu_raise_upcall(v);
	return 0;
}

static int get_time(struct vcpu *caller, gva_t arg)
{
	struct xen_hvm_get_time op = {
		.now = arch_time_ns() + (uint64_t)caller->domain->time_offset,
	};

	return guest_put(caller, arg, &op);
}

int arch_hvm_op(struct vcpu *caller, uint32_t op, gva_t arg)
{
	switch (op) {
	case HVMOP_set_evtchn_upcall_vector: return set_upcall_vector(caller, arg);
	case HVMOP_get_time: return get_time(caller, arg);
	default: return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_hvm_op);
	}
}
