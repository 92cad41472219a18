/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two timers of EL1 (DDI 0487, D11).
 *
 * The virtual one is the hardware's. While its vCPU is loaded, its host interrupt goes into a list
 * register with the host's line behind it, so that the guest's end of interrupt ends both and a line still
 * asserted fires again. While a blocked vCPU is not loaded, a host timer stands in: it wakes the vCPU,
 * and the real one fires as soon as that is loaded again.
 *
 * The physical one is emulated: its registers trap, its comparison is a host timer that drives the line
 * of a level-triggered interrupt. The physical counter itself is read without a trap.
 *
 * Called by the vCPU's own CPU only, except the host timers' functions, which touch nothing but what
 * is left to do and the run state.
 */
#include <arch/timer.h>
#include <asm/gic.h>
#include <asm/host_timer.h>
#include <asm/vcpu.h>
#include <hv/domain.h>
#include <hv/state.h>
#include <public/state.h>
#include <public/state_arm.h>

static bool running(const struct guest_timer *t)
{
	return (t->ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE;
}

/* Host nanoseconds at which the physical counter reaches `ticks`; now if it has. */
static uint64_t when(uint64_t ticks, uint64_t now)
{
	if (ticks <= now)
		return 0;
	ticks -= host_timer.start;
	/* Beyond what nanoseconds can say there is no difference to never. */
	if (ticks > ~(uint64_t)0 / 1000)
		return ~(uint64_t)0 - 1;
	return ticks_to_ns(ticks);
}

/*
 * The physical counter's value when the virtual one reaches `cval`; what it never reaches is as far away as can be. The virtual counter
 * may be ahead (a negative offset): the domain was saved on a machine that had been up for longer.
 */
static uint64_t on_host(uint64_t cval, uint64_t offset, uint64_t now)
{
	uint64_t at = now - offset;

	if (cval <= at)
		return now;
	return cval - at <= ~(uint64_t)0 - now ? now + (cval - at) : ~(uint64_t)0;
}

/* ---- the virtual timer ------------------------------------------------------------------------------- */

void vtimer_interrupt(struct vcpu *v)
{
	if (unlikely(!v || !v->arch.loaded)) {
		/* It fired while its vCPU was being switched out. */
		gic_deactivate(gic.ppi_virt_timer);
		return;
	}
	vgic_inject_vtimer(v);
	if (unlikely(vcpu_state(v) != VCPU_RUNNING)) /* idle with it loaded */
		vcpu_wake(v);
}

bool vtimer_pending(struct vcpu *v)
{
	struct guest_timer *t = &v->arch.vtimer;

	if (read_once(&v->arch.work) & WORK_PTIMER)
		return true;
	if (!(read_once(&v->arch.vgic.private[VIRQ_PPI_VTIMER].flags) & VIRQ_ENABLED))
		return false;
	if (v->arch.loaded)
		return (sysreg_read(cntv_ctl_el0) &
			(CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS)) ==
		       (CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
	return running(t) && host_ticks() - v->domain->arch.cntvoff >= t->cval;
}

static void vtimer_due(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, arch.vtimer.wake);

	vcpu_wake(v);
}

void vtimer_save(struct vcpu *v)
{
	struct guest_timer *t = &v->arch.vtimer;
	uint64_t cval = sysreg_read(cntv_cval_el0);

	t->ctl = (uint32_t)sysreg_read(cntv_ctl_el0) & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
	sysreg_write(cntv_ctl_el0, 0);
	t->cval = cval;
	isb(); /* its line falls before anybody looks at interrupts again */
	/* A vCPU that can run does not wait for anything. */
	if (running(t) && vcpu_state(v) != VCPU_READY) {
		uint64_t now = host_ticks();

		timer_set(&t->wake, when(on_host(cval, v->domain->arch.cntvoff, now), now));
	}
}

void vtimer_load(struct vcpu *v)
{
	struct guest_timer *t = &v->arch.vtimer;

	timer_stop(&t->wake);
	/* They interrupt the CPU that the vCPU runs on, or ran on before it blocked. */
	timer_migrate(&t->wake, this_cpu());
	timer_migrate(&v->arch.ptimer.wake, this_cpu());
	sysreg_write(cntvoff_el2, v->domain->arch.cntvoff);
	sysreg_write(cntv_cval_el0, t->cval);
	sysreg_write(cntv_ctl_el0, t->ctl);
}

/* ---- the physical timer ------------------------------------------------------------------------------- */

static bool ptimer_high(const struct guest_timer *t, uint64_t now)
{
	return running(t) && now >= t->cval;
}

/* Its registers changed, or its time came: set the line and the host timer. */
static void ptimer_update(struct vcpu *v)
{
	struct guest_timer *t = &v->arch.ptimer;
	uint64_t now = host_ticks();
	bool high = ptimer_high(t, now);

	if (running(t) && !high)
		timer_set(&t->wake, when(t->cval, now));
	else
		timer_stop(&t->wake);
	vgic_set_line(v->domain, v, GUEST_TIMER_PHYS_NS_PPI, high);
}

void ptimer_evaluate(struct vcpu *v)
{
	atomic_and(&v->arch.work, ~WORK_PTIMER);
	ptimer_update(v);
}

/* The registers are the vCPU's own: it looks at them before it goes on. */
static void ptimer_due(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, arch.ptimer.wake);

	atomic_or(&v->arch.work, WORK_PTIMER);
	vcpu_kick(v);
}

