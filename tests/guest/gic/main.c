/* SPDX-License-Identifier: Apache-2.0 */
/* The distributor and redistributor: pending, enable, priority, active, more interrupts than list registers. */
#include "machine.h"

#define GICD GUEST_GICV3_GICD_BASE
#define SPI  40u

static volatile uint32_t order[64];
static volatile unsigned taken;

static void note(uint32_t intid)
{
	if (taken < 64)
		order[taken] = intid;
	taken++;
}

static void pend(uint32_t intid)
{
	mmio_write32(GICD + 0x200 + intid / 32 * 4, 1u << (intid % 32));
}

void guest_test(void)
{
	uint32_t lines = ((mmio_read32(GICD + 4) & 31) + 1) * 32;

	CHECK_TRUE(lines >= 64, "there are shared interrupts");
	CHECK(mmio_read32(GICD + 0xffe8) >> 4 & 15, 3, "it is a GICv3");
	CHECK(mmio_read32(GICD) & 0x10, 0x10, "affinity routing is on");
	gic_init();
	on_interrupt = note;
	/* Edges, all of them: pended by register. */
	for (unsigned i = 32; i < 64; i += 16)
		mmio_write32(GICD + 0xc00 + i / 4, 0xaaaaaaaa);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t at = GICD + 0x400 + SPI + i;

		*(volatile uint8_t *)at = (uint8_t)(0xf0 - 8 * i);
		*(volatile uint64_t *)(GICD + 0x6000 + 8 * (SPI + i)) = 0;
	}
	/* Disabled: pending only. */
	pend(SPI);
	CHECK(mmio_read32(GICD + 0x204) >> (SPI - 32) & 1, 1, "pending can be read");
	irq_on();
	CHECK(interrupts[SPI], 0, "disabled: not taken");
	mmio_write32(GICD + 0x284, 1u << (SPI - 32));
	CHECK(mmio_read32(GICD + 0x204), 0, "pending can be cleared");
	irq_off();
	/* Twenty at once, more than there are list registers: all are taken, the best first. */
	for (unsigned i = 0; i < 20; i++) {
		gic_enable(SPI + i);
		pend(SPI + i);
	}
	taken = 0;
	irq_on();
	CHECK_TRUE(WAIT_FOR(taken == 20), "all are taken");
	irq_off();
	for (unsigned i = 0; i < 20; i++)
		CHECK(order[i], SPI + 19 - i, "by priority");
	/* Of one priority, in the order in which they came; one whose priority changes while it waits is not lost. */
	for (unsigned i = 0; i < 20; i++)
		*(volatile uint8_t *)(GICD + 0x400 + SPI + i) = 0x80;
	for (unsigned i = 0; i < 20; i++)
		pend(SPI + (i * 7) % 20);
	for (unsigned i = 0; i < 20; i++)
		*(volatile uint8_t *)(GICD + 0x400 + SPI + i) = (uint8_t)(0x90 - 8 * (i % 3));
	taken = 0;
	irq_on();
	CHECK_TRUE(WAIT_FOR(taken == 20), "all are taken");
	irq_off();
	for (unsigned i = 0; i < 20; i++)
		CHECK(interrupts[SPI + i], 2, "each once more");
	/* Disabled while pending in a list register. */
	pend(SPI);
	gic_disable(SPI);
	irq_on();
	CHECK(interrupts[SPI], 2, "withdrawn");
	gic_enable(SPI);
	CHECK_TRUE(WAIT_FOR(interrupts[SPI] == 3), "remembered");
	irq_off();
	/* The group switched off and on. */
	mmio_write32(GICD, 0x10);
	pend(SPI);
	irq_on();
	CHECK(interrupts[SPI], 3, "nothing while the distributor is off");
	mmio_write32(GICD, 0x12);
	CHECK_TRUE(WAIT_FOR(interrupts[SPI] == 4), "it comes when it is on");
	irq_off();
	/* A route is read and written whole or in halves. */
	mmio_write32(GICD + 0x6000 + 8 * SPI, 0x80000000);
	CHECK(mmio_read32(GICD + 0x6000 + 8 * SPI), 0, "any one: this one");
	mmio_write32(GICD + 0x6004 + 8 * SPI, 0);
	CHECK(mmio_read32(GICD + 0x6004 + 8 * SPI), 0, "Aff3");
	/* Wild values. */
	*(volatile uint64_t *)(GICD + 0x6000 + 8 * SPI) = 0xffffffffffull;
	CHECK(*(volatile uint64_t *)(GICD + 0x6000 + 8 * SPI), 0, "a route to nobody is ignored");
	mmio_write32(GICD + 0x300 + 124, ~0u);
	mmio_write32(GICD + 0x380 + 4, ~0u);
	for (uint32_t offset = 0; offset < 0x10000; offset += 252) {
		mmio_write32(GICD + offset, 0xffffffff);
		(void)mmio_read32(GICD + offset);
	}
}
