/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 16550 UARTs at I/O ports (PC16550D data sheet, 8). Written to through the FIFO without waiting, but for boot and panic, where
 * the console waits by calling again. Divisors only when a speed is asked for: firmware's setting stays otherwise.
 */
#include <hv/drivers/ns16550.h>

#include <asm/insn.h>
#include <hv/console.h>

#define REG_DATA        0
#define REG_INTERRUPT   1
#define INTERRUPT_RX    0x01
#define INTERRUPT_TX    0x02
#define REG_FIFO        2
#define FIFO_ENABLE     0x07 /* enable, clear both, trigger at 1 byte */
#define REG_IDENT       2
#define IDENT_FIFO      0xc0
#define REG_LINE        3
#define LINE_8N1        0x03
#define LINE_DIVISOR    0x80
#define REG_MODEM       4
#define MODEM_ON        0x0b /* DTR, RTS, OUT2: interrupts reach the line */
#define REG_STATUS      5
#define STATUS_RX       0x01
#define STATUS_TX_EMPTY 0x20
#define CLOCK           115200u

static struct {
	struct console_device console;
	uint16_t port;
	uint8_t fifo;       /* bytes it takes when empty */
	uint8_t interrupts; /* enabled */
} uart;

static size_t uart_write(struct console_device *dev, const char *s, size_t n)
{
	size_t done = 0;

	if (!(inb(uart.port + REG_STATUS) & STATUS_TX_EMPTY))
		return 0;
	for (; done < n && done < uart.fifo; done++)
		outb(uart.port + REG_DATA, (uint8_t)s[done]);
	return done;
}

static int uart_read(struct console_device *dev)
{
	if (!(inb(uart.port + REG_STATUS) & STATUS_RX))
		return -1;
	return inb(uart.port + REG_DATA);
}

static void uart_want_write(struct console_device *dev, bool on)
{
	uint8_t now = on ? uart.interrupts | INTERRUPT_TX : uart.interrupts & ~INTERRUPT_TX;

	if (now == uart.interrupts)
		return;
	uart.interrupts = now;
	outb(uart.port + REG_INTERRUPT, now);
}

/* The line stays up when one cause follows another, and an edge would be missed: off and on again gives one. */
static void uart_rearm(struct console_device *dev)
{
	outb(uart.port + REG_INTERRUPT, 0);
	outb(uart.port + REG_INTERRUPT, uart.interrupts);
}

struct console_device *ns16550_init(uint16_t port, uint32_t baud)
{
	uart.port = port;
	outb(port + REG_INTERRUPT, 0);
	/* A port that does not keep what is written has no UART behind it. */
	outb(port + REG_LINE, LINE_8N1);
	if (inb(port + REG_LINE) != LINE_8N1)
		return NULL;
	if (baud) {
		uint32_t divisor = CLOCK / baud ? CLOCK / baud : 1;

		outb(port + REG_LINE, LINE_8N1 | LINE_DIVISOR);
		outb(port + REG_DATA, (uint8_t)divisor);
		outb(port + REG_INTERRUPT, (uint8_t)(divisor >> 8));
		outb(port + REG_LINE, LINE_8N1);
	}
	outb(port + REG_FIFO, FIFO_ENABLE);
	outb(port + REG_MODEM, MODEM_ON);
	uart.fifo = (inb(port + REG_IDENT) & IDENT_FIFO) == IDENT_FIFO ? 16 : 1;
	uart.console = (struct console_device){
		.name = "ns16550",
		.write = uart_write,
		.read = uart_read,
		.want_write = uart_want_write,
		.rearm = uart_rearm,
	};
	return &uart.console;
}

void ns16550_interrupts_on(void)
{
	uart.interrupts |= INTERRUPT_RX;
	outb(uart.port + REG_INTERRUPT, uart.interrupts);
}
