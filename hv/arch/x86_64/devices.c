/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's PCI functions and what confines them, while booting: configuration space, IOMMUs, then the functions, each blocked from the
 * moment its IOMMU is on. ACPI tables are read first, while they are mapped.
 */
#include <asm/devices.h>

#include <asm/irq.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <hv/acpi.h>
#include <hv/assert.h>
#include <hv/boot.h>
#include <hv/drivers/amdvi.h>
#include <hv/iommu.h>
#include <hv/log.h>
#include <hv/pci.h>
#include <hv/vpci.h>

#define CLASS_IOMMU     0x080600u
#define FIRST_MEGABYTE  0x100000u
#define INTERRUPTS_BASE 0xfee00000u /* local APICs, and what devices write to interrupt */
#define INTERRUPTS_SIZE 0x100000u

static struct pci_window window[PCI_MAX_WINDOWS]; /* [c] after boot */
static unsigned nr_windows;

BOOT_TEXT void devices_read_acpi(void)
{
	const struct acpi_header *mcfg = acpi_table("MCFG", 0), *ivrs = acpi_table("IVRS", 0);

	if (mcfg)
		nr_windows = pci_read_mcfg(mcfg, window, PCI_MAX_WINDOWS);
	if (ivrs)
		amdvi_read_ivrs(ivrs);
}

/* A window must show what the ports show of the first function. */
static BOOT_TEXT void choose_access(void)
{
	pci_id_t first = pci_id(0, 0, 0);
	uint32_t by_ports = pci_ports.read(first, PCI_VENDOR, 4);

	for (unsigned i = 0; i < nr_windows; i++) {
		struct pci_window *w = &window[i];
		uint64_t buses = (uint64_t)w->last - w->first + 1;

		w->regs = mm_map_device(w->base.a + ((uint64_t)w->first << 20), buses << 20);
	}
	pci_use_windows(window, nr_windows, &pci_ports);
	if (nr_windows && by_ports != pci_read(first, PCI_VENDOR, 4)) {
		log_warning("PCI: the MCFG table's window shows another machine: using ports");
		pci_use_access(&pci_ports);
	}
}

static BOOT_TEXT void scan_all(pci_unit_fn *unit_of)
{
	pci_scan(0, 0, 255, unit_of);
	for (unsigned i = 0; i < nr_windows; i++)
		if (window[i].segment) {
			pci_scan(window[i].segment, window[i].first, window[i].last, unit_of);
		}
}

/* ---- what is not for domains ------------------------------------------------------------------------ */

static BOOT_TEXT void protect(uint64_t start, uint64_t size)
{
	if (!vpci_protect(start, size))
		panic("memory and the hypervisor's own devices are in too many pieces");
}

/* A function's windows as they are, by pages: their sizes need not be known to keep others away from their first. */
static BOOT_TEXT void protect_windows(const struct pci_dev *dev)
{
	for (unsigned i = 0; i < 6; i++) {
		uint64_t bar = pci_read(dev->id, PCI_BAR + 4 * i, 4);

		if (!(bar & 1) && bar & ~15ull)
			protect(bar & ~15ull, PAGE_SIZE);
	}
}

static BOOT_TEXT void protect_our_own(void)
{
	protect(0, FIRST_MEGABYTE);
	protect(BIT(machine_address_bits), BIT(52) - BIT(machine_address_bits));
	for (uint32_t i = 0; i < boot_info.nr_memory; i++)
		protect(boot_info.memory[i].start.a,
			boot_info.memory[i].end.a - boot_info.memory[i].start.a);
	for (unsigned i = 0; i < nr_windows; i++)
		protect(window[i].base.a + ((uint64_t)window[i].first << 20),
			((uint64_t)window[i].last - window[i].first + 1) << 20);
	for (uint32_t i = 0; i < machine.nr_ioapics; i++)
		protect(machine.ioapic[i].base, PAGE_SIZE);
	protect(INTERRUPTS_BASE, INTERRUPTS_SIZE);
	amdvi_each_window(protect);
}

/* The unit's own function is nobody else's. */
static BOOT_TEXT void report(void)
{
	uint32_t blocked = 0, free_ones = 0;

	for (struct pci_dev *dev = pci_next(NULL); dev; dev = pci_next(dev)) {
		dev->hidden = iommu_works() && dev->class == CLASS_IOMMU;
		if (dev->hidden)
			protect_windows(dev);
		blocked += dev->dma.unit != NULL;
		free_ones += !dev->dma.unit && !dev->hidden;
	}
	if (!iommu_works())
		log_info("IOMMU: none that works: no domain is given any of %u devices",
			 pci_count());
	else if (free_ones)
		log_warning("IOMMU: %s: %u devices, all blocked; %u that it does not see",
			    iommu_name(), blocked, free_ones);
	else
		log_info("IOMMU: %s: %u devices, all blocked", iommu_name(), blocked);
}

BOOT_TEXT void devices_init(void)
{
	bool amd;

	choose_access();
	amd = amdvi_start(mm_map_device, irq_each_open_pin);
	scan_all(amd ? amdvi_unit_of : NULL);
	protect_our_own();
	mm_make_window();
	report();
}
