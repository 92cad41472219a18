/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O ports of the domain that owns the machine. All are its own, without an exit, but these:
 *
 *	20-21 a0-a1 4d0-4d1  legacy interrupt controllers: masked for good; an empty bus
 *	40-43 61             interval timer and its gate: not there (decisions/0007); counters read 0
 *	64 92 cf9, FADT's    what resets the machine does so through us; else passed on
 *	cf8-cff              PCI configuration space (asm/vpci.h)
 *	PM1 control          what puts the machine to sleep: soft-off ends it through us, other states are not entered; else passed on
 *	the UART             the hypervisor's console: an empty bus
 */
#include <asm/ports.h>

#include <asm/hvm.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/vpci.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <xen/sched.h>

#define PIC_MASTER     0x20
#define PIC_SLAVE      0xa0
#define PIC_TRIGGERS   0x4d0
#define PIT            0x40
#define PIT_COUNTERS   3
#define PIT_GATE       0x61
#define KEYBOARD       0x64
#define KEYBOARD_PULSE 0xf0 /* commands f0-ff pulse outputs; bit 0 clear: the reset line */
#define FAST_RESET     0x92
#define CHIPSET_RESET  0xcf9
#define SLEEP_ENABLE   (1u << 13)
#define SLEEP_TYPE(v)  ((v) >> 10 & 7)

#define UART_PORTS     8

/* ---- which ----------------------------------------------------------------------------------------- */

static bool in(uint16_t port, uint32_t first, unsigned n)
{
	return port >= first && port - first < n;
}

static bool is_pm1_control(uint16_t port)
{
	const struct acpi_fixed *f = &machine.fixed;

	return machine.has_fixed && ((f->pm1a_control && in(port, f->pm1a_control, 2)) ||
				     (f->pm1b_control && in(port, f->pm1b_control, 2)));
}

static bool is_fixed_reset(uint16_t port)
{
	const struct acpi_address *r = &machine.fixed.reset;

	return machine.has_fixed && r->space == ACPI_SPACE_IO && r->address && r->address == port;
}

static bool is_absent(uint16_t port)
{
	return in(port, PIC_MASTER, 2) || in(port, PIC_SLAVE, 2) || in(port, PIC_TRIGGERS, 2) ||
	       in(port, PIT, 4) || port == PIT_GATE ||
	       (machine.uart && in(port, machine.uart, UART_PORTS));
}

static bool is_watched(uint16_t port)
{
	return port == KEYBOARD || port == FAST_RESET ||
	       in(port, VPCI_FIRST_PORT, VPCI_LAST_PORT - VPCI_FIRST_PORT + 1) ||
	       is_fixed_reset(port) || is_pm1_control(port);
}

/* Page by page: most pages of 256 ports have none that is closed. */
#define PORTS_PAGE 256u

static bool page_has(uint32_t page, uint32_t port)
{
	return port / PORTS_PAGE == page;
}

/* Has it a port that is_absent() or is_watched()? Yes, where in doubt. */
static bool page_has_closed(uint32_t page)
{
	static const uint16_t fixed[] = { PIC_MASTER, PIC_TRIGGERS, VPCI_FIRST_PORT };
	const struct acpi_fixed *f = &machine.fixed;

	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		if (page_has(page, fixed[i]))
			return true;
	return (machine.uart && page_has(page, machine.uart)) || page_has(page, f->pm1a_control) ||
	       page_has(page, f->pm1a_control + 1u) || page_has(page, f->pm1b_control) ||
	       page_has(page, f->pm1b_control + 1u) || page_has(page, (uint32_t)f->reset.address);
}

void ports_open(struct domain *d)
{
	for (uint32_t page = 0; page < 0x10000 / PORTS_PAGE; page++) {
		uint32_t first = page * PORTS_PAGE;

		if (!page_has_closed(page)) {
			hvm->allow_port(d, (uint16_t)first, PORTS_PAGE);
			continue;
		}
		for (uint32_t port = first; port < first + PORTS_PAGE; port++)
			if (!is_absent((uint16_t)port) && !is_watched((uint16_t)port))
				hvm->allow_port(d, (uint16_t)port, 1);
	}
}

/* ---- what they do ---------------------------------------------------------------------------------- */

static void pass(uint16_t port, unsigned size, bool write, uint32_t *value)
{
	switch (size << 1 | write) {
	case 2: *value = inb(port); break;
	case 3: outb(port, (uint8_t)*value); break;
	case 4: *value = inw(port); break;
	case 5: outw(port, (uint16_t)*value); break;
	case 8: *value = inl(port); break;
	default: outl(port, *value); break;
	}
}

/* `bits`: what is written to 15..0 of a PM1 control register. Soft-off is known by its type when there are several (ACPI 6.4, 4.8.3.2). */
static void sleep(struct domain *d, uint32_t bits)
{
	if (SLEEP_TYPE(bits) != machine.sleep_off && machine.sleep_off_known) {
		log_warning("d%u: sleep state of type %u is not entered: only power-off is", d->id,
			    SLEEP_TYPE(bits));
		return;
	}
	machine.sleep_off = (uint16_t)SLEEP_TYPE(bits);
	domain_shutdown(d, SHUTDOWN_poweroff);
}

static bool write_pm1(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
	bool high = machine.fixed.pm1a_control + 1 == port ||
		    machine.fixed.pm1b_control + 1 == port;
	uint32_t bits = high ? value << 8 : value;

	if (!(bits & SLEEP_ENABLE) || (size == 1 && !high)) {
		pass(port, size, true, &value);
		return true;
	}
	sleep(v->domain, bits);
	return true;
}

static bool is_reset(uint16_t port, uint8_t value)
{
	switch (port) {
	case KEYBOARD: return value >= KEYBOARD_PULSE && !(value & 1);
	case FAST_RESET: return value & 1;
	case CHIPSET_RESET: return value & 4;
	default: return value == machine.fixed.reset_value;
	}
}

/* One byte at a port whose writes may reset the machine. */
static void resetting(struct vcpu *v, uint16_t port, bool write, uint32_t *value)
{
	if (write && is_reset(port, (uint8_t)*value))
		domain_shutdown(v->domain, SHUTDOWN_reboot);
	else
		pass(port, 1, write, value);
}

static uint32_t absent(uint16_t port)
{
	return in(port, PIT, PIT_COUNTERS) || port == PIT_GATE ? 0 : ~0u;
}

/* An access of several bytes to ports of different kinds goes byte by byte, as a bus would do it. */
static bool by_bytes(struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value)
{
	uint32_t all = 0;

	for (unsigned i = 0; i < size; i++) {
		uint32_t byte = *value >> 8 * i & 0xff;
		uint16_t at = (uint16_t)(port + i);

		if (!ports_access(v, at, 1, write, &byte))
			return false;
		all |= (byte & 0xff) << 8 * i;
	}
	if (!write)
		*value = all;
	return true;
}

bool ports_access(struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value)
{
	if (in(port, VPCI_FIRST_PORT, VPCI_LAST_PORT - VPCI_FIRST_PORT + 1) &&
	    !(size == 1 && (port == CHIPSET_RESET || is_fixed_reset(port))))
		return vpci_port(v, port, size, write, value) != IO_WAIT;
	if (is_pm1_control(port) && write)
		return write_pm1(v, port, size, *value);
	if (size > 1 && !is_pm1_control(port))
		return by_bytes(v, port, size, write, value);
	if (is_absent(port)) {
		if (!write)
			*value = absent(port);
	} else if (is_pm1_control(port) || !is_watched(port)) {
		pass(port, size, write, value);
	} else {
		resetting(v, port, write, value);
	}
	return true;
}
