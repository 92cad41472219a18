/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host interrupts of a PC: pins of IO-APICs (82093AA data sheet), each a struct irq with a vector of its own. A pin is masked until somebody
 * has it. The legacy controllers are masked for good. A vector, from VEC_FIRST_DEVICE up, is the same on all CPUs; a line keeps the
 * one that it got, a message gives its back. An interrupt goes to the CPU that asked for it.
 */
#include <asm/irq.h>

#include <asm/apic.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/trap.h>
#include <asm/vioapic.h>
#include <asm/vlapic.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/frame.h>
#include <hv/iommu.h>
#include <hv/log.h>

#define IOAPIC_VERSION 1
#define IOAPIC_PIN(n)  (0x10 + 2 * (n))
#define PIN_MASKED     BIT(16)
#define PIN_LEVEL      BIT(15)
#define PIN_UNENDED    BIT(14) /* remote IRR */
#define PIN_LOW        BIT(13)
#define PIN_DEST_SHIFT 56

#define OFFSET_EOI     0x40 /* since version 0x20 (ICH9 data sheet, 13.5.4) */

static struct {
	volatile uint8_t *regs;
	uint32_t first, pins;
	bool has_eoi;
} ioapic[MAX_IOAPICS];
static uint32_t nr_ioapics;

static struct irq *irqs;           /* [c] nr_irqs of them */
static uint32_t nr_irqs;           /* [c] */
static struct irq *by_vector[256]; /* [a] */
static struct lock pins_lock = LOCK_INIT(RANK_IRQ_CHIP);

static uint32_t chip_read(unsigned chip, unsigned reg)
{
	*(volatile uint32_t *)ioapic[chip].regs = reg;
	return *(volatile uint32_t *)(ioapic[chip].regs + 0x10);
}

static void chip_write(unsigned chip, unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)ioapic[chip].regs = reg;
	*(volatile uint32_t *)(ioapic[chip].regs + 0x10) = value;
}

static int chip_of(uint32_t gsi)
{
	for (unsigned i = 0; i < nr_ioapics; i++)
		if (gsi >= ioapic[i].first && gsi - ioapic[i].first < ioapic[i].pins)
			return (int)i;
	return -1;
}

static void pin_write(uint32_t gsi, uint64_t entry)
{
	int chip = chip_of(gsi);
	unsigned pin;

	if (chip < 0)
		return;
	pin = gsi - ioapic[chip].first;
	lock_take(&pins_lock);
	/* The half with the mask last when it opens, first when it closes. */
	if (entry & PIN_MASKED)
		chip_write((unsigned)chip, IOAPIC_PIN(pin), (uint32_t)entry);
	chip_write((unsigned)chip, IOAPIC_PIN(pin) + 1, (uint32_t)(entry >> 32));
	chip_write((unsigned)chip, IOAPIC_PIN(pin), (uint32_t)entry);
	lock_release(&pins_lock);
}

