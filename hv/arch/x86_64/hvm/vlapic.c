/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's local APIC (APM vol. 2, 16; Intel SDM vol. 3, 10). One set of register functions serves the memory-mapped and the x2APIC form. Requested vectors may be
 * set by any CPU; all else happens on the vCPU's own. Interrupt commands find their targets by walking the domain's vCPUs.
 */
#include <asm/vlapic.h>

#include "vlapic.h"
#include <arch/timer.h>
#include <asm/hvm.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/policy.h>
#include <asm/vioapic.h>
#include <hv/domain.h>
#include <hv/string.h>

/* The timer's input clock: 1 GHz before the divider, so that one count is one nanosecond. */

static bool x2apic(const struct vlapic *a)
{
	return a->base & APIC_BASE_X2APIC;
}

static bool enabled(const struct vlapic *a)
{
	return (a->base & APIC_BASE_ENABLE) && (a->svr & SVR_ENABLE);
}

/* ---- sets of vectors ------------------------------------------------------------------------------ */

uint8_t vlapic_highest(const uint32_t set[8])
{
	for (int i = 7; i >= 0; i--) {
		uint32_t w = read_once(&set[i]);

		if (w)
			return (uint8_t)(i * 32 + 31 - __builtin_clz(w));
	}
	return 0;
}

static bool any_in(const uint32_t set[8])
{
	const uint64_t *pair = (const uint64_t *)(const void *)set; /* four loads, not eight */

	return read_once(&pair[0]) | read_once(&pair[1]) | read_once(&pair[2]) | read_once(&pair[3]);
}

static void set_bit_in(uint32_t set[8], uint8_t vector)
{
	atomic_or(&set[vector / 32], 1u << vector % 32);
}

static bool clear_bit_in(uint32_t set[8], uint8_t vector)
{
	return atomic_and(&set[vector / 32], ~(1u << vector % 32)) >> vector % 32 & 1;
}

/* The task priority. Its upper half is CR8 (16.6.4), which guests write without an exit; that clears the lower one. */
uint8_t vlapic_task_priority(struct vcpu *v)
{
	struct vlapic *a = &v->arch.lapic;
	uint32_t cr8 = (uint32_t)hvm->get_cr(v, 8);

	if (a->tpr >> 4 != cr8)
		a->tpr = cr8 << 4;
	return (uint8_t)a->tpr;
}

void vlapic_set_task_priority(struct vcpu *v, uint8_t value)
{
	v->arch.lapic.tpr = value;
	hvm->set_cr(v, 8, value >> 4);
}

/* The processor's priority: what an interrupt must exceed. */
static uint8_t processor_priority(struct vcpu *v)
{
	uint8_t isr = v->arch.lapic.highest_isr & 0xf0, tpr = vlapic_task_priority(v);

	return (tpr & 0xf0) >= isr ? tpr : isr;
}

static void error(struct vcpu *v, uint32_t bit);

void vlapic_request(struct vcpu *v, uint8_t vector, bool level)
{
	struct vlapic *a = &v->arch.lapic;

	if (vector >= 16 && enabled(a))
		vlapic_latch(v, vector, level);
}

void vlapic_latch(struct vcpu *v, uint8_t vector, bool level)
{
	struct vlapic *a = &v->arch.lapic;

	if (level)
		set_bit_in(a->tmr, vector);
	else
		(void)clear_bit_in(a->tmr, vector);
	set_bit_in(a->irr, vector);
	hvm_work(v);
	vcpu_kick(v);
}

bool vlapic_requested(const struct vcpu *v)
{
	return any_in(v->arch.lapic.irr);
}

uint8_t vlapic_deliverable(struct vcpu *v)
{
	struct vlapic *a = &v->arch.lapic;
	uint8_t vector;

	if (likely(!any_in(a->irr))) /* at nearly every entry */
		return 0;
	vector = vlapic_highest(a->irr);
	return vector && enabled(a) && (vector & 0xf0) > (processor_priority(v) & 0xf0) ? vector
											: 0;
}

bool vlapic_held_back(struct vcpu *v)
{
	struct vlapic *a = &v->arch.lapic;
	uint8_t in_service = a->highest_isr & 0xf0, priority;

	if (likely(!any_in(a->irr)) || !enabled(a))
		return false;
	priority = vlapic_highest(a->irr) & 0xf0;
	return priority > in_service && priority <= vlapic_task_priority(v);
}

