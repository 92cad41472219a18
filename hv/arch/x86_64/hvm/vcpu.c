/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86 guests, vendor apart: what core asks of a vCPU (arch/vcpu.h), the loop that runs guests, and the simple exits. The
 * guest's registers live in struct guest_regs and behind asm/hvm.h; its FPU state is switched eagerly, so that
 * nothing of one guest is ever in the CPU while another runs.
 */
#include <arch/vcpu.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <asm/boot.h>
#include <asm/control.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/policy.h>
#include <asm/ports.h>
#include <asm/pvclock.h>
#include <asm/speculation.h>
#include <asm/vioapic.h>
#include <hv/assert.h>
#include <hv/err.h>
#include <hv/hypercall.h>
#include <hv/log.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <xen/features.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

const struct hvm_ops *hvm;

void hvm_boot_init(void)
{
	if (!svm_ops.supported())
		panic("this machine cannot run guests: see the lines above");
	hvm = &svm_ops;
}

/* ---- domains -------------------------------------------------------------------------------------- */

static uint64_t last_predictor_tag; /* [a] */

int arch_domain_init(struct domain *d, const struct domain_config *cfg)
{
	int err;

	err = policy_init(d);
	if (err)
		return err;
	err = hvm->domain_init(d);
	if (err) {
		policy_free(d);
		return err;
	}
	/* FS and GS bases and the system-call MSRs travel with the control block; the TSC is offset. */
	hvm->allow_msr(d, MSR_TSC, true, false);
	if (x86_speculation.guest_pred_cmd)
		hvm->allow_msr(d, MSR_PRED_CMD, false, true);
	if (x86_speculation.guest_spec_ctrl)
		hvm->allow_msr(d, MSR_SPEC_CTRL, true, true);
	d->arch.predictor_tag = atomic_add(&last_predictor_tag, 1);
	d->arch.tsc_offset = -rdtsc();
	err = vlapic_domain_init(d);
	if (!err && (cfg->roles & ROLE_HARDWARE)) {
		d->arch.physdev = true;
		ports_open(d);
		err = vioapic_init(d);
	}
	if (err)
		arch_domain_free(d);
	return err;
}

void arch_domain_free(struct domain *d)
{
	vioapic_free(d);
	hvm->domain_free(d);
	policy_free(d);
	control_free(d);
}

/* ---- vCPUs ---------------------------------------------------------------------------------------- */

/* State after RESET (APM vol. 2, 14.1.3), or after INIT where `start` is a STARTUP's page. */
static void reset_state(struct vcpu *v, unsigned page)
{
	struct hvm_state s = {
		.cr0 = CR0_ET,
		.dr6 = 0xffff0ff0,
		.dr7 = 0x400,
		.pat = 0x0007040600070406,
		.rflags = 2,
		.gdtr = { 0, 0xffff },
		.idtr = { 0, 0xffff },
	};

	for (unsigned i = 0; i < NR_SEGMENTS; i++)
		s.seg[i] = (struct segment){ .attr = 0x093, .limit = 0xffff };
	s.seg[SEG_CS] = (struct segment){
		.selector = (uint16_t)(page << 8),
		.attr = 0x09b,
		.limit = 0xffff,
		.base = (uint64_t)page << 12,
	};
	s.seg[SEG_TR].attr = 0x08b;
	s.seg[SEG_LDTR].attr = 0x082;
	v->arch.regs = (struct guest_regs){ 0 };
	v->arch.nmi_masked = v->arch.nmi_returning = v->arch.nmi_step = false;
	hvm->set_state(v, &s);
}

int arch_vcpu_init(struct vcpu *v)
{
	int err;

	v->arch.tsc_offset = v->domain->arch.tsc_offset;
	err = hvm->vcpu_init(v);
	if (err)
		return err;
	err = fpu_init(v);
	if (err) {
		hvm->vcpu_free(v);
		return err;
	}
	vlapic_init(v);
	reset_state(v, 0);
	v->arch.wait_sipi = v->id != 0;
	return 0;
}

void arch_vcpu_stop(struct vcpu *v)
{
	vlapic_stop(v);
}

void arch_vcpu_free(struct vcpu *v)
{
	fpu_free(v);
	hvm->vcpu_free(v);
}

/*
 * INIT and STARTUP only leave word, in arch.start: kernels send one right after the other, and the vCPU takes both, in their
 * order, when it is about to run. Nobody else touches the registers of a vCPU that may be on its CPU still.
 */