bool vtimer_sysreg(struct vcpu *v, uint32_t reg, bool write, uint64_t *value)
{
	struct guest_timer *t = &v->arch.ptimer;

	switch (reg) {
	case TRAPPED(3, 3, 14, 2, 0): /* CNTP_TVAL_EL0 */
		if (write)
			t->cval = host_ticks() + (uint64_t)(int64_t)(int32_t)*value;
		else
			*value = (uint32_t)(t->cval - host_ticks());
		break;
	case TRAPPED(3, 3, 14, 2, 1): /* CNTP_CTL_EL0 */
		if (write)
			t->ctl = (uint32_t)*value & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
		else
			*value = t->ctl | ((t->ctl & CNT_CTL_ENABLE) && host_ticks() >= t->cval
					       ? CNT_CTL_ISTATUS
					       : 0);
		break;
	case TRAPPED(3, 3, 14, 2, 2): /* CNTP_CVAL_EL0 */
		if (write)
			t->cval = *value;
		else
			*value = t->cval;
		break;
	default: return false;
	}
	if (write)
		ptimer_update(v);
	return true;
}

/* ---- state records ------------------------------------------------------------------------------------- */

void vtimer_state_save(struct vcpu *v, struct krypton_state_arm_timers *r)
{
	r->cntv_ctl = v->arch.vtimer.ctl;
	r->cntv_cval = v->arch.vtimer.cval;
	r->cntp_ctl = v->arch.ptimer.ctl;
	r->cntp_cval = v->arch.ptimer.cval;
	r->cntpct = host_ticks();
}

int vtimer_state_check(const struct krypton_state_arm_timers *r)
{
	const uint32_t all = CNT_CTL_ENABLE | CNT_CTL_IMASK;

	if (r->reserved)
		return state_bad_field(KRYPTON_STATE_ARM_TIMERS, struct krypton_state_arm_timers,
				       reserved, r->reserved);
	if (r->cntv_ctl & ~all)
		return state_bad_field(KRYPTON_STATE_ARM_TIMERS, struct krypton_state_arm_timers,
				       cntv_ctl, r->cntv_ctl);
	if (r->cntp_ctl & ~all)
		return state_bad_field(KRYPTON_STATE_ARM_TIMERS, struct krypton_state_arm_timers,
				       cntp_ctl, r->cntp_ctl);
	return 0;
}

/* The same distance from this machine's counter; far away in either direction stays so. */
static uint64_t same_distance(uint64_t cval, uint64_t then, uint64_t now)
{
	if (cval > then)
		return cval - then < ~(uint64_t)0 - now ? now + (cval - then) : ~(uint64_t)0;
	return then - cval < now ? now - (then - cval) : 0;
}

/* It runs next as one that is READY: the host's timers are for others. */
void vtimer_state_load(struct vcpu *v, const struct krypton_state_arm_timers *r)
{
	timer_stop(&v->arch.vtimer.wake);
	v->arch.vtimer.ctl = r->cntv_ctl;
	v->arch.vtimer.cval = r->cntv_cval;
	v->arch.ptimer.ctl = r->cntp_ctl;
	v->arch.ptimer.cval = same_distance(r->cntp_cval, r->cntpct, host_ticks());
	ptimer_evaluate(v);
}

void vtimer_reset(struct vcpu *v)
{
	struct guest_timer *t[] = { &v->arch.vtimer, &v->arch.ptimer };

	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		timer_stop(&t[i]->wake);
		t[i]->ctl = 0;
		t[i]->cval = 0;
	}
	vgic_set_line(v->domain, v, GUEST_TIMER_PHYS_NS_PPI, false);
}

void vtimer_init(struct vcpu *v)
{
	timer_init(&v->arch.vtimer.wake, vtimer_due, v->cpu);
	timer_init(&v->arch.ptimer.wake, ptimer_due, v->cpu);
}

void vtimer_stop(struct vcpu *v)
{
	timer_stop(&v->arch.vtimer.wake);
	timer_stop(&v->arch.ptimer.wake);
}