bool vlapic_pending(struct vcpu *v)
{
	return vlapic_deliverable(v) != 0;
}

void vlapic_accept(struct vcpu *v, uint8_t vector)
{
	struct vlapic *a = &v->arch.lapic;

	(void)clear_bit_in(a->irr, vector);
	a->isr[vector / 32] |= 1u << vector % 32;
	a->highest_isr = vector;
}

static void end_of_interrupt(struct vcpu *v)
{
	struct vlapic *a = &v->arch.lapic;
	uint8_t vector = a->highest_isr;

	if (!vector)
		return;
	a->isr[vector / 32] &= ~(1u << vector % 32);
	a->highest_isr = vlapic_highest(a->isr);
	if (a->tmr[vector / 32] >> vector % 32 & 1)
		vioapic_eoi(v->domain, vector);
}

/* A local interrupt by its LVT entry. */
static void local_interrupt(struct vcpu *v, unsigned lvt)
{
	uint32_t e = v->arch.lapic.lvt[lvt];

	if (e & LVT_MASKED)
		return;
	if ((e >> 8 & 7) == 4) { /* NMI */
		hvm_nmi(v);
		return;
	}
	vlapic_request(v, (uint8_t)e, false);
}

static void error(struct vcpu *v, uint32_t bit)
{
	v->arch.lapic.esr |= bit;
	local_interrupt(v, LVT_ERROR);
}

/* ---- interrupt commands --------------------------------------------------------------------------- */

