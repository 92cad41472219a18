/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of one virtual IO-APIC: ioapic.h. */
#include "ioapic.h"

#define OFFSET_SELECT 0x00
#define OFFSET_WINDOW 0x10
#define OFFSET_EOI    0x40

#define REG_ID        0x00
#define REG_VERSION   0x01
#define REG_ARBITER   0x02
#define REG_ENTRIES   0x10

#define VERSION       0x20u
#define WRITABLE      (0xff00000000000000ull | ENTRY_MASKED | ENTRY_LEVEL | ENTRY_LOW | 0xfffull)

void ioapic_reset(struct ioapic *a)
{
	a->select = 0;
	for (unsigned i = 0; i < a->pins; i++)
		a->entry[i] = ENTRY_MASKED;
}

static uint32_t read_window(const struct ioapic *a)
{
	uint32_t reg = a->select, pin = (reg - REG_ENTRIES) / 2;

	switch (reg) {
	case REG_ID:
	case REG_ARBITER: return a->id << 24;
	case REG_VERSION: return (a->pins - 1) << 16 | VERSION;
	default: break;
	}
	if (reg < REG_ENTRIES || pin >= a->pins)
		return ~0u;
	return (uint32_t)(a->entry[pin] >> (reg & 1 ? 32 : 0));
}

uint32_t ioapic_read(const struct ioapic *a, uint32_t offset)
{
	switch (offset) {
	case OFFSET_SELECT: return a->select;
	case OFFSET_WINDOW: return read_window(a);
	default: return ~0u;
	}
}

/* The guest ends what it has, or turns the line to edges, which ends it too. */
static void end(struct ioapic *a, unsigned pin)
{
	if (!(a->entry[pin] & ENTRY_REMOTE))
		return;
	a->entry[pin] &= ~ENTRY_REMOTE;
	a->ops->ended(a->ctx, pin);
}

static void write_entry(struct ioapic *a, unsigned pin, uint64_t value)
{
	uint64_t old = a->entry[pin];

	value = (value & WRITABLE & ~ENTRY_STATUS) | (old & ENTRY_REMOTE);
	a->entry[pin] = value;
	if (!(value & ENTRY_LEVEL))
		end(a, pin);
	if (value & ENTRY_MASKED) {
		if (!(old & ENTRY_MASKED))
			a->ops->close(a->ctx, pin);
		return;
	}
	if (!((value ^ old) & (ENTRY_MASKED | ENTRY_LEVEL | ENTRY_LOW)))
		return;
	if (!a->ops->open(a->ctx, pin, value & ENTRY_LEVEL, value & ENTRY_LOW))
		a->entry[pin] |= ENTRY_MASKED;
}

static void write_window(struct ioapic *a, uint32_t value)
{
	uint32_t reg = a->select, pin = (reg - REG_ENTRIES) / 2;
	uint64_t e;

	if (reg == REG_ID)
		a->id = value >> 24 & 0xf;
	if (reg < REG_ENTRIES || pin >= a->pins)
		return;
	e = a->entry[pin];
	write_entry(a, pin,
		    reg & 1 ? (uint32_t)e | (uint64_t)value << 32
			    : (e & 0xffffffff00000000ull) | value);
}

void ioapic_write(struct ioapic *a, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case OFFSET_SELECT: a->select = value & 0xff; break;
	case OFFSET_WINDOW: write_window(a, value); break;
	case OFFSET_EOI: ioapic_ended(a, (uint8_t)value); break;
	default: break;
	}
}

void ioapic_raise(struct ioapic *a, unsigned pin)
{
	uint64_t e;

	if (pin >= a->pins)
		return;
	e = a->entry[pin];
	if (e & ENTRY_MASKED) {
		/* It was closed while the interrupt was under way; a level will be there again. */
		if (e & ENTRY_LEVEL)
			a->ops->ended(a->ctx, pin);
		return;
	}
	if (e & ENTRY_REMOTE)
		return;
	if (e & ENTRY_LEVEL)
		a->entry[pin] |= ENTRY_REMOTE;
	a->ops->send(a->ctx, (uint32_t)e, (uint8_t)(e >> 56));
}

void ioapic_ended(struct ioapic *a, uint8_t vector)
{
	for (unsigned i = 0; i < a->pins; i++)
		if ((uint8_t)a->entry[i] == vector)
			end(a, i);
}