void hvm_init(struct vcpu *v)
{
	(void)atomic_xchg(&v->arch.start, (uint32_t)START_INIT);
	hvm_work(v);
	vcpu_kick(v);
}

void hvm_startup(struct vcpu *v, uint8_t page)
{
	uint32_t old = read_once(&v->arch.start);

	do { /* one that does not wait for it ignores it */
		if (!(old & START_INIT) && !read_once(&v->arch.wait_sipi))
			return;
	} while (!atomic_cas(&v->arch.start, &old, (old & START_INIT) | START_SIPI | page));
	lock_take(&v->domain->lock);
	v->initialised = true;
	lock_release(&v->domain->lock);
	hvm_work(v);
	(void)vcpu_transition(v, VCPU_UP);
}

void hvm_started(struct vcpu *v)
{
	write_once(&v->arch.start, 0u);
	write_once(&v->arch.wait_sipi, false);
}

/* Reset, but the FPU and the APIC's identity and mode stay. */
static void take_init(struct vcpu *v)
{
	hvm_event_replace(v, NULL);
	reset_state(v, 0);
	vlapic_reset(v);
	if (vcpu_events_pending(v)) /* an edge, which nobody would raise again */
		arch_vcpu_raise_upcall(v);
}

void hvm_take_start(struct vcpu *v)
{
	uint32_t start;

	/* A STARTUP finds INIT or that one is waited for. */
	if (read_once(&v->arch.start) & START_INIT)
		write_once(&v->arch.wait_sipi, true);
	start = atomic_xchg(&v->arch.start, 0u);
	if (start & START_INIT)
		take_init(v);
	if (!v->arch.wait_sipi)
		return;
	if (start & START_SIPI) {
		reset_state(v, start & START_PAGE);
		write_once(&v->arch.wait_sipi, false);
		return;
	}
	(void)vcpu_transition(v, VCPU_DOWN);
	if (read_once(&v->arch.start) & START_SIPI) /* it came before that */
		(void)vcpu_transition(v, VCPU_UP);
}

void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
	if (prev && prev->arch.loaded) {
		fpu_save(prev);
		hvm->unload(prev);
		prev->arch.loaded = false;
	}
	if (next) {
		if (unlikely(x86_speculation.ibpb))
			x86_predictors_of(next->domain->arch.predictor_tag);
		fpu_load(next);
		hvm->load(next);
		next->arch.loaded = true;
		pvclock_update(next);
		/* Its timer interrupts the CPU that it runs on, nobody else's. */
		timer_migrate(&next->arch.lapic.timer, this_cpu());
	}
}

/* Softirqs, scheduling and idling, then the guest until there are softirqs again. */
void hv_enter_loop(void)
{
	struct cpu *c = this_cpu();

	for (;;) {
		write_once(&c->mode, (uint32_t)CPU_HYPERVISOR);
		if (softirq_pending()) {
			softirq_run();
			continue;
		}
		if (c->idle) {
			write_once(&c->mode, (uint32_t)CPU_IDLE);
			arch_cpu_idle();
			atomic_fence();
			continue;
		}
		hvm->run(c->current);
	}
}

/* ---- simple exits --------------------------------------------------------------------------------- */

/*
 * With interrupts off only INIT or an NMI can wake it: a kernel stops a CPU this way, and when it was the last one, the domain has
 * switched itself off, as Xen understands it too.
 */
void hvm_halt(struct vcpu *v)
{
	if (likely(hvm->interruptible(v) || read_once(&v->arch.nmi_pending))) {
		vcpu_block(v);
		return;
	}
	(void)vcpu_transition(v, VCPU_DOWN);
	if (domain_all_down(v->domain))
		domain_shutdown(v->domain, SHUTDOWN_poweroff);
}

void hvm_triple_fault(struct vcpu *v)
{
	domain_crash(v->domain, "vCPU %u shut down (triple fault) at rip %llx", v->id,
		     (unsigned long long)hvm->get_rip(v));
}

/* APM vol. 2, 3.1.1 and 3.1.3: combinations that are #GP. */
bool hvm_cr0_valid(uint64_t v)
{
	return !(v >> 32) && (!(v & CR0_PG) || (v & CR0_PE)) && (!(v & CR0_NW) || (v & CR0_CD));
}

