/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register file of one virtual IO-APIC (82093AA data sheet, and the EOI register of version 0x20): a model that knows neither
 * domains nor the host's interrupts; what it wants done it says through struct ioapic_ops. Locking is the caller's. Also built and tested on
 * the host.
 *
 * An entry's life, level-triggered: a line that is raised while its pin is open sends its message and sets Remote IRR; until an end of
 * interrupt names its vector, nothing more is sent for it. Edge-triggered: each arrival sends one message.
 */
#ifndef X86_HVM_IOAPIC_H
#define X86_HVM_IOAPIC_H

#include <hv/compiler.h>

#define IOAPIC_MAX_PINS 240u /* the version register has 8 bits, and ids of pins end there */

#define ENTRY_REMOTE    BIT(14) /* Remote IRR */
#define ENTRY_STATUS    BIT(12) /* delivery status: idle, as messages are sent at once */
#define ENTRY_LOW       BIT(13)
#define ENTRY_LEVEL     BIT(15)
#define ENTRY_MASKED    BIT(16)

struct ioapic_ops {
	/* The pin is open with this trigger and polarity: the host's line may interrupt. False: it cannot be had, and stays closed. */
	bool (*open)(void *ctx, unsigned pin, bool level, bool low);
	void (*close)(void *ctx, unsigned pin);
	/* A level-triggered interrupt of the pin was ended, or will not be sent: the line may interrupt again. */
	void (*ended)(void *ctx, unsigned pin);
	/* Send a message: the low word of the entry, and its destination. */
	void (*send)(void *ctx, uint32_t entry, uint8_t dest);
};

struct ioapic {
	const struct ioapic_ops *ops;
	void *ctx;
	uint32_t id, select, pins;
	uint64_t entry[IOAPIC_MAX_PINS];
};

/* All pins masked. */
void ioapic_reset(struct ioapic *a);
/* An access of 32 bits at byte offset 0..0xfff. */
uint32_t ioapic_read(const struct ioapic *a, uint32_t offset);
void ioapic_write(struct ioapic *a, uint32_t offset, uint32_t value);
/* The host's line interrupted. */
void ioapic_raise(struct ioapic *a, unsigned pin);
/* A local APIC ended this vector. */
void ioapic_ended(struct ioapic *a, uint8_t vector);

#endif