static void mask_legacy(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

uint32_t irq_of_isa(unsigned line)
{
	return line < ARRAY_SIZE(machine.isa) && machine.isa[line].present ? machine.isa[line].gsi
									   : line;
}

/* ISA lines are active high and edge unless overridden; others as PCI has them. */
static bool active_low(uint32_t gsi)
{
	for (unsigned i = 0; i < ARRAY_SIZE(machine.isa); i++)
		if (irq_of_isa(i) == gsi)
			return machine.isa[i].low;
	return true;
}

void irq_init(void)
{
	unsigned order = 0;
	uint32_t version;
	mfn_t m;

	mask_legacy();
	for (uint32_t i = 0; i < machine.nr_ioapics; i++) {
		ioapic[i].regs = mm_map_device(machine.ioapic[i].base, PAGE_SIZE);
		ioapic[i].first = machine.ioapic[i].first_gsi;
		version = chip_read(i, IOAPIC_VERSION);
		ioapic[i].pins = (version >> 16 & 0xff) + 1;
		ioapic[i].has_eoi = (version & 0xff) >= 0x20;
		nr_ioapics++;
		nr_irqs = MAX(nr_irqs, ioapic[i].first + ioapic[i].pins);
	}
	while ((size_t)PAGE_SIZE << order < nr_irqs * sizeof(struct irq))
		order++;
	m = frame_alloc(order, ALLOC_ANY_NODE, 0);
	if (!mfn_valid(m))
		panic("no memory for the table of %u interrupts", nr_irqs);
	irqs = frame_va(m);
	for (uint32_t i = 0; i < nr_irqs; i++) {
		lock_init(&irqs[i].lock, RANK_IRQ);
		irqs[i].number = i;
		pin_write(i, PIN_MASKED);
	}
}

struct irq *arch_irq(uint32_t number)
{
	return number < nr_irqs && chip_of(number) >= 0 ? &irqs[number] : NULL;
}

uint32_t arch_nr_irqs(void)
{
	return nr_irqs;
}

/* Its vector, given on first use. 0: they are all taken. */
static uint8_t vector_of(struct irq *irq) HOLDS(irq->lock)
{
	for (unsigned n = VEC_FIRST_DEVICE; !irq->vector && n <= VEC_LAST_DEVICE; n++) {
		struct irq *nobody = NULL;

		if (atomic_cas(&by_vector[n], &nobody, irq))
			irq->vector = (uint8_t)n;
	}
	return irq->vector;
}

/*
 * A level-triggered pin is open for the next interrupt once the last was ended, of which the local APIC has told it. QEMU (7.2) loses the
 * trigger mode of interrupts that its AMD IOMMU remaps, and so the end: a pin that still waits for one is told by its vector. A controller
 * without a register for that forgets it as an edge-triggered pin; QEMU's would miss a line that is raised meanwhile.
 */
static void forget_unended(const struct irq *irq) HOLDS(irq->lock)
{
	int chip = chip_of(irq->number);
	uint32_t low;

	lock_take(&pins_lock);
	low = chip_read((unsigned)chip, IOAPIC_PIN(irq->number - ioapic[chip].first));
	if (low & PIN_UNENDED && ioapic[chip].has_eoi)
		*(volatile uint32_t *)(ioapic[chip].regs + OFFSET_EOI) = irq->vector;
	lock_release(&pins_lock);
	if (low & PIN_UNENDED && !ioapic[chip].has_eoi)
		pin_write(irq->number, PIN_MASKED | irq->vector | (irq->low ? PIN_LOW : 0));
}

static void open_pin(struct irq *irq) HOLDS(irq->lock)
{
	struct iommu_irq_target to = { .cpu = this_cpu()->arch.apic_id, .vector = irq->vector };

	irq->cpu = to.cpu;
	if (!iommu_pin_open(machine.ioapic[chip_of(irq->number)].id, &to)) {
		log_error("interrupt %u cannot go to the CPU with APIC id %u", irq->number, to.cpu);
		return;
	}
	if (irq->level)
		forget_unended(irq);
	pin_write(irq->number, irq->vector | (irq->level ? PIN_LEVEL : 0) |
				   (irq->low ? PIN_LOW : 0) | (uint64_t)irq->cpu << PIN_DEST_SHIFT);
}

/* Only the mask changes: as an edge-triggered pin it would miss that its line is released, and forget what is not ended yet. */
static void mask_pin(struct irq *irq) HOLDS(irq->lock)
{
	pin_write(irq->number, PIN_MASKED | irq->vector | (irq->level ? PIN_LEVEL : 0) |
				   (irq->low ? PIN_LOW : 0) | (uint64_t)irq->cpu << PIN_DEST_SHIFT);
}

void irq_each_open_pin(iommu_pin_fn *set)
{
	for (uint32_t i = 0; i < nr_irqs; i++) {
		struct iommu_irq_target to = { .cpu = irqs[i].cpu, .vector = irqs[i].vector };

		if (irqs[i].enabled)
			set(machine.ioapic[chip_of(i)].id, to.vector, &to);
	}
}

int arch_irq_request(uint32_t number, bool level, void (*handler)(struct irq *, void *), void *arg,
		     const char *name)
{
	struct irq *irq = arch_irq(number);
	int err = 0;

	if (!irq)
		return refuse(R_NO_SUCH_IRQ, number, nr_irqs, 0);
	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE || !vector_of(irq)) {
		err = refuse(R_IRQ_IN_USE, number, 0, irq->state);
	} else {
		irq->handler = handler;
		irq->arg = arg;
		irq->name = name;
		irq->level = level;
		irq->state = IRQ_OURS;
		irq->enabled = 1;
		irq->low = active_low(number);
		open_pin(irq);
	}
	lock_release(&irq->lock);
	return err;
}

