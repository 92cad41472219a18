/* SPDX-License-Identifier: Apache-2.0 */
/* PCI functions found in a configuration space of the test's making: bridges that lie, capabilities that loop, windows of nonsense. */
#include "sim.h"

#include <hv/acpi.h>
#include <hv/pci.h>

/* ---- a configuration space ------------------------------------------------------------------------- */

#define MOST 80u

static struct {
	pci_id_t id;
	uint8_t reg[256];
} fn[MOST];
static unsigned nr, reads;

static uint8_t *find(pci_id_t id)
{
	for (unsigned i = 0; i < nr; i++)
		if (fn[i].id.n == id.n)
			return fn[i].reg;
	return NULL;
}

static uint32_t config_read(pci_id_t id, unsigned reg, unsigned size)
{
	const uint8_t *r = find(id);
	uint32_t v = ~0u >> (32 - 8 * size);

	reads++;
	assert_true(reg + size <= 256 && reg % size == 0);
	if (r)
		memcpy(&v, r + reg, size);
	return v;
}

static void config_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	fail_msg("nothing is written to a device");
}

static const struct pci_access fake = { "test", config_read, config_write };

static uint8_t *add(unsigned bus, unsigned devfn, unsigned header)
{
	uint8_t *r = fn[nr].reg;

	memset(r, 0, 256);
	fn[nr++].id = pci_id(0, bus, devfn);
	r[0] = 0x86, r[1] = 0x80, r[2] = (uint8_t)nr, r[3] = 0x10;
	r[PCI_HEADER] = (uint8_t)header;
	return r;
}

static uint8_t *add_bridge(unsigned bus, unsigned devfn, unsigned to, unsigned last)
{
	uint8_t *r = add(bus, devfn, 1);

	r[PCI_PRIMARY_BUS] = (uint8_t)bus;
	r[PCI_SECONDARY_BUS] = (uint8_t)to;
	r[PCI_LAST_BUS] = (uint8_t)last;
	return r;
}

static struct iommu_unit unit = { .number = 0 };

static struct iommu_unit *unit_of(const struct pci_dev *dev, uint32_t *id)
{
	return &unit;
}

static void boot(void)
{
	nr = reads = 0;
	unit.nr_devices = 0;
	sim_boot(1, 64 << 20, 1);
	pci_use_access(&fake);
}

/* ---- rules ----------------------------------------------------------------------------------------- */

static void functions_behind_bridges_are_found_once(void **state)
{
	const struct pci_dev *dev;

	boot();
	add(0, 0x00, 0);
	add_bridge(0, 0x08, 1, 2);
	add(1, 0x00, 0x80);
	add(1, 0x03, 0);
	add_bridge(1, 0x10, 2, 2);
	add(2, 0x00, 0);
	add(0, 0x11, 0); /* function 1 of a device without function 0: not there */
	assert_int_equal(pci_last_bus(0, 0, 255), 2);
	pci_scan(0, 0, 255, unit_of);
	assert_int_equal(pci_count(), 6);
	assert_int_equal(unit.nr_devices, 6);
	assert_null(pci_find(pci_id(0, 0, 0x11)));
	dev = pci_find(pci_id(0, 1, 0x03));
	assert_non_null(dev);
	assert_int_equal(dev->vendor, 0x8086);
	assert_ptr_equal(dev->dma.context, &iommu_quarantine);
	assert_int_equal(dev->dma.id, 0x103);
	dev = pci_find(pci_id(0, 0, 0x08));
	assert_int_equal(dev->secondary, 1);
	assert_int_equal(dev->last, 2);
	/* Again, as after a hot-plug: known ones stay as they are. */
	add(2, 0x08, 0);
	assert_ptr_equal(pci_add(pci_id(0, 0, 0x08), unit_of), dev);
	assert_non_null(pci_add(pci_id(0, 2, 0x08), unit_of));
	assert_null(pci_add(pci_id(0, 9, 0), unit_of));
	assert_int_equal(pci_count(), 7);
	sim_abandon();
}

static void bridges_that_lie_are_not_followed(void **state)
{
	boot();
	add_bridge(0, 0x00, 0, 0);   /* not numbered */
	add_bridge(0, 0x08, 0, 255); /* to itself */
	add_bridge(0, 0x10, 5, 3);   /* an empty range */
	add_bridge(0, 0x18, 5, 5);
	add_bridge(0, 0x20, 5, 5); /* the same bus again */
	add_bridge(5, 0x00, 1, 9); /* back down */
	add(5, 0x08, 0);
	pci_scan(0, 0, 255, unit_of);
	assert_int_equal(pci_count(), 7);
	sim_abandon();
}

static void a_bus_where_everything_answers_is_bounded(void **state)
{
	boot();
	for (unsigned i = 0; i < 64; i++)
		(void)add_bridge(i / 32, (i % 32) << 3, 1 + i % 3, 255);
	pci_scan(0, 0, 255, unit_of);
	assert_int_equal(pci_count(), 64);
	assert_true(reads < 256 * 256);
	sim_abandon();
}