/* x2APIC's logical id: cluster in 31..16, one bit below (SDM 10.12.10.2). */
static uint32_t x2apic_ldr(uint32_t id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

static bool logical_match(const struct vlapic *a, uint32_t dest, bool wide)
{
	if (wide) {
		uint32_t ldr = x2apic_ldr(a->id);

		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	}
	if (a->dfr >> 28 == 0xf) /* flat */
		return (a->ldr >> 24) & dest & 0xff;
	return (a->ldr >> 28) == (dest >> 4 & 15) && ((a->ldr >> 24) & dest & 15);
}

bool vlapic_matches(const struct vcpu *target, uint32_t dest, bool logical, bool wide)
{
	const struct vlapic *a = &target->arch.lapic;

	if (dest == (wide ? ~0u : 0xffu))
		return true;
	return logical ? logical_match(a, dest, wide) : a->id == dest;
}

static void command_one(struct vcpu *target, uint32_t low)
{
	switch (low >> 8 & 7) {
	case 0: /* fixed */
	case 1: /* lowest priority: we deliver to all named, callers pick one */
		vlapic_request(target, (uint8_t)low, false);
		break;
	case 4: hvm_nmi(target); break;
	case 5: /* INIT; its de-assert does nothing */
		if ((low & 1u << 14) || !(low & 1u << 15))
			hvm_init(target);
		break;
	case 6: hvm_startup(target, (uint8_t)low); break;
	default: break;
	}
}

static void command(struct vcpu *v, uint32_t low, uint32_t dest, bool wide)
{
	unsigned shorthand = low >> 18 & 3;
	bool lowest = (low >> 8 & 7) == 1;
	struct vcpu *t;

	if ((uint8_t)low < 16 && (low >> 8 & 7) <= 1) {
		error(v, 1u << 5); /* send illegal vector */
		return;
	}
	domain_for_each_vcpu(t, v->domain)
	{
		bool named = shorthand == 0   ? vlapic_matches(t, dest, low & 1u << 11, wide)
			     : shorthand == 1 ? t == v
			     : shorthand == 2 ? true
					      : t != v;

		if (!named)
			continue;
		command_one(t, low);
		if (lowest)
			return;
	}
}

/* A message has 8 bits of destination, whatever the mode of the one that it is for. */
static bool message_for(const struct vcpu *v, uint8_t dest, bool logical)
{
	const struct vlapic *a = &v->arch.lapic;

	return vlapic_matches(v, dest, logical, logical && x2apic(a) && dest != 0xff);
}

void vlapic_message(struct domain *d, uint32_t entry, uint8_t dest)
{
	unsigned mode = entry >> 8 & 7;
	struct vcpu *v;

	domain_for_each_vcpu(v, d)
	{
		if (!message_for(v, dest, entry & 1u << 11))
			continue;
		switch (mode) {
		case 0: /* fixed */
		case 1: /* lowest priority */
			vlapic_request(v, (uint8_t)entry, entry & 1u << 15);
			break;
		case 4: command_one(v, 4u << 8); break;
		default: return; /* SMI, INIT and ExtINT are no device's here */
		}
		if (mode == 1)
			return;
	}
}

/* ---- timer ---------------------------------------------------------------------------------------- */

uint32_t vlapic_divider(const struct vlapic *a)
{
	unsigned code = (a->timer_divide & 3) | (a->timer_divide >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

static uint64_t timer_period(const struct vlapic *a)
{
	return (uint64_t)a->timer_initial * vlapic_divider(a);
}

/*
 * Timers run on the host's time, not on the guest's: a period this short is the vCPU's to have while it takes each tick (and pays for that
 * by running), no longer.
 */
#define SHORTEST_PERIOD 20000u
#define UNTAKEN_PERIOD  1000000u

static bool requested(const struct vlapic *a, uint8_t vector)
{
	return read_once(&a->irr[vector / 32]) >> vector % 32 & 1;
}

static void timer_fired(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, arch.lapic.timer);
	struct vlapic *a = &v->arch.lapic;
	uint32_t lvt = read_once(&a->lvt[LVT_TIMER]);
	bool untaken = requested(a, (uint8_t)lvt);

	if (!(lvt & LVT_MASKED))
		vlapic_request(v, (uint8_t)lvt, false);
	untaken |= !requested(a, (uint8_t)lvt);
	if (TIMER_MODE(lvt) == TIMER_PERIODIC && read_once(&a->timer_initial))
		timer_set(t, MAX(t->expires + timer_period(a),
				 arch_time_ns() + (untaken ? UNTAKEN_PERIOD : SHORTEST_PERIOD)));
	else
		a->tsc_deadline = 0;
}

static void timer_start(struct vcpu *v)
{
	struct vlapic *a = &v->arch.lapic;

	if (!a->timer_initial || TIMER_MODE(a->lvt[LVT_TIMER]) == TIMER_DEADLINE) {
		timer_stop(&a->timer);
		return;
	}
	a->timer_started = arch_time_ns();
	timer_set(&a->timer, a->timer_started + timer_period(a));
}

uint32_t vlapic_timer_left(const struct vlapic *a)
{
	uint64_t passed = (arch_time_ns() - a->timer_started) / vlapic_divider(a);

	if (!a->timer_initial || TIMER_MODE(a->lvt[LVT_TIMER]) == TIMER_DEADLINE)
		return 0;
	if (TIMER_MODE(a->lvt[LVT_TIMER]) == TIMER_PERIODIC)
		return a->timer_initial - (uint32_t)(passed % a->timer_initial);
	return passed >= a->timer_initial ? 0 : a->timer_initial - (uint32_t)passed;
}

void vlapic_timer_resume(struct vcpu *v, uint32_t left)
{
	struct vlapic *a = &v->arch.lapic;
	uint64_t now = arch_time_ns();

	a->timer_started = now - (uint64_t)(a->timer_initial - left) * vlapic_divider(a);
	if (a->timer_initial && left && TIMER_MODE(a->lvt[LVT_TIMER]) != TIMER_DEADLINE)
		timer_set(&a->timer, now + (uint64_t)left * vlapic_divider(a));
	else
		timer_stop(&a->timer);
}

/* Ticks that no machine is up for; fewer can be added to its counter and be scaled (tsc_to_ns). */
#define TSC_NEVER (1ull << 56)

void vlapic_set_tsc_deadline(struct vcpu *v, uint64_t guest_tsc)
{
	struct vlapic *a = &v->arch.lapic;
	uint64_t host = rdtsc(), now = host + v->arch.tsc_offset, left;

	if (TIMER_MODE(a->lvt[LVT_TIMER]) != TIMER_DEADLINE)
		return;
	a->tsc_deadline = guest_tsc;
	left = guest_tsc > now ? guest_tsc - now : 0;
	if (!guest_tsc || left > TSC_NEVER)
		timer_stop(&a->timer);
	else
		timer_set(&a->timer, tsc_to_ns(host + left));
}

/* ---- registers ------------------------------------------------------------------------------------ */

static int lvt_index(uint32_t offset)
{
	if (offset == REG_CMCI)
		return LVT_CMCI;
	return offset >= REG_LVT_TIMER && offset <= REG_LVT_ERROR
		   ? (int)(LVT_TIMER + (offset - REG_LVT_TIMER) / 16)
		   : -1;
}

bool vlapic_read(struct vcpu *v, uint32_t offset, uint64_t *value)
{
	struct vlapic *a = &v->arch.lapic;
	int lvt = lvt_index(offset);

	*value = 0;
	if (offset & 0xf)
		return !x2apic(a);
	if (lvt > 0) {
		*value = a->lvt[lvt];
		return true;
	}
	switch (offset) {
	case REG_ID: *value = x2apic(a) ? a->id : a->id << 24; return true;
	case REG_VERSION: *value = VERSION; return true;
	case REG_TPR: *value = vlapic_task_priority(v); return true;
	case REG_PPR: *value = processor_priority(v); return true;
	case REG_LDR: *value = x2apic(a) ? x2apic_ldr(a->id) : a->ldr; return true;
	case REG_DFR: *value = a->dfr; return !x2apic(a);
	case REG_SVR: *value = a->svr; return true;
	case REG_ISR ... REG_ISR + 0x70: *value = a->isr[(offset - REG_ISR) / 16]; return true;
	case REG_TMR ... REG_TMR + 0x70:
		*value = read_once(&a->tmr[(offset - REG_TMR) / 16]);
		return true;
	case REG_IRR ... REG_IRR + 0x70:
		*value = read_once(&a->irr[(offset - REG_IRR) / 16]);
		return true;
	case REG_ESR: *value = a->esr; return true;
	case REG_ICR:
		*value = x2apic(a) ? (uint64_t)a->icr_high << 32 | a->icr_low : a->icr_low;
		return true;
	case REG_ICR_HIGH: *value = a->icr_high; return !x2apic(a);
	case REG_INITIAL: *value = a->timer_initial; return true;
	case REG_CURRENT: *value = vlapic_timer_left(a); return true;
	case REG_DIVIDE: *value = a->timer_divide; return true;
	default: return !x2apic(a);
	}
}

static void write_svr(struct vcpu *v, uint32_t value)
{
	struct vlapic *a = &v->arch.lapic;

	a->svr = value & 0x3ff;
	/* Software-disabled: every local interrupt is masked (16.4.5). */
	if (!(value & SVR_ENABLE))
		for (unsigned i = 0; i < ARRAY_SIZE(a->lvt); i++)
			a->lvt[i] |= LVT_MASKED;
}

const uint32_t vlapic_lvt_writable[LVT_COUNT] = { 0x107ff, 0x700ff, 0x107ff, 0x107ff,
						  0x1a7ff, 0x1a7ff, 0x100ff };

static void write_lvt(struct vcpu *v, int i, uint32_t value)
{
	struct vlapic *a = &v->arch.lapic;
	uint32_t old = a->lvt[i];

	value &= vlapic_lvt_writable[i];
	if (!(a->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	write_once(&a->lvt[i], value);
	if (i == LVT_TIMER && TIMER_MODE(old) != TIMER_MODE(value)) {
		a->tsc_deadline = 0;
		timer_stop(&a->timer);
	}
}

bool vlapic_write(struct vcpu *v, uint32_t offset, uint64_t value)
{
	struct vlapic *a = &v->arch.lapic;
	int lvt = lvt_index(offset);

	if (offset & 0xf)
		return !x2apic(a);
	if (lvt > 0) {
		write_lvt(v, lvt, (uint32_t)value);
		return true;
	}
	switch (offset) {
	case REG_ID: return !x2apic(a); /* fixed */
	case REG_TPR: vlapic_set_task_priority(v, (uint8_t)value); return true;
	case REG_EOI: end_of_interrupt(v); return true;
	case REG_LDR: a->ldr = value & 0xff000000; return !x2apic(a);
	case REG_DFR: a->dfr = (uint32_t)value | 0x0fffffff; return !x2apic(a);
	case REG_SVR: write_svr(v, (uint32_t)value); return true;
	case REG_ESR: a->esr = 0; return true;
	case REG_ICR:
		a->icr_low = value & ICR_WRITABLE;
		if (x2apic(a))
			a->icr_high = (uint32_t)(value >> 32);
		command(v, a->icr_low, x2apic(a) ? a->icr_high : a->icr_high >> 24, x2apic(a));
		return true;
	case REG_ICR_HIGH: a->icr_high = value & 0xff000000; return !x2apic(a);
	case REG_INITIAL:
		a->timer_initial = (uint32_t)value;
		timer_start(v);
		return true;
	case REG_DIVIDE:
		a->timer_divide = value & 0xb;
		timer_start(v);
		return true;
	case REG_SELF_IPI:
		if (!x2apic(a))
			return true;
		vlapic_request(v, (uint8_t)value, false);
		return true;
	default: return !x2apic(a);
	}
}

/* Off -> xAPIC -> x2APIC -> off, and no other way (SDM 10.12.5). The address is fixed. */
bool vlapic_set_base(struct vcpu *v, uint64_t value)
{
	struct vlapic *a = &v->arch.lapic;
	uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	bool x2 = value & APIC_BASE_X2APIC, on = value & APIC_BASE_ENABLE;

	if ((value ^ a->base) & ~(mode | APIC_BASE_BSP))
		return false;
	if (x2 && !on)
		return false;
	if (x2apic(a) && on && !x2)
		return false;
	if (x2 && !(a->base & APIC_BASE_ENABLE))
		return false;
	a->base = (a->base & ~mode) | (value & mode);
	return true;
}

/* ---- the memory-mapped form -------------------------------------------------------------------------- */

/* Each vCPU reaches its own at the same address. Registers are 32 bits wide on 16-byte boundaries (16.3.2); the rest is left alone. */
static enum io_result mmio(struct io_device *dev, struct vcpu *v, struct io_access *io)
{
	struct vlapic *a = &v->arch.lapic;
	uint32_t offset = (uint32_t)(io->addr.a - dev->base.a);
	uint64_t value = 0;

	if (!(a->base & APIC_BASE_ENABLE) || x2apic(a))
		return IO_NOBODY;
	if (io->size != 4 || (offset & 15)) {
		io->value = 0;
		return IO_DONE;
	}
	if (io->write) {
		(void)vlapic_write(v, offset, (uint32_t)io->value);
	} else {
		(void)vlapic_read(v, offset, &value);
		io->value = (uint32_t)value;
	}
	return IO_DONE;
}

int vlapic_domain_init(struct domain *d)
{
	static const struct io_device_ops ops = { .name = "local APIC", .access = mmio };

	d->arch.apic_window = (struct io_device){
		.ops = &ops,
		.base = gpa(APIC_ADDRESS),
		.size = PAGE_SIZE,
	};
	return io_register(d, &d->arch.apic_window);
}

/* ---- life ----------------------------------------------------------------------------------------- */

static void reset_registers(struct vlapic *a)
{
	for (unsigned i = 0; i < ARRAY_SIZE(a->irr); i++) {
		(void)atomic_and(&a->irr[i], 0u);
		(void)atomic_and(&a->tmr[i], 0u);
		a->isr[i] = 0;
	}
	a->highest_isr = 0;
	a->ldr = a->esr = a->icr_low = a->icr_high = 0;
	a->dfr = ~0u;
	a->svr = 0xff;
	a->timer_initial = a->timer_divide = 0;
	a->tsc_deadline = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(a->lvt); i++)
		write_once(&a->lvt[i], LVT_MASKED);
}

void vlapic_init(struct vcpu *v)
{
	struct vlapic *a = &v->arch.lapic;

	a->id = v->id * 2;
	a->base = APIC_ADDRESS | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
	reset_registers(a);
	timer_init(&a->timer, timer_fired, this_cpu());
}

void vlapic_reset(struct vcpu *v)
{
	reset_registers(&v->arch.lapic);
	timer_stop(&v->arch.lapic.timer);
	vlapic_set_task_priority(v, 0);
}

void vlapic_stop(struct vcpu *v)
{
	write_once(&v->arch.lapic.timer_initial, 0u); /* timer_fired() leaves it alone now */
	timer_stop(&v->arch.lapic.timer);
}
