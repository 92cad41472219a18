/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An emulated PL011 (DDI 0183). Transmission is instantaneous: what is written goes to the domain's console
 * at once and the transmit FIFO is always empty. Reception is a FIFO that is filled from the console's
 * input queue whenever there is room.
 *
 * Its lock is never held while the console is called: that has locks of lower rank. Called by the exit path of
 * the domain's vCPUs, and by the console when input arrives.
 */
#include <asm/vpl011.h>

#include <hv/console.h>
#include <hv/domain.h>
#include <hv/state.h>
#include <hv/string.h>
#include <public/state.h>
#include <public/state_arm.h>

enum {
	DR = 0x000,
	RSR = 0x004,
	FR = 0x018,
	IBRD = 0x024,
	FBRD = 0x028,
	LCR_H = 0x02c,
	CR = 0x030,
	IFLS = 0x034,
	IMSC = 0x038,
	RIS = 0x03c,
	MIS = 0x040,
	ICR = 0x044,
	DMACR = 0x048,
	ID_FIRST = 0xfe0,
};

#define FR_RXFE  BIT(4)
#define FR_RXFF  BIT(6)
#define FR_TXFE  BIT(7)
#define INT_RX   BIT(4)
#define INT_TX   BIT(5)
#define INT_RT   BIT(6) /* receive time-out: something waits in the FIFO */
#define INT_ALL  0x7ffu
#define RX_LEVEL (VPL011_FIFO / 2)

/* Peripheral and cell identification, one byte a word (3.3.15, 3.3.16): revision r1p5. */
static const uint8_t identification[8] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

static struct domain *domain_of(struct vpl011 *u)
{
	return container_of(u, struct domain, arch.uart);
}

/* Interrupt status follows the FIFO; then the line follows the status. */
static void update_status(struct vpl011 *u) HOLDS(u->lock)
{
	u->ris |= INT_TX;
	if (u->count >= RX_LEVEL)
		u->ris |= INT_RX;
	if (u->count)
		u->ris |= INT_RT;
	else
		u->ris &= (uint16_t) ~(INT_RX | INT_RT);
}

static void update_line(struct vpl011 *u) HOLDS(u->lock)
{
	bool high = u->ris & u->imsc;

	if (high == u->line)
		return;
	u->line = high;
	vgic_set_line(domain_of(u), NULL, u->spi, high);
}

/* Take what the console has for us, while there is room. */
static void receive(struct vpl011 *u)
{
	char buf[VPL011_FIFO];
	size_t n;

	lock_take(&u->lock);
	n = VPL011_FIFO - u->count;
	lock_release(&u->lock);
	n = console_domain_read(domain_of(u), buf, n);

	lock_take(&u->lock);
	for (size_t i = 0; i < n && u->count < VPL011_FIFO; i++)
		u->rx[(u->head + u->count++) % VPL011_FIFO] = buf[i];
	update_status(u);
	update_line(u);
	lock_release(&u->lock);
}

static void input_arrived(struct domain *d)
{
	receive(&d->arch.uart);
}

static uint32_t read_data(struct vpl011 *u) HOLDS(u->lock)
{
	char c;

	if (!u->count)
		return 0;
	c = u->rx[u->head];
	u->head = (u->head + 1) % VPL011_FIFO;
	u->count--;
	if (u->count < RX_LEVEL)
		u->ris &= (uint16_t)~INT_RX;
	return (uint8_t)c;
}

static uint32_t read_register(struct vpl011 *u, uint32_t offset) HOLDS(u->lock)
{
	switch (offset) {
	case DR: return read_data(u);
	case FR:
		return (uint32_t)(FR_TXFE | (u->count ? 0 : FR_RXFE) |
				  (u->count == VPL011_FIFO ? FR_RXFF : 0));
	case IBRD: return u->ibrd;
	case FBRD: return u->fbrd;
	case LCR_H: return u->lcr;
	case CR: return u->cr;
	case IFLS: return u->ifls;
	case IMSC: return u->imsc;
	case RIS: return u->ris;
	case MIS: return u->ris & u->imsc;
	case DMACR: return u->dmacr;
	default:
		if (offset >= ID_FIRST)
			return identification[(offset - ID_FIRST) / 4 % ARRAY_SIZE(identification)];
		return 0; /* RSR: no error ever */
	}
}