static void more_functions_than_a_frame_holds(void **state)
{
	const struct pci_dev *dev;
	unsigned n = 0;

	boot();
	for (unsigned i = 0; i < 64; i++)
		(void)add(0, i * 4, i % 2 ? 0 : 0x80);
	pci_scan(0, 0, 255, unit_of);
	assert_int_equal(pci_count(), 64);
	for (dev = pci_next(NULL); dev; dev = pci_next(dev))
		assert_int_equal(dev->id.n, 4 * n++);
	assert_int_equal(n, 64);
	sim_abandon();
}

static void capability_lists_end(void **state)
{
	uint8_t *r;

	boot();
	r = add(0, 0, 0);
	r[PCI_CAPS] = 0x40;
	r[0x40] = PCI_CAP_MSI, r[0x41] = 0x50;
	r[0x50] = PCI_CAP_MSIX, r[0x51] = 0x40;                          /* round and round */
	assert_int_equal(pci_find_cap(pci_id(0, 0, 0), PCI_CAP_MSI), 0); /* the status says: none */
	r[PCI_STATUS] = PCI_STATUS_CAPS;
	assert_int_equal(pci_find_cap(pci_id(0, 0, 0), PCI_CAP_MSIX), 0x50);
	assert_int_equal(pci_find_cap(pci_id(0, 0, 0), PCI_CAP_EXPRESS), 0);
	r[PCI_CAPS] = 0x10; /* into the header */
	assert_int_equal(pci_find_cap(pci_id(0, 0, 0), PCI_CAP_MSI), 0);
	sim_abandon();
}

/* ---- windows --------------------------------------------------------------------------------------- */

static struct PACKED {
	struct acpi_header header;
	uint64_t reserved;
	struct PACKED {
		uint64_t base;
		uint16_t segment;
		uint8_t first, last;
		uint32_t reserved;
	} record[4];
} mcfg;

static void mcfg_is_read_as_far_as_it_makes_sense(void **state)
{
	struct pci_window w[2];

	sim_boot(1, 64 << 20, 1);
	memset(&mcfg, 0, sizeof(mcfg));
	mcfg.header.length = 44;
	assert_int_equal(pci_read_mcfg(&mcfg.header, w, 2), 0);
	mcfg.record[0].base = 0xb0000000;
	mcfg.record[0].last = 255;
	mcfg.record[1].base = 0x1234; /* not a multiple of 1 MiB */
	mcfg.record[2].base = 0xc0000000;
	mcfg.record[2].segment = 1;
	mcfg.record[2].first = 0x40;
	mcfg.record[2].last = 0x3f;
	mcfg.record[3].base = 0xd0000000;
	mcfg.record[3].segment = 1;
	mcfg.record[3].first = mcfg.record[3].last = 0x40;
	mcfg.header.length = sizeof(mcfg);
	assert_int_equal(pci_read_mcfg(&mcfg.header, w, 2), 2);
	assert_int_equal(w[0].base.a, 0xb0000000);
	assert_int_equal(w[1].base.a, 0xd0000000);
	assert_int_equal(pci_read_mcfg(&mcfg.header, w, 1), 1);
	mcfg.header.length -= 1; /* the last record is cut */
	assert_int_equal(pci_read_mcfg(&mcfg.header, w, 2), 1);
	sim_abandon();
}

static uint8_t space[2][256 * 4096] ALIGNED(4096);

static void windows_cover_their_buses(void **state)
{
	struct pci_window w[2] = {
		{ .segment = 0, .first = 4, .last = 4, .regs = space[0] },
		{ .segment = 1, .first = 0, .last = 0, .regs = space[1] },
	};

	boot();
	add(0, 0, 0);
	pci_use_windows(w, 2, &fake);
	pci_write(pci_id(0, 4, 0xff), 0xffc, 4, 0x12345678);
	assert_memory_equal(space[0] + sizeof(space[0]) - 4, "\x78\x56\x34\x12", 4);
	assert_int_equal(pci_read(pci_id(0, 4, 0xff), 0xffe, 2), 0x1234);
	pci_write(pci_id(1, 0, 1), 3, 1, 0xab);
	assert_int_equal(space[1][4096 + 3], 0xab);
	assert_int_equal(pci_read(pci_id(0, 0, 0), 0, 2), 0x8086); /* by the ports */
	assert_int_equal(pci_read(pci_id(1, 1, 0), 0, 2), 0xffff);
	sim_abandon();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_behind_bridges_are_found_once),
		cmocka_unit_test(bridges_that_lie_are_not_followed),
		cmocka_unit_test(a_bus_where_everything_answers_is_bounded),
		cmocka_unit_test(more_functions_than_a_frame_holds),
		cmocka_unit_test(capability_lists_end),
		cmocka_unit_test(mcfg_is_read_as_far_as_it_makes_sense),
		cmocka_unit_test(windows_cover_their_buses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