/* Closed until the guest's IO-APIC opens it. */
int arch_irq_assign(uint32_t number, struct domain *d, uint32_t guest_line, bool level)
{
	struct irq *irq = arch_irq(number);
	int err = 0;

	if (!irq)
		return refuse(R_NO_SUCH_IRQ, number, nr_irqs, 0);
	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE || !vector_of(irq)) {
		err = refuse(R_IRQ_IN_USE, number, 0, irq->state);
	} else {
		irq->owner = d;
		irq->guest_line = guest_line;
		irq->level = level;
		irq->enabled = irq->in_flight = 0;
		irq->state = IRQ_GUEST;
	}
	lock_release(&irq->lock);
	return err;
}

void arch_irq_release(uint32_t number)
{
	struct irq *irq = arch_irq(number);

	assert_always(irq, "only a line that exists was given away");
	lock_take(&irq->lock);
	pin_write(number, PIN_MASKED);
	irq->state = IRQ_FREE;
	irq->owner = NULL;
	irq->handler = NULL;
	irq->enabled = irq->in_flight = 0;
	lock_release(&irq->lock);
}

/* Messages to a local APIC (APM vol. 2, 16.12): fixed, edge, to one CPU by its physical id. */
#define MSI_BASE         0xfee00000u
#define MSI_TARGET_SHIFT 12

int arch_msi_request(struct irq *irq, void (*handler)(struct irq *, void *), void *arg,
		     const char *name, struct msi_message *out)
{
	int err = 0;

	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE || !vector_of(irq)) {
		err = refuse(R_IRQ_IN_USE, irq->number, 0, irq->state);
	} else {
		irq->handler = handler;
		irq->arg = arg;
		irq->name = name;
		irq->state = IRQ_OURS;
		irq->enabled = 1;
		*out = (struct msi_message){
			.address = MSI_BASE | this_cpu()->arch.apic_id << MSI_TARGET_SHIFT,
			.data = irq->vector,
		};
	}
	lock_release(&irq->lock);
	return err;
}

/* ---- a domain's -------------------------------------------------------------------------------------- */

uint32_t irq_chip_pins(uint32_t gsi)
{
	int chip = chip_of(gsi);

	return chip < 0 ? 0 : ioapic[chip].pins;
}

static bool owned(const struct irq *irq, const struct domain *d) HOLDS(irq->lock)
{
	return irq->state == IRQ_GUEST && irq->owner == d;
}

void irq_pin_open(uint32_t gsi, const struct domain *d, bool level, bool low)
{
	struct irq *irq = arch_irq(gsi);

	if (!irq)
		return;
	lock_take(&irq->lock);
	if (owned(irq, d)) {
		irq->level = level;
		irq->low = low;
		irq->enabled = 1;
		if (!level)
			irq->in_flight = 0;
		if (!irq->in_flight)
			open_pin(irq);
	}
	lock_release(&irq->lock);
}

