/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interrupts and whose they are. The table has an entry for each private and shared line of the
 * controller. Private ones (below 32) have one entry for all CPUs and are the hypervisor's; the
 * timers and SGIs do not go through the table at all.
 */
#include <arch/irq.h>
#include <asm/gic.h>
#include <asm/vcpu.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/log.h>
#include <hv/timer.h>
#include <arch/cpu.h>

static struct irq *irqs; /* [c] gic.nr_irqs of them */

BOOT_TEXT void irq_init(void)
{
	unsigned order = 0;
	mfn_t m;

	while ((size_t)PAGE_SIZE << order < gic.nr_irqs * sizeof(struct irq))
		order++;
	m = frame_alloc(order, ALLOC_ANY_NODE, 0);
	if (!mfn_valid(m))
		panic("no memory for the table of %u interrupts", gic.nr_irqs);
	irqs = frame_va(m);
	for (uint32_t i = 0; i < gic.nr_irqs; i++) {
		lock_init(&irqs[i].lock, RANK_IRQ);
		irqs[i].number = i;
	}
}

struct irq *arch_irq(uint32_t number)
{
	return number >= GIC_SGIS && number < gic.nr_irqs ? &irqs[number] : NULL;
}

uint32_t arch_nr_irqs(void)
{
	return gic.nr_irqs;
}

int arch_irq_request(uint32_t number, bool level, void (*handler)(struct irq *, void *), void *arg,
		     const char *name)
{
	struct irq *irq = arch_irq(number);

	if (!irq)
		return refuse(R_NO_SUCH_IRQ, number, gic.nr_irqs, 0);
	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE) {
		lock_release(&irq->lock);
		return refuse(R_IRQ_IN_USE, number, 0, irq->state);
	}
	irq->handler = handler;
	irq->arg = arg;
	irq->name = name;
	irq->level = level;
	irq->state = IRQ_OURS;
	irq->enabled = 1;
	gic_set_level(number, level);
	if (number >= GIC_PRIVATE)
		gic_route(number, this_cpu());
	gic_enable(number);
	lock_release(&irq->lock);
	return 0;
}

static void set_free(struct irq *irq) HOLDS(irq->lock)
{
	gic_disable(irq->number);
	gic_clear_pending(irq->number);
	gic_set_active(irq->number, false);
	irq->state = IRQ_FREE;
	irq->owner = NULL;
	irq->handler = NULL;
	irq->enabled = irq->in_flight = 0;
}

int arch_irq_assign(uint32_t number, struct domain *d, uint32_t guest_line, bool level)
{
	struct irq *irq = number >= GIC_PRIVATE ? arch_irq(number) : NULL;
	int err = 0;

	if (!irq)
		return refuse(R_NO_SUCH_IRQ, number, gic.nr_irqs, 0);
	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE) {
		err = refuse(R_IRQ_IN_USE, number, 0, irq->state);
	} else {
		gic_disable(number);
		gic_set_level(number, level);
		irq->owner = d;
		irq->guest_line = guest_line;
		irq->level = level;
		irq->enabled = 0;
		irq->in_flight = 0;
		irq->state = IRQ_GUEST;
	}
	lock_release(&irq->lock);
	if (!err && !vgic_link_host(d, guest_line, number, level)) {
		lock_take(&irq->lock);
		set_free(irq);
		lock_release(&irq->lock);
		err = refuse(R_NO_SUCH_IRQ, guest_line, 0, 0);
	}
	return err;
}

void arch_irq_release(uint32_t number)
{
	struct irq *irq = arch_irq(number);
	struct domain *owner;
	uint32_t line;

	assert_always(irq, "only a line that exists was given away");
	lock_take(&irq->lock);
	gic_disable(number);
	owner = irq->state == IRQ_GUEST ? irq->owner : NULL;
	line = irq->guest_line;
	lock_release(&irq->lock);
	if (owner) /* its interrupts rank before this one's */
		vgic_unlink_host(owner, line);
	lock_take(&irq->lock);
	set_free(irq);
	lock_release(&irq->lock);
}

/*
 * A guest's interrupt came here although its vCPU is elsewhere: the next one comes there. So it follows the guest's routing and the
 * vCPU without anybody looking for the lines that a vCPU has when it moves.
 */
static NOINLINE void follow(struct irq *irq, const struct domain *owner, const struct cpu *to)
{
	lock_take(&irq->lock);
	if (irq->state == IRQ_GUEST && irq->owner == owner)
		gic_route(irq->number, to);
	lock_release(&irq->lock);
}

/* A line of the table. Priority was dropped. */
static void line_interrupt(uint32_t intid)
{
	struct irq *irq = arch_irq(intid);
	void (*handler)(struct irq *, void *) = NULL;
	struct domain *owner = NULL;
	uint32_t guest_line = 0;

	if (!irq) {
		gic_deactivate(intid);
		return;
	}
	lock_take(&irq->lock);
	if (irq->state == IRQ_GUEST && irq->enabled) {
		irq->in_flight = 1;
		owner = irq->owner;
		guest_line = irq->guest_line;
	} else if (irq->state == IRQ_OURS) {
		handler = irq->handler;
	} else if (irq->enabled) {
		log_warning("interrupt %u belongs to nobody: switched off", intid);
		gic_disable(intid);
	}
	lock_release(&irq->lock);

	if (owner) {
		/* The guest deactivates it. The owner cannot go: it takes its lines back first. */
		const struct cpu *to = vgic_inject_host(owner, guest_line, intid);

		if (to && to != this_cpu())
			follow(irq, owner, to);
		return;
	}
	if (handler)
		handler(irq, irq->arg);
	gic_deactivate(intid);
}

static NOINLINE void other_interrupt(uint32_t intid)
{
	if (intid >= GIC_SPURIOUS && intid < 1024)
		return;
	gic_drop_priority(intid);
	if (intid == SGI_KICK) {
		/* Leaving guest mode or idle was all it was for. */
		gic_deactivate(intid);
	} else if (intid == gic.ppi_hyp_timer) {
		/* Its level stays up until the next deadline is set, which by rounding may be this one again. */
		sysreg_write(cnthp_ctl_el2, 0);
		timers_run();
		gic_deactivate(intid);
	} else if (intid == gic.ppi_maintenance) {
		vgic_maintenance(this_cpu()->current);
		gic_deactivate(intid);
	} else if (intid == SGI_STOP) {
		arch_machine_halt();
	} else {
		line_interrupt(intid);
	}
}

void irq_interrupt(void)
{
	uint32_t intid = gic_acknowledge();

	/* By far the most frequent: a few instructions, nothing saved. */
	if (likely(intid == gic.ppi_virt_timer)) {
		/* Stays active until the guest that it is for has seen it. */
		gic_drop_priority(intid);
		vtimer_interrupt(this_cpu()->current);
	} else {
		other_interrupt(intid);
	}
}