static void write_register(struct vpl011 *u, uint32_t offset, uint16_t value) HOLDS(u->lock)
{
	switch (offset) {
	case IBRD: u->ibrd = value; break;
	case FBRD: u->fbrd = value; break;
	case LCR_H: u->lcr = value; break;
	case CR: u->cr = value; break;
	case IFLS: u->ifls = value; break;
	case IMSC: u->imsc = value & INT_ALL; break;
	case ICR: u->ris &= (uint16_t)~value; break;
	case DMACR: u->dmacr = value; break;
	default: break;
	}
}

static enum io_result uart_access(struct io_device *dev, struct vcpu *v, struct io_access *a)
{
	struct vpl011 *u = container_of(dev, struct vpl011, dev);
	uint32_t offset = (uint32_t)(a->addr.a - dev->base.a) & ~3u;
	bool more;

	if (a->write && offset == DR) {
		char c = (char)a->value;

		console_domain_write(v->domain, &c, 1);
		lock_take(&u->lock);
		u->ris |= INT_TX;
		update_line(u);
		lock_release(&u->lock);
		return IO_DONE;
	}
	lock_take(&u->lock);
	if (a->write)
		write_register(u, offset, (uint16_t)a->value);
	else
		a->value = read_register(u, offset);
	if (u->count)
		u->ris |= INT_RT;
	else
		u->ris &= (uint16_t) ~(INT_RX | INT_RT);
	update_line(u);
	more = offset == DR && u->count < RX_LEVEL;
	lock_release(&u->lock);
	if (more)
		receive(u);
	return IO_DONE;
}

static const struct io_device_ops uart_ops = { .name = "PL011", .access = uart_access };

/* ---- state records ---------------------------------------------------------------------------------- */

bool vpl011_present(const struct domain *d)
{
	return d->arch.uart.dev.ops != NULL;
}

void vpl011_state_save(struct domain *d, struct krypton_state_arm_pl011 *r)
{
	struct vpl011 *u = &d->arch.uart;

	lock_take(&u->lock);
	r->imsc = u->imsc;
	r->ris = u->ris;
	r->cr = u->cr;
	r->lcr = u->lcr;
	r->ibrd = u->ibrd;
	r->fbrd = u->fbrd;
	r->ifls = u->ifls;
	r->dmacr = u->dmacr;
	r->count = u->count;
	for (unsigned i = 0; i < u->count; i++)
		r->rx[i] = (uint8_t)u->rx[(u->head + i) % VPL011_FIFO];
	lock_release(&u->lock);
}

int vpl011_state_check(const struct krypton_state_arm_pl011 *r)
{
	_Static_assert(sizeof(r->rx) == VPL011_FIFO, "the record holds the FIFO");

	if (r->imsc & ~INT_ALL)
		return state_bad_field(KRYPTON_STATE_ARM_PL011, struct krypton_state_arm_pl011,
				       imsc, r->imsc);
	if (r->ris & ~INT_ALL)
		return state_bad_field(KRYPTON_STATE_ARM_PL011, struct krypton_state_arm_pl011, ris,
				       r->ris);
	if (r->count > VPL011_FIFO)
		return state_bad_field(KRYPTON_STATE_ARM_PL011, struct krypton_state_arm_pl011,
				       count, r->count);
	return 0;
}

void vpl011_state_load(struct domain *d, const struct krypton_state_arm_pl011 *r)
{
	struct vpl011 *u = &d->arch.uart;

	lock_take(&u->lock);
	u->imsc = r->imsc;
	u->ris = r->ris;
	u->cr = r->cr;
	u->lcr = r->lcr;
	u->ibrd = r->ibrd;
	u->fbrd = r->fbrd;
	u->ifls = r->ifls;
	u->dmacr = r->dmacr;
	u->head = 0;
	u->count = (uint8_t)r->count;
	memcpy(u->rx, r->rx, sizeof(u->rx));
	/* The interrupt controller may have been loaded with another idea of the line. */
	u->line = u->ris & u->imsc;
	vgic_set_line(d, NULL, u->spi, u->line);
	lock_release(&u->lock);
	receive(u); /* what the console kept because the FIFO was full */
}

int vpl011_init(struct domain *d, gpa_t base, uint32_t spi)
{
	struct vpl011 *u = &d->arch.uart;
	int err;

	lock_init(&u->lock, RANK_DEVICE);
	u->dev = (struct io_device){ .ops = &uart_ops, .base = base, .size = GUEST_PL011_SIZE };
	u->spi = spi;
	u->cr = 0x300; /* reset values: 3.3.8, 3.3.9 */
	u->ifls = 0x12;
	err = io_register(d, &u->dev);
	if (!err)
		console_set_input_hook(d, input_arrived);
	return err;
}