static bool guest_cr0(struct vcpu *v, uint64_t value)
{
	uint64_t old = hvm->get_cr(v, 0), efer = hvm->get_efer(v);

	if (!hvm_cr0_valid(value))
		return false;
	if ((value & CR0_PG) && !(old & CR0_PG) && (efer & EFER_LME)) {
		if (!(hvm->get_cr(v, 4) & CR4_PAE))
			return false;
		hvm->set_efer(v, efer | EFER_LMA);
	} else if (!(value & CR0_PG) && (old & CR0_PG) && (efer & EFER_LMA)) {
		hvm->set_efer(v, efer & ~(uint64_t)EFER_LMA);
	}
	/* Caches stay on whatever the guest asks; a flip of paging drops its translations. */
	hvm->set_cr(v, 0, value | CR0_ET);
	if ((value ^ old) & (CR0_PG | CR0_WP | CR0_PE))
		hvm->flush_guest_tlb(v);
	return true;
}

bool hvm_cr4_valid(const struct vcpu *v, uint64_t value)
{
	return !(value & ~policy_cr4_mask(v->domain));
}

static bool guest_cr4(struct vcpu *v, uint64_t value)
{
	uint64_t old = hvm->get_cr(v, 4);

	if (!hvm_cr4_valid(v, value))
		return false;
	if (!(value & CR4_PAE) && (hvm->get_efer(v) & EFER_LMA))
		return false;
	hvm->set_cr(v, 4, value);
	if ((value ^ old) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP))
		hvm->flush_guest_tlb(v);
	return true;
}

bool hvm_write_cr(struct vcpu *v, unsigned n, uint64_t value)
{
	switch (n) {
	case 0: return guest_cr0(v, value);
	case 4: return guest_cr4(v, value);
	case 8:
		if (value > 15)
			return false;
		hvm->set_cr(v, 8, value);
		return true;
	default: return false;
	}
}

/* x87 always; AVX only with SSE (APM vol. 2, 11.5.2). */
bool hvm_xcr0_valid(const struct domain *d, uint64_t value)
{
	return (value & 1) && !(value & ~policy_xcr0_mask(d)) && (!(value & 4) || (value & 2));
}

bool hvm_xsetbv(struct vcpu *v, uint32_t index, uint64_t value)
{
	if (index != 0 || !hvm_xcr0_valid(v->domain, value))
		return false;
	v->arch.xcr0 = value;
	fpu_set_xcr0(value);
	return true;
}

/* ---- what core asks ------------------------------------------------------------------------------- */

/* HVM_PARAM_CALLBACK_IRQ (xen/hvm/params.h): only the vector form makes sense without a platform interrupt controller. */
int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value, bool *handled)
{
	struct vcpu *v;

	if (index != HVM_PARAM_CALLBACK_IRQ)
		return 0;
	if (value >> 56 == HVM_PARAM_CALLBACK_TYPE_VECTOR && (value & 0xff) >= 0x10)
		write_once(&d->arch.callback_vector, (uint8_t)value);
	else if (value == 0)
		write_once(&d->arch.callback_vector, (uint8_t)0);
	domain_for_each_vcpu(v, d)
	{ /* an upcall that had no vector may have one now */
		hvm_work(v);
		vcpu_kick(v);
	}
	return 0;
}

uint32_t arch_features(const struct domain *d, unsigned submap)
{
	if (submap != 0)
		return 0;
	return 1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_writable_page_tables |
	       1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_supervisor_mode_kernel |
	       1u << XENFEAT_hvm_callback_vector | 1u << XENFEAT_hvm_safe_pvclock |
	       (d->arch.physdev ? 1u << XENFEAT_dom0 : 0);
}

const char *arch_capabilities(void)
{
	return "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";
}

void arch_vcpu_dump(struct vcpu *v)
{
	const struct guest_regs *r = &v->arch.regs;
	struct hvm_state s;

	hvm->get_state(v, &s);
	log_error("d%uv%u rip %04x:%016llx rsp %016llx rflags %08llx", v->domain->id, v->id,
		  s.seg[SEG_CS].selector, (unsigned long long)s.rip, (unsigned long long)s.rsp,
		  (unsigned long long)s.rflags);
	log_error("rax %016llx rbx %016llx rcx %016llx rdx %016llx", (unsigned long long)r->rax,
		  (unsigned long long)r->rbx, (unsigned long long)r->rcx,
		  (unsigned long long)r->rdx);
	log_error("rsi %016llx rdi %016llx rbp %016llx r8  %016llx", (unsigned long long)r->rsi,
		  (unsigned long long)r->rdi, (unsigned long long)r->rbp, (unsigned long long)r->r8);
	log_error("cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %llx",
		  (unsigned long long)s.cr0, (unsigned long long)s.cr2, (unsigned long long)s.cr3,
		  (unsigned long long)s.cr4, (unsigned long long)s.efer);
	hvm->dump(v);
}
