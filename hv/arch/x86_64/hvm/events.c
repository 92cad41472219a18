/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is about to be told: exceptions that its instruction caused, NMIs, interrupts of its local APIC and the event
 * upcall. One event is injected an entry; what else is pending waits for a window. Runs on the vCPU's own CPU.
 *
 * arch.work is set by whoever makes something pending, and stays set as long as anything is: entries while it is clear look at nothing else, and those
 * that find WORK_UPCALL alone at nothing but the upcall.
 */
#include <asm/hvm.h>

#include <asm/trap.h>
#include <arch/vcpu.h>
#include <hv/domain.h>

#define VEC_DE 0
#define VEC_DB 1
#define VEC_UD 6
#define VEC_TS 10

/* APM vol. 2, 8.2.9: exceptions that make a double fault when they meet. */
static bool contributory(uint8_t vector)
{
	return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

void hvm_exception(struct vcpu *v, uint8_t vector, int64_t error, uint64_t cr2)
{
	struct hvm_event *e = &v->arch.event;

	if (v->arch.event_valid && e->type == EVENT_EXCEPTION) {
		bool both = (contributory(e->vector) && contributory(vector)) ||
			    (e->vector == VEC_PF && (contributory(vector) || vector == VEC_PF));

		if (e->vector == VEC_DF && (contributory(vector) || vector == VEC_PF)) {
			hvm_triple_fault(v);
			return;
		}
		if (both) {
			vector = VEC_DF;
			error = 0;
		}
	}
	*e = (struct hvm_event){
		.vector = vector,
		.type = EVENT_EXCEPTION,
		.has_error = error >= 0,
		.error = (uint32_t)error,
		.cr2 = cr2,
	};
	v->arch.event_valid = true;
	hvm_work(v);
}

void hvm_event_replace(struct vcpu *v, const struct hvm_event *e)
{
	hvm->drop_pending(v);
	v->arch.event_valid = e != NULL;
	if (e)
		v->arch.event = *e;
	hvm_work(v);
}

void hvm_work(struct vcpu *v)
{
	(void)atomic_or(&v->arch.work, (uint32_t)WORK_OTHER);
}

void hvm_nmi(struct vcpu *v)
{
	write_once(&v->arch.nmi_pending, true);
	hvm_work(v);
	vcpu_kick(v);
}

/* The upcall of PVH guests: a vector of the vCPU's own, or one for the domain; delivered without the local APIC. */
static uint8_t upcall_vector(const struct vcpu *v)
{
	return v->arch.upcall_vector ? v->arch.upcall_vector
				     : read_once(&v->domain->arch.callback_vector);
}

static bool upcall_wanted(const struct vcpu *v)
{
	return (v->arch.upcall || read_once(&v->arch.work) & WORK_UPCALL) &&
	       vcpu_events_pending(v) && upcall_vector(v);
}

void arch_vcpu_raise_upcall(struct vcpu *v)
{
	/* A vector of the vCPU's own goes through its local APIC (xen/hvm/hvm_op.h). */
	if (v->arch.upcall_vector) {
		vlapic_latch(v, v->arch.upcall_vector, false);
		return;
	}
	(void)atomic_or(&v->arch.work, (uint32_t)WORK_UPCALL);
	vcpu_kick(v);
}

/* Its flag in shared memory, masked or not. */
static bool events_noted(const struct vcpu *v)
{
	const struct vcpu_info *info = load_acquire(&v->info);

	return !info || read_once(&info->evtchn_upcall_pending);
}

/* Anything but interrupts? */
static inline bool first_pending(const struct vcpu *v)
{
	return v->arch.event_valid || read_once(&v->arch.nmi_pending) || read_once(&v->arch.start);
}

/* Is there a reason to look again before the next entry? */
static inline bool anything_pending(const struct vcpu *v)
{
	return first_pending(v) || (v->arch.upcall && upcall_vector(v)) || vlapic_requested(v);
}

bool arch_vcpu_interrupt_pending(struct vcpu *v)
{
	return upcall_wanted(v) || read_once(&v->arch.nmi_pending) || read_once(&v->arch.start) ||
	       vlapic_pending(v);
}

/* The next interrupt to deliver: the upcall first, as its vector counts as the highest. 0: none. */
static uint8_t next_interrupt(struct vcpu *v, bool *upcall)
{
	if (v->arch.upcall) {
		if (unlikely(!events_noted(v)))
			v->arch.upcall = false; /* the guest has looked for itself */
		*upcall = !v->arch.upcall_vector && upcall_wanted(v);
		if (*upcall)
			return read_once(&v->domain->arch.callback_vector);
	}
	*upcall = false;
	return vlapic_deliverable(v);
}

static void deliver_interrupt(struct vcpu *v)
{
	bool upcall;
	uint8_t vector = next_interrupt(v, &upcall);

	if (!vector) {
		hvm->want_interrupt_window(v, false);
		hvm->watch_priority(v, vlapic_held_back(v));
		return;
	}
	if (!hvm->inject_interrupt(v, vector))
		return;
	if (upcall)
		v->arch.upcall = false;
	else
		vlapic_accept(v, vector);
	if (likely(!anything_pending(v)))
		return;
	if (next_interrupt(v, &upcall))
		hvm->want_interrupt_window(v, true);
	else
		hvm->watch_priority(v, vlapic_held_back(v));
}

/* What goes before interrupts. True: the entry has its event. */
static NOINLINE bool deliver_first(struct vcpu *v)
{
	if (read_once(&v->arch.start))
		hvm_take_start(v);
	if (hvm->event_pending(v))
		return true; /* one whose delivery an exit cut short */
	if (v->arch.event_valid) {
		v->arch.event_valid = false;
		hvm->inject(v, &v->arch.event);
		return true;
	}
	if (v->arch.nmi_pending && hvm->nmi_open(v)) {
		write_once(&v->arch.nmi_pending, false);
		hvm->inject_nmi(v);
		return true;
	}
	return false;
}

static NOINLINE void deliver_any(struct vcpu *v, uint32_t work)
{
	if (work & WORK_UPCALL)
		v->arch.upcall = true;
	if (likely(!first_pending(v)) || !deliver_first(v))
		deliver_interrupt(v);
	if (anything_pending(v))
		hvm_work(v);
}

/* The usual case: nothing but the upcall is pending, and the guest takes it now. */
static inline bool deliver_upcall(struct vcpu *v)
{
	uint8_t vector = read_once(&v->domain->arch.callback_vector);

	return vector && vcpu_events_pending(v) && hvm->inject_interrupt(v, vector);
}

void hvm_deliver(struct vcpu *v)
{
	/* Cleared before anything is looked at: what comes meanwhile sets it again. */
	uint32_t work = atomic_xchg(&v->arch.work, 0u);

	if (unlikely(work != WORK_UPCALL))
		deliver_any(v, work);
	else if (!deliver_upcall(v))
		deliver_any(v, WORK_UPCALL);
}
