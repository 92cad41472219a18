/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arm's PL011 UART (DDI 0183), and the SBSA's subset of it, as a console device. Firmware has set
 * line speed and format; they stay. Polled from pl011_attach() on, with interrupts for input and for
 * room in the FIFO from pl011_start(). All calls come under the console lock or in a panic.
 */
#include <arch/irq.h>
#include <asm/sysreg.h>
#include <hv/console.h>
#include <hv/drivers/pl011.h>
#include <hv/log.h>

enum {
	DR = 0x00, /* data; received: errors in bits 8 and up */
	FR = 0x18,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38, /* a bit set here lets the interrupt out */
	ICR = 0x44,
};
#define FR_RXFE  (1u << 4)
#define FR_TXFF  (1u << 5)
#define CR_ON    (1u << 0 | 1u << 8 | 1u << 9) /* UART, transmitter, receiver */
#define INT_RX   (1u << 4)
#define INT_TX   (1u << 5)
#define INT_RT   (1u << 6) /* input waits and no more comes */
#define INT_ALL  0x7ffu
#define IFLS_8TH 0u /* output: 1/8 full or less; input: 1/8 full or more */

static struct {
	struct console_device dev;
	volatile uint8_t *regs;
	uint32_t mask; /* what IMSC holds */
} uart;

static size_t uart_write(struct console_device *dev, const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && !(mmio_read32(uart.regs + FR) & FR_TXFF))
		mmio_write32(uart.regs + DR, (uint8_t)s[i++]);
	return i;
}

static int uart_read(struct console_device *dev)
{
	if (mmio_read32(uart.regs + FR) & FR_RXFE)
		return -1;
	return mmio_read32(uart.regs + DR) & 0xff;
}

static void set_mask(uint32_t mask)
{
	if (mask != uart.mask) {
		uart.mask = mask;
		mmio_write32(uart.regs + IMSC, mask);
	}
}

static void uart_want_write(struct console_device *dev, bool on)
{
	set_mask(on ? uart.mask | INT_TX : uart.mask & ~INT_TX);
}

/* The level goes down when the data has been taken and room is no longer asked for. */
static void uart_interrupt(struct irq *irq, void *arg)
{
	mmio_write32(uart.regs + ICR, INT_ALL);
	console_interrupt();
}

void pl011_attach(volatile void *regs)
{
	uart.regs = regs;
	uart.mask = 0;
	mmio_write32(uart.regs + IMSC, 0);
	mmio_write32(uart.regs + CR, mmio_read32(uart.regs + CR) | CR_ON);
	uart.dev = (struct console_device){
		.name = "pl011",
		.write = uart_write,
		.read = uart_read,
		.want_write = NULL, /* until there are interrupts */
	};
	console_attach(&uart.dev);
}

void pl011_start(uint32_t irq, bool level)
{
	if (arch_irq_request(irq, level, uart_interrupt, NULL, "pl011")) {
		log_warning("console: interrupt %u cannot be had, there is no input", irq);
		return;
	}
	mmio_write32(uart.regs + IFLS, IFLS_8TH);
	mmio_write32(uart.regs + ICR, INT_ALL);
	uart.dev.want_write = uart_want_write;
	set_mask(INT_RX | INT_RT);
	console_interrupt();
}