void irq_pin_close(uint32_t gsi, const struct domain *d)
{
	struct irq *irq = arch_irq(gsi);

	if (!irq)
		return;
	lock_take(&irq->lock);
	if (owned(irq, d)) {
		irq->enabled = 0;
		mask_pin(irq);
	}
	lock_release(&irq->lock);
}

void irq_pin_ended(uint32_t gsi, const struct domain *d)
{
	struct irq *irq = arch_irq(gsi);

	if (!irq)
		return;
	lock_take(&irq->lock);
	if (owned(irq, d) && irq->in_flight) {
		irq->in_flight = 0;
		if (irq->enabled)
			open_pin(irq);
	}
	lock_release(&irq->lock);
}

/*
 * The guest's message in the form of an IO-APIC entry: vector, delivery mode and destination mode below, destination on top (APM vol. 2,
 * figures 16-18 and 16-19). False: not for a local APIC.
 */
static bool message_entry(const struct msi_message *m, uint32_t *entry)
{
	if (m->address >> 20 != MSI_BASE >> 20)
		return false;
	*entry = (m->data & 0x7ff) | (m->address & BIT(2) ? 1u << 11 : 0) |
		 (uint32_t)(m->address >> MSI_TARGET_SHIFT & 0xff) << 24;
	return true;
}

int irq_msi_bind(struct irq *irq, struct domain *d, const struct msi_message *guest,
		 struct iommu_irq_target *to)
{
	uint32_t entry;
	int err = 0;

	if (!message_entry(guest, &entry))
		return refuse(R_BAD_MSI, d->id, MSI_BASE, guest->address);
	lock_take(&irq->lock);
	if (irq->state != IRQ_FREE && !owned(irq, d)) {
		err = refuse(R_IRQ_IN_USE, irq->number, 0, irq->state);
	} else if (!vector_of(irq)) {
		err = refuse(R_NO_VECTOR, d->id, VEC_LAST_DEVICE - VEC_FIRST_DEVICE + 1, 0);
	} else {
		if (irq->state == IRQ_FREE)
			irq->cpu = this_cpu()->arch.apic_id;
		irq->owner = d;
		irq->guest_line = entry;
		irq->level = 0;
		irq->enabled = 1;
		irq->state = IRQ_GUEST;
		*to = (struct iommu_irq_target){ .cpu = irq->cpu, .vector = irq->vector };
	}
	lock_release(&irq->lock);
	return err;
}

void irq_msi_unbind(struct irq *irq)
{
	lock_take(&irq->lock);
	if (irq->state == IRQ_GUEST) {
		write_once(&by_vector[irq->vector], NULL);
		irq->vector = 0;
		irq->state = IRQ_FREE;
		irq->owner = NULL;
		irq->enabled = 0;
	}
	lock_release(&irq->lock);
}

/* ---- arrival ---------------------------------------------------------------------------------------- */

static bool is_pin(const struct irq *irq)
{
	return irq >= irqs && irq < irqs + nr_irqs;
}

/*
 * A level-triggered line is masked from here until the guest ends it: the host's end of interrupt follows at once, so that other vectors
 * are not held up by what a guest does.
 */
static void arrived(struct irq *irq)
{
	struct domain *d = NULL;
	uint32_t line = 0;

	lock_take(&irq->lock);
	if (irq->state == IRQ_GUEST && irq->enabled) {
		d = irq->owner;
		line = irq->guest_line;
		if (irq->level) {
			irq->in_flight = 1;
			mask_pin(irq);
		}
	}
	lock_release(&irq->lock);
	if (!d)
		return;
	if (is_pin(irq))
		vioapic_raise(d, line);
	else
		vlapic_message(d, line & 0xffff, (uint8_t)(line >> 24));
}

void irq_handle(unsigned vector)
{
	struct irq *irq = read_once(&by_vector[vector & 0xff]);

	if (!irq)
		return;
	if (read_once(&irq->state) == IRQ_OURS)
		irq->handler(irq, irq->arg);
	else
		arrived(irq);
}
