/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual IO-APICs of the domain that owns the machine: one for each of the host's, at the same address, each pin the host's of the same
 * number. A host line is bound to the domain when the domain first opens its pin. Lock: vioapic.lock (DEVICE); called from exits of the
 * domain's vCPUs and from host interrupts. Domains without the machine's devices have none.
 */
#include <asm/vioapic.h>

#include "ioapic.h"
#include <asm/irq.h>
#include <asm/machine.h>
#include <asm/vlapic.h>
#include <hv/domain.h>
#include <hv/reason.h>

/* A frame of the pool for each. */
struct vioapic_chip {
	struct io_device window;
	struct domain *domain;
	uint32_t first_gsi;
	struct ioapic regs;
};
_Static_assert(sizeof(struct vioapic_chip) <= PAGE_SIZE, "one frame holds it");

struct vioapic {
	struct lock lock;                       /* rank DEVICE */
	uint32_t nr;                            /* [c] */
	struct vioapic_chip *chip[MAX_IOAPICS]; /* [c]; their registers [l] */
};

/* ---- what the registers ask for ---------------------------------------------------------------------- */

static bool open_pin(void *ctx, unsigned pin, bool level, bool low)
{
	struct vioapic_chip *c = ctx;
	uint32_t gsi = c->first_gsi + pin;
	struct irq *irq = arch_irq(gsi);

	if (!irq)
		return false;
	/* Ours, or another domain's: the guest's pin stays closed. */
	if (read_once(&irq->owner) != c->domain && arch_irq_assign(gsi, c->domain, gsi, level) != 0)
		return false;
	irq_pin_open(gsi, c->domain, level, low);
	return true;
}

static void close_pin(void *ctx, unsigned pin)
{
	struct vioapic_chip *c = ctx;

	irq_pin_close(c->first_gsi + pin, c->domain);
}

static void pin_ended(void *ctx, unsigned pin)
{
	struct vioapic_chip *c = ctx;

	irq_pin_ended(c->first_gsi + pin, c->domain);
}

static void send(void *ctx, uint32_t entry, uint8_t dest)
{
	struct vioapic_chip *c = ctx;

	vlapic_message(c->domain, entry, dest);
}

static const struct ioapic_ops host_pins = {
	.open = open_pin,
	.close = close_pin,
	.ended = pin_ended,
	.send = send,
};

/* ---- from outside ------------------------------------------------------------------------------------- */

void vioapic_raise(struct domain *d, uint32_t gsi)
{
	struct vioapic *io = d->arch.ioapic;

	if (!io)
		return;
	lock_take(&io->lock);
	for (uint32_t i = 0; i < io->nr; i++)
		if (gsi >= io->chip[i]->first_gsi)
			ioapic_raise(&io->chip[i]->regs, gsi - io->chip[i]->first_gsi);
	lock_release(&io->lock);
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
	struct vioapic *io = d->arch.ioapic;

	if (!io)
		return;
	lock_take(&io->lock);
	for (uint32_t i = 0; i < io->nr; i++)
		ioapic_ended(&io->chip[i]->regs, vector);
	lock_release(&io->lock);
}

/* Registers are 32 bits wide (data sheet, 3.0); other accesses read as ones and write nothing. */
static enum io_result mmio(struct io_device *dev, struct vcpu *v, struct io_access *a)
{
	struct vioapic_chip *c = container_of(dev, struct vioapic_chip, window);
	struct vioapic *io = v->domain->arch.ioapic;
	uint32_t offset = (uint32_t)(a->addr.a - dev->base.a);

	if (a->size != 4) {
		a->value = ~0ull;
		return IO_DONE;
	}
	lock_take(&io->lock);
	if (a->write)
		ioapic_write(&c->regs, offset, (uint32_t)a->value);
	else
		a->value = ioapic_read(&c->regs, offset);
	lock_release(&io->lock);
	return IO_DONE;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static int add_chip(struct domain *d, struct vioapic *io, const struct ioapic_info *host)
{
	static const struct io_device_ops ops = { .name = "IO-APIC", .access = mmio };
	struct vioapic_chip *c;
	mfn_t m = pool_alloc(&d->pool);

	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	c = frame_va(m);
	c->window = (struct io_device){ .ops = &ops, .base = gpa(host->base), .size = PAGE_SIZE };
	c->domain = d;
	c->first_gsi = host->first_gsi;
	c->regs.ops = &host_pins;
	c->regs.ctx = c;
	c->regs.id = host->id;
	c->regs.pins = MIN(irq_chip_pins(host->first_gsi), IOAPIC_MAX_PINS);
	ioapic_reset(&c->regs);
	io->chip[io->nr++] = c;
	return io_register(d, &c->window);
}

int vioapic_init(struct domain *d)
{
	mfn_t m = pool_alloc(&d->pool);
	struct vioapic *io;
	int err = 0;

	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	io = frame_va(m);
	lock_init(&io->lock, RANK_DEVICE);
	d->arch.ioapic = io;
	for (uint32_t i = 0; !err && i < machine.nr_ioapics; i++)
		err = add_chip(d, io, &machine.ioapic[i]);
	return err;
}

void vioapic_free(struct domain *d)
{
	struct vioapic *io = d->arch.ioapic;

	if (!io)
		return;
	for (uint32_t i = 0; i < io->nr; i++)
		pool_free(&d->pool, frame_from_va(io->chip[i]));
	pool_free(&d->pool, frame_from_va(io));
	d->arch.ioapic = NULL;
}
