/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space of a PC by its two ports (PCI Local Bus 3.0, 3.2.2.3.2). Guests never reach them. */
#include <hv/pci.h>

#include <asm/insn.h>
#include <hv/lock.h>

#define ADDRESS 0xcf8
#define DATA    0xcfc
#define ENABLE  0x80000000u

static struct lock ports_lock = LOCK_INIT(RANK_PCI_PORTS);

static bool reachable(pci_id_t id, unsigned reg)
{
	return pci_segment(id) == 0 && reg < 256;
}

static void select(pci_id_t id, unsigned reg) HOLDS(ports_lock)
{
	outl(ADDRESS, ENABLE | id.n << 8 | (reg & 0xfc));
}

static uint32_t ports_read(pci_id_t id, unsigned reg, unsigned size)
{
	uint16_t port = (uint16_t)(DATA + (reg & 3));
	uint32_t v;

	if (!reachable(id, reg))
		return ~0u >> (32 - 8 * size);
	lock_take(&ports_lock);
	select(id, reg);
	v = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
	lock_release(&ports_lock);
	return v;
}

static void ports_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	uint16_t port = (uint16_t)(DATA + (reg & 3));

	if (!reachable(id, reg))
		return;
	lock_take(&ports_lock);
	select(id, reg);
	if (size == 1)
		outb(port, (uint8_t)value);
	else if (size == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
	lock_release(&ports_lock);
}

const struct pci_access pci_ports = { "ports", ports_read, ports_write };
