/* SPDX-License-Identifier: Apache-2.0 */
/* Host interrupts of the simulated machine: 64 lines, all delivered to CPU 0, when the test raises them. */
#include "internal.h"

#include <arch/timer.h>
#include <hv/reason.h>
#include <string.h>

#define LINES 64u

static struct irq line[LINES];
static uint64_t due[LINES]; /* NEVER: not raised */

struct irq *arch_irq(uint32_t number)
{
	return number < LINES ? &line[number] : NULL;
}

void irq_reset(void)
{
	memset(line, 0, sizeof(line));
	for (unsigned i = 0; i < LINES; i++) {
		lock_init(&line[i].lock, RANK_IRQ);
		line[i].number = i;
		due[i] = NEVER;
	}
}

static int take(uint32_t number, enum irq_state state, struct irq **out)
{
	struct irq *irq = arch_irq(number);
	int err = 0;

	if (!irq)
		return refuse(R_NO_SUCH_IRQ, number, LINES, 0);
	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE)
		err = refuse(R_IRQ_IN_USE, number, 0, irq->state);
	else
		irq->state = (uint8_t)state;
	lock_release(&irq->lock);
	*out = irq;
	return err;
}

int arch_irq_request(uint32_t number, bool level, void (*handler)(struct irq *, void *), void *arg,
		     const char *name)
{
	struct irq *irq;
	int err = take(number, IRQ_OURS, &irq);

	if (err)
		return err;
	irq->level = level;
	irq->handler = handler;
	irq->arg = arg;
	irq->name = name;
	irq->enabled = true;
	return 0;
}

int arch_irq_assign(uint32_t number, struct domain *d, uint32_t guest_line, bool level)
{
	struct irq *irq;
	int err = take(number, IRQ_GUEST, &irq);

	if (err)
		return err;
	irq->level = level;
	irq->owner = d;
	irq->guest_line = guest_line;
	return 0;
}

void arch_irq_release(uint32_t number)
{
	struct irq *irq = arch_irq(number);

	lock_take(&irq->lock);
	irq->state = IRQ_FREE;
	irq->handler = NULL;
	irq->owner = NULL;
	irq->enabled = false;
	lock_release(&irq->lock);
}

void sim_raise_irq(uint32_t number, uint64_t delay_ns)
{
	due[number % LINES] = arch_time_ns() + (delay_ns ? sim_random(delay_ns) : 0);
}

uint64_t irq_next(void)
{
	uint64_t next = NEVER;

	for (unsigned i = 0; i < LINES; i++)
		if (line[i].enabled)
			next = MIN(next, due[i]);
	return next;
}

void irq_deliver(void)
{
	uint64_t now = arch_time_ns();

	for (unsigned i = 0; i < LINES; i++) {
		if (!line[i].enabled || due[i] > now)
			continue;
		due[i] = NEVER;
		if (line[i].handler)
			line[i].handler(&line[i], line[i].arg);
	}
}
