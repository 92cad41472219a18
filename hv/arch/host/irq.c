/* SPDX-License-Identifier: Apache-2.0 */
/* Host interrupts of the simulated machine: 64 lines, all delivered to CPU 0, when the test raises them. */
#include "internal.h"

#include <arch/device.h>
#include <arch/timer.h>
#include <hv/domain.h>
#include <hv/iommu.h>
#include <hv/reason.h>
#include <string.h>

#define LINES 64u

static struct irq line[LINES];
static uint64_t due[LINES]; /* NEVER: not raised */

struct irq *arch_irq(uint32_t number)
{
	return number < LINES ? &line[number] : NULL;
}

uint32_t arch_nr_irqs(void)
{
	return LINES;
}

/* ---- message interrupts: vectors without end, which the test looks at ---------------------------------- */

#define VECTORS 256u

static struct irq *vector[VECTORS];
static unsigned nr_vectors, most_vectors;
static void (*device)(uint64_t pa, unsigned size, bool write, uint64_t *value);

const struct irq *sim_vector(unsigned n)
{
	return n < VECTORS ? vector[n] : NULL;
}

unsigned sim_vectors_used(void)
{
	return nr_vectors;
}

void sim_vectors_limit(unsigned n)
{
	most_vectors = n;
}

/* Guests' messages begin with 0xfee, as those of x86 do. */
int arch_msi_bind(struct irq *irq, struct domain *d, const struct msi_message *guest,
		  struct iommu_irq_target *to)
{
	unsigned n = 1;

	if (guest->address >> 20 != 0xfee)
		return refuse(R_BAD_MSI, d->id, 0xfee00000, guest->address);
	while (!irq->vector && n < VECTORS && vector[n])
		n++;
	if (!irq->vector) {
		if (nr_vectors >= most_vectors || n == VECTORS)
			return refuse(R_NO_VECTOR, d->id, VECTORS, 0);
		nr_vectors++;
		irq->vector = (uint8_t)n;
		vector[n] = irq;
	}
	irq->state = IRQ_GUEST;
	irq->owner = d;
	irq->guest_line = guest->data;
	*to = (struct iommu_irq_target){ .cpu = 0, .vector = irq->vector };
	return 0;
}

void arch_msi_unbind(struct irq *irq)
{
	if (!irq->vector)
		return;
	vector[irq->vector] = NULL;
	nr_vectors--;
	irq->vector = 0;
	irq->state = IRQ_FREE;
	irq->owner = NULL;
}

void sim_device(void (*access)(uint64_t pa, unsigned size, bool write, uint64_t *value))
{
	device = access;
}

uint64_t arch_device_read(paddr_t pa, unsigned size)
{
	uint64_t v = ~0ull;

	if (device)
		device(pa.a, size, false, &v);
	return v;
}

void arch_device_write(paddr_t pa, unsigned size, uint64_t value)
{
	if (device)
		device(pa.a, size, true, &value);
}

/* ---- lines ------------------------------------------------------------------------------------------ */

void irq_reset(void)
{
	memset(vector, 0, sizeof(vector));
	nr_vectors = 0;
	most_vectors = VECTORS;
	device = NULL;
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
