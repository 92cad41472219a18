/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD-Vi: IVRS tables, good and broken; and the driver on a model of a unit, which reads device table, page tables and
 * commands from memory as the manual (48882) says. The model keeps what it has translated until a command tells it to
 * forget, so that a missing flush is found.
 */
#include "sim.h"

#include "../../hv/drivers/iommu/amdvi/amdvi.h"

#include <hv/drivers/amdvi.h>
#include <xen/domctl.h>

/* ---- the model ------------------------------------------------------------------------------------- */

#define KEPT 64u

static struct {
	uint64_t reg[0x4000 / 8];
	uint8_t config[256];
	bool dead; /* executes nothing */
	unsigned commands, bad_commands;
	struct {
		bool valid;
		uint16_t device, tag;
		uint64_t page, target;
		unsigned perms;
	} kept[KEPT]; /* translations */
	unsigned next;
	struct {
		bool valid;
		struct amdvi_dte e;
	} dte[256]; /* kept device entries */
	struct {
		bool valid;
		uint32_t e;
	} irte[256];
	void (*handler)(struct irq *, void *);
	struct irq *irq;
	void *arg;
} hw;

#define REG(r) hw.reg[(r) / 8]

static uint64_t load(uint64_t pa)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)frame_va(paddr_to_mfn(paddr(pa))) + (pa & (PAGE_SIZE - 1)), 8);
	return v;
}

static void store(uint64_t pa, uint64_t v)
{
	memcpy((uint8_t *)frame_va(paddr_to_mfn(paddr(pa))) + (pa & (PAGE_SIZE - 1)), &v, 8);
}

static const struct amdvi_dte *model_dte(uint16_t device)
{
	if (!hw.dte[device].valid) {
		uint64_t at = (REG(0) & 0xffffffffff000ull) + device * 32ull;

		for (unsigned i = 0; i < 4; i++)
			hw.dte[device].e.word[i] = load(at + 8 * i);
		hw.dte[device].valid = true;
	}
	return &hw.dte[device].e;
}

static void event(uint64_t low, uint64_t high)
{
	uint64_t base = REG(0x10) & 0xffffffffff000ull, tail = REG(0x2018);

	if (!(REG(0x18) & BIT(2)))
		return;
	if (((tail + 16) & 0xfff) == REG(0x2010)) {
		REG(0x2020) |= BIT(0);
	} else {
		store(base + tail, low);
		store(base + tail + 8, high);
		REG(0x2018) = (tail + 16) & 0xfff;
	}
	REG(0x2020) |= BIT(1);
}

static bool page_fault(uint16_t device, uint16_t tag, uint64_t addr, bool write, uint64_t flags)
{
	event(2ull << 60 | flags | (write ? BIT(53) : 0) | (uint64_t)tag << 32 | device, addr);
	return false;
}

/* 2.2.3: from the level that the device entry names down to a page. perms: 1 read, 2 write. */
static bool walk(const struct amdvi_dte *e, uint64_t addr, uint64_t *target, unsigned *perms)
{
	uint64_t entry = e->word[0];
	unsigned mode = entry >> 9 & 7;

	*perms = entry >> 61 & 3;
	if (!mode) {
		*target = addr;
		return *perms != 0;
	}
	if (addr >> (12 + 9 * mode))
		return false;
	for (unsigned level = mode;; level = entry >> 9 & 7) {
		unsigned at = addr >> (12 + 9 * (level - 1)) & 511, next;

		entry = load((entry & 0xffffffffff000ull) + 8 * at);
		if (!(entry & 1))
			return false;
		*perms &= entry >> 61 & 3;
		next = entry >> 9 & 7;
		assert_true(next < level && next != 7);
		if (!next) {
			uint64_t size = 1ull << (12 + 9 * (level - 1));

			assert_true(!(entry & 0xffffffffff000ull & (size - 1)));
			*target = (entry & 0xffffffffff000ull) + (addr & (size - 1));
			return true;
		}
	}
}

/* A device reaches for memory; where it got to. */
static bool dma(uint16_t device, uint64_t addr, bool write, uint64_t *target)
{
	const struct amdvi_dte *e;
	unsigned perms, want = write ? 2 : 1;
	uint16_t tag;

	*target = addr;
	if (!(REG(0x18) & 1))
		return true;
	if (device >= ((REG(0) & 0x1ff) + 1) * 128) {
		event(1ull << 60 | device, addr);
		return false;
	}
	e = model_dte(device);
	tag = (uint16_t)e->word[1];
	if (!(e->word[0] & 1))
		return true; /* 2.2.2: not valid means everything passes */
	for (unsigned i = 0; i < KEPT; i++)
		if (hw.kept[i].valid && hw.kept[i].device == device &&
		    hw.kept[i].page == addr >> 12) {
			*target = hw.kept[i].target | (addr & 0xfff);
			return hw.kept[i].perms & want;
		}
	if (!(e->word[0] & 2) || !walk(e, addr, target, &perms))
		return page_fault(device, tag, addr, write, 0);
	if (!(perms & want))
		return page_fault(device, tag, addr, write, BIT(52) | BIT(54));
	hw.kept[hw.next].valid = true;
	hw.kept[hw.next].device = device;
	hw.kept[hw.next].tag = tag;
	hw.kept[hw.next].page = addr >> 12;
	hw.kept[hw.next].target = *target & ~0xfffull;
	hw.kept[hw.next].perms = perms;
	hw.next = (hw.next + 1) % KEPT;
	return true;
}

/* A device sends the message `data`: the vector and CPU that arrive, or nothing. */
static bool message(uint16_t device, uint32_t data, uint8_t *vector, uint8_t *cpu)
{
	const struct amdvi_dte *e = model_dte(device);
	unsigned control = e->word[2] >> 60 & 3, index = data & 0x7ff;

	*vector = (uint8_t)data;
	*cpu = 0;
	if (!(e->word[2] & 1))
		return true;
	if (control != 2 || index >> (e->word[2] >> 1 & 15)) {
		event(2ull << 60 | BIT(51) | device, 0xfee00000 | data);
		return false;
	}
	if (!hw.irte[index].valid) {
		hw.irte[index].e = (uint32_t)(load((e->word[2] & 0xfffffffffffc0ull) +
						   (index & ~1u) * 4) >>
					      (index & 1) * 32);
		hw.irte[index].valid = true;
	}
	*vector = (uint8_t)(hw.irte[index].e >> 16);
	*cpu = (uint8_t)(hw.irte[index].e >> 8);
	return hw.irte[index].e & 1;
}

static void forget(uint16_t tag, uint64_t high)
{
	uint64_t first = high >> 12, n = 1;

	if (high & 1) { /* 2.4.3: the lowest zero bit from bit 12 on */
		unsigned bit = 0;

		while (bit < 51 && first >> bit & 1)
			bit++;
		n = 2ull << bit;
		first &= ~(n - 1);
	}
	for (unsigned i = 0; i < KEPT; i++)
		if (hw.kept[i].tag == tag && hw.kept[i].page >= first && hw.kept[i].page - first < n)
			hw.kept[i].valid = false;
}

static void execute(uint64_t low, uint64_t high)
{
	hw.commands++;
	switch (low >> 60) {
	case 1:
		if (low & 1)
			store(low & 0xffffffffffff8ull, high);
		break;
	case 2: hw.dte[low & 0xff].valid = false; break;
	case 3: forget((uint16_t)(low >> 32), high); break;
	case 5: memset(hw.irte, 0, sizeof(hw.irte)); break;
	case 8:
		memset(hw.kept, 0, sizeof(hw.kept));
		memset(hw.dte, 0, sizeof(hw.dte));
		memset(hw.irte, 0, sizeof(hw.irte));
		break;
	default: hw.bad_commands++; break;
	}
}

static void run_commands(void)
{
	uint64_t base = REG(8) & 0xffffffffff000ull;

	if (hw.dead || !(REG(0x18) & BIT(12)) || !(REG(0x18) & 1))
		return;
	while (REG(0x2000) != REG(0x2008)) {
		execute(load(base + REG(0x2000)), load(base + REG(0x2000) + 8));
		REG(0x2000) = (REG(0x2000) + 16) & 0xfff;
	}
}

uint64_t amdvi_reg_read(const struct amdvi *u, unsigned reg)
{
	return REG(reg);
}

void amdvi_reg_write(const struct amdvi *u, unsigned reg, uint64_t value)
{
	if (reg == 0x2020)
		REG(reg) &= ~value;
	else
		REG(reg) = value;
	run_commands();
}

int arch_msi_request(struct irq *irq, void (*handler)(struct irq *, void *), void *arg,
		     const char *name, struct msi_message *out)
{
	hw.handler = handler;
	hw.irq = irq;
	hw.arg = arg;
	*out = (struct msi_message){ .address = 0xfee01000, .data = 0x77 };
	return 0;
}

/* ---- its configuration space, and another device's --------------------------------------------------- */

#define UNIT   0x10
#define DEVICE 0x28

static uint32_t config_read(pci_id_t id, unsigned reg, unsigned size)
{
	uint32_t v = ~0u >> (32 - 8 * size);

	assert_true(reg + size <= 4096 &&
		    reg % size == 0); /* else it is another function's, or nobody's */
	if (id.n == UNIT && reg + size <= 256)
		memcpy(&v, hw.config + reg, size);
	else if (id.n == DEVICE)
		v = reg == PCI_VENDOR ? 0x11e81234 & v : 0;
	return v;
}

static void config_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	assert_true(id.n == UNIT && reg + size <= 256);
	memcpy(hw.config + reg, &value, size);
}

static const struct pci_access config = { "test", config_read, config_write };

static void make_config(void)
{
	static const uint8_t head[] = { 0x22, 0x10, 0x01, 0x00 };

	memcpy(hw.config, head, sizeof(head));
	hw.config[PCI_STATUS] = PCI_STATUS_CAPS;
	memcpy(hw.config + 9, "\x00\x06\x08", 3);
	hw.config[PCI_CAPS] = 0x40;
	memcpy(hw.config + 0x40, "\x0f\x50\x0b\x00", 4); /* an IOMMU's block, type 3 */
	memcpy(hw.config + 0x50, "\x05\x00\x80\x00", 4); /* MSI, 64-bit addresses */
}

/* ---- tables of the firmware's ------------------------------------------------------------------------ */

static union {
	struct acpi_header header;
	uint8_t bytes[4096];
} table;

static uint32_t length;

static void begin_table(void)
{
	memset(&table, 0, sizeof(table));
	memcpy(table.header.signature, "IVRS", 4);
	length = 48;
	table.header.length = length;
}

static void bytes(const void *p, uint32_t n)
{
	memcpy(table.bytes + length, p, n);
	length += n;
	table.header.length = length;
}

static void number(uint64_t v, unsigned n)
{
	bytes(&v, n);
}

static uint32_t begin_unit(uint8_t type, uint16_t id, uint64_t base)
{
	uint32_t at = length;

	number(type, 1), number(0, 1), number(0, 2), number(id, 2), number(0x40, 2);
	number(base, 8), number(0, 2), number(0, 2), number(0, 4);
	if (type != 0x10)
		number(0, 8), number(0, 8);
	return at;
}

static void entry(uint8_t type, uint16_t id, uint32_t rest)
{
	number(type, 1), number(id, 2), number(0, 1);
	if (type >= 0x40)
		number(rest, 4);
}

static void end_block(uint32_t at)
{
	uint16_t n = (uint16_t)(length - at);

	memcpy(table.bytes + at + 2, &n, 2);
}

static void special(uint8_t kind, uint16_t id)
{
	entry(0x48, 0, (uint32_t)id << 8 | (uint32_t)kind << 24);
}

static void usual_table(void)
{
	uint32_t at;

	begin_table();
	at = begin_unit(0x10, UNIT, 0xfed80000);
	entry(0x02, 0x00, 0);
	entry(0x03, DEVICE, 0), entry(0x04, DEVICE + 7, 0);
	special(SPECIAL_IOAPIC, 0xa0);
	end_block(at);
}

static struct ivrs v;

/* ---- IVRS -------------------------------------------------------------------------------------------- */

static void a_usual_table_is_read(void **state)
{
	uint32_t as;

	usual_table();
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_units, 1);
	assert_int_equal(v.unit[0].base, 0xfed80000);
	assert_int_equal(v.unit[0].id, UNIT);
	assert_int_equal(v.nr_ranges, 2);
	assert_int_equal(v.nr_specials, 1);
	assert_int_equal(v.special[0].id, 0xa0);
	assert_int_equal(v.last_id, 0xa0);
	assert_int_equal(ivrs_find(&v, 0, DEVICE + 3, &as), 0);
	assert_int_equal(as, DEVICE + 3);
	assert_int_equal(ivrs_find(&v, 0, DEVICE + 8, &as), -1);
	assert_int_equal(ivrs_find(&v, 1, DEVICE, &as), -1);
}

static void the_highest_type_of_block_describes_a_unit(void **state)
{
	uint32_t at, as;

	begin_table();
	at = begin_unit(0x10, UNIT, 0xfed80000);
	entry(0x01, 0, 0);
	end_block(at);
	at = begin_unit(0x40, UNIT, 0xfed80000);
	entry(0x43, 0x100, 0x110 << 8), entry(0x04, 0x1ff, 0);
	/* An ACPI device with a name of 5 bytes, then one more: its length is found. */
	number(0xf0, 1), number(0x33, 2), number(0, 1), number(0, 8), number(0, 8), number(2, 1),
	    number(5, 1);
	bytes("hello", 5);
	entry(0x02, 0x300, 0);
	end_block(at);
	at = begin_unit(0x11, 0x20, 0xfed90000);
	entry(0x46, 0x400, 0);
	end_block(at);
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_units, 2);
	assert_int_equal(v.unit[0].type, 0x40);
	assert_int_equal(ivrs_find(&v, 0, 0x155, &as), 0);
	assert_int_equal(as, 0x110);
	assert_int_equal(ivrs_find(&v, 0, 0x300, &as), 0);
	assert_int_equal(ivrs_find(&v, 0, 0x400, &as), 1);
	assert_int_equal(ivrs_find(&v, 0, 0x005, &as), -1); /* the older block's "all" is not used */
}

static void nonsense_is_left_out(void **state)
{
	uint32_t at, as;

	begin_table();
	at = begin_unit(0x10, UNIT, 0xfed80004); /* not aligned */
	end_block(at);
	at = begin_unit(0x10, 0x18, 0xfed90000);
	entry(0x04, 0x50, 0); /* an end without a begin */
	entry(0x03, 0x60, 0), entry(0x04, 0x58, 0);
	entry(0x02, 0x70, 0);
	number(0xf1, 1), number(0, 3); /* of no known length */
	entry(0x02, 0x80, 0);
	end_block(at);
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_units, 1);
	assert_int_equal(v.nr_ranges, 1);
	assert_int_equal(ivrs_find(&v, 0, 0x70, &as), 0);
	assert_int_equal(ivrs_find(&v, 0, 0x80, &as), -1);
	/* Blocks that run over the end, or have no length. */
	begin_table();
	at = begin_unit(0x10, UNIT, 0xfed80000);
	end_block(at);
	table.header.length -= 1;
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_units, 0);
	begin_table();
	number(0x10, 4);
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_units, 0);
	begin_table();
	table.header.length = 40; /* shorter than its own header */
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_units, 0);
}

static void memory_blocks_are_read(void **state)
{
	begin_table();
	number(0x22, 1), number(0x0f, 1), number(32, 2), number(0x100, 2), number(0x1ff, 2),
	    number(0, 8);
	number(0x7f000000, 8), number(0x10000, 8);
	number(0x20, 1), number(0x0f, 1), number(32, 2), number(0, 4), number(0, 8);
	number(~0xfffull, 8), number(0x2000, 8); /* wraps */
	ivrs_read(&table.header, &v);
	assert_int_equal(v.nr_unity, 1);
	assert_int_equal(v.unity[0].start, 0x7f000000);
	assert_int_equal(v.unity[0].end, 0x7f010000);
	assert_int_equal(v.unity[0].first, 0x100);
	assert_int_equal(v.unity[0].last, 0x1ff);
}

/* Any bytes at all: read to the end, nothing beyond, no more than there is room for. */
static void wild_tables_are_survived(void **state)
{
	static const uint8_t kinds[] = { 0x10, 0x11, 0x40, 0x20, 0x21, 0x22,
					 0x01, 0x03, 0x04, 0x43, 0x48, 0xf0 };
	uint64_t x = 88172645463325252ull;

	sim_boot_bare(64 << 20, 1);
	for (unsigned round = 0; round < 300; round++) {
		struct acpi_header *copy;
		uint32_t n;

		begin_table();
		for (unsigned i = 48; i < sizeof(table); i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			table.bytes[i] = x % 3 == 0   ? kinds[x / 64 % sizeof(kinds)]
					 : x % 3 == 1 ? 0
						      : (uint8_t)(x >> 8);
		}
		/* A first block of a size that fits, so that there is something to read. */
		table.bytes[48] = kinds[round % 6];
		table.bytes[50] = (uint8_t)(x >> 16), table.bytes[51] = x >> 24 & 7;
		n = 49 + x % (sizeof(table) - 49);
		copy = malloc(n); /* so that the sanitizer sees its end */
		memcpy(copy, &table, n);
		copy->length = n;
		ivrs_read(copy, &v);
		assert_true(v.nr_units <= MAX_IOMMUS && v.nr_ranges <= IVRS_MAX_RANGES &&
			    v.nr_specials <= IVRS_MAX_SPECIALS && v.nr_unity <= IVRS_MAX_UNITY);
		for (unsigned i = 0; i < v.nr_ranges; i++)
			assert_true(v.range[i].unit < v.nr_units &&
				    v.range[i].first <= v.range[i].last);
		free(copy);
	}
	sim_abandon();
}

/* ---- the driver on the model ----------------------------------------------------------------------- */

static volatile void *map(uint64_t pa, uint64_t size)
{
	assert_int_equal(pa, 0xfed80000);
	return hw.reg;
}

static const struct domain_config with_devices = {
	SIM_POOLED,
	.flags = XEN_DOMCTL_CDF_iommu,
};

static void open_pins(iommu_pin_fn *set)
{
	set(0, 0x41, &(struct iommu_irq_target){ .cpu = 7, .vector = 0x41 });
	set(9, 0x43, &(struct iommu_irq_target){ .cpu = 7, .vector = 0x43 }); /* there is none */
}

static struct pci_dev *start(void)
{
	memset(&hw, 0, sizeof(hw));
	make_config();
	usual_table();
	sim_boot(1, 64 << 20, 1);
	pci_use_access(&config);
	amdvi_read_ivrs(&table.header);
	assert_true(amdvi_start(map, open_pins));
	pci_scan(0, 0, 0xff, amdvi_unit_of);
	return pci_find(pci_id(0, 0, DEVICE));
}

static mfn_t populate(struct domain *d, uint64_t g, unsigned order)
{
	gfn_t at = gfn(g);

	assert_int_equal(domain_populate(d, &at, order, 0), 0);
	return p2m_lookup(d, at).mfn;
}

static void all_devices_start_blocked(void **state)
{
	struct pci_dev *dev = start();
	uint8_t vector, cpu;
	uint64_t at;

	assert_non_null(dev);
	assert_int_equal(REG(0x18) & 1, 1);
	assert_int_equal(hw.bad_commands, 0);
	for (uint32_t id = 0; id < 0x200; id++) {
		assert_false(dma((uint16_t)id, 0x1000, false, &at));
		assert_false(dma((uint16_t)id, 0x1000, true, &at));
	}
	assert_false(message(DEVICE, 0x41, &vector, &cpu));
	/* But the pins of the IO-APIC that are open, whose routes are ours. */
	assert_true(message(0xa0, 0x41, &vector, &cpu));
	assert_int_equal(vector, 0x41);
	assert_int_equal(cpu, 7);
	assert_false(message(0xa0, 0x42, &vector, &cpu));
	assert_true(iommu_pin_open(0, &(struct iommu_irq_target){ .cpu = 2, .vector = 0x42 }));
	assert_true(message(0xa0, 0x42, &vector, &cpu));
	assert_int_equal(cpu, 2);
	assert_false(iommu_pin_open(0, &(struct iommu_irq_target){ .cpu = 0x100, .vector = 0x42 }));
	/* Its own interrupt is set up. */
	assert_int_equal(hw.config[0x52] & 1, 1);
	assert_int_equal(hw.config[0x5c], 0x77);
	assert_int_equal(REG(0x18) & BIT(3), BIT(3));
	/* And nobody can be given the unit itself. */
	assert_null(pci_find(pci_id(0, 0, UNIT))->dma.unit);
	sim_abandon();
}

static void a_device_reaches_what_its_domain_has(void **state)
{
	struct pci_dev *dev = start();
	struct domain *d = sim_domain_cfg(&with_devices, 1);
	mfn_t small = populate(d, 5, ORDER_4K), large = populate(d, 512, ORDER_2M);
	uint64_t at;

	assert_int_equal(iommu_assign(&dev->dma, d), 0);
	assert_true(dma(DEVICE, 0x5123, true, &at));
	assert_int_equal(at, (small.n << 12) + 0x123);
	assert_true(dma(DEVICE, 0x200000 + 77 * 4096, false, &at));
	assert_int_equal(at, (large.n + 77) << 12);
	assert_int_equal(p2m_change(d, gfn(1u << 18), mfn(1u << 19), ORDER_1G, P2M_MMIO_DIRECT), 0);
	assert_true(dma(DEVICE, 0x40000000 + 0x12345678, true, &at));
	assert_int_equal(at, 0x80000000 + 0x12345678);
	assert_false(dma(DEVICE, 0x6000, false, &at));
	assert_false(dma(DEVICE, 1ull << 48, false, &at));
	assert_false(dma(DEVICE + 1, 0x5000, false, &at));
	/* What is taken away is gone, though the unit had kept it; what stays is there. */
	assert_int_equal(domain_depopulate(d, gfn(512 + 77), ORDER_4K), 0);
	assert_false(dma(DEVICE, 0x200000 + 77 * 4096, false, &at));
	assert_true(dma(DEVICE, 0x200000 + 78 * 4096, false, &at));
	assert_int_equal(at, (large.n + 78) << 12);
	assert_true(dma(DEVICE, 0x5000, true, &at));
	assert_int_equal(iommu_return(&dev->dma), 0);
	assert_false(dma(DEVICE, 0x5000, true, &at));
	assert_int_equal(hw.bad_commands, 0);
	assert_int_equal(iommu_assign(&dev->dma, d), 0);
	assert_true(dma(DEVICE, 0x5000, true, &at));
	sim_end(d);
	assert_false(dma(DEVICE, 0x5000, true, &at));
	sim_abandon();
}

static void read_only_memory_is_not_written(void **state)
{
	struct pci_dev *dev = start();
	struct domain *d = sim_domain_cfg(&with_devices, 1);
	mfn_t m = populate(d, 5, ORDER_4K);
	uint64_t at;

	assert_int_equal(iommu_assign(&dev->dma, d), 0);
	assert_true(dma(DEVICE, 0x5000, true, &at));
	assert_int_equal(p2m_change(d, gfn(5), m, ORDER_4K, P2M_RAM_RO), 0);
	assert_true(dma(DEVICE, 0x5000, false, &at));
	assert_false(dma(DEVICE, 0x5000, true, &at));
	sim_end(d);
	sim_abandon();
}

static void interrupts_go_where_they_were_directed(void **state)
{
	struct iommu_irq_target to = { .cpu = 3, .vector = 0x91 };
	struct pci_dev *dev = start();
	struct domain *d = sim_domain_cfg(&with_devices, 1);
	struct msi_message m;
	uint8_t vector, cpu;
	uint32_t first;

	assert_int_equal(iommu_assign(&dev->dma, d), 0);
	assert_int_equal(iommu_irq_alloc(&dev->dma, 4, &first), 0);
	assert_int_equal(iommu_irq_set(&dev->dma, 2, &to), 0);
	iommu_irq_message(&dev->dma, 2, &m);
	assert_int_equal(m.address, 0xfee00000);
	assert_true(message(DEVICE, m.data, &vector, &cpu));
	assert_int_equal(vector, 0x91);
	assert_int_equal(cpu, 3);
	assert_false(message(DEVICE, 1, &vector, &cpu)); /* allocated, not directed */
	assert_false(
	    message(DEVICE, 0x100, &vector, &cpu)); /* another delivery mode: beyond the table */
	to.vector = 0x92;
	assert_int_equal(iommu_irq_set(&dev->dma, 2, &to), 0);
	assert_true(message(DEVICE, m.data, &vector, &cpu));
	assert_int_equal(vector, 0x92);
	to.cpu = 0x100;
	assert_int_equal(iommu_irq_set(&dev->dma, 2, &to), reason_err(R_IOMMU_CPU));
	assert_int_equal(iommu_irq_set(&dev->dma, 2, NULL), 0);
	assert_false(message(DEVICE, m.data, &vector, &cpu));
	sim_end(d);
	sim_abandon();
}

static void faults_are_reported_until_it_is_enough(void **state)
{
	struct pci_dev *dev = start();
	uint64_t at;

	for (unsigned i = 0; i < 1000; i++)
		assert_false(dma(DEVICE, 0x1000 + i * 4096ull, true, &at));
	assert_int_equal(REG(0x2020) & 3, 3); /* a full log */
	hw.handler(hw.irq, hw.arg);
	assert_int_equal(dev->dma.faults, 255);
	assert_int_equal(REG(0x2020) & 3, 0);
	assert_int_equal(REG(0x18) & BIT(2), BIT(2)); /* on again */
	/* No interrupt until a pause went by without reports: a storm costs a ring a pause. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(REG(0x18) & BIT(3), 0);
		assert_false(dma(DEVICE, 0x1000, true, &at));
		assert_int_equal(dev->dma.faults, 255 + i);
		sim_run_for(25000000);
		assert_int_equal(dev->dma.faults, 256 + i);
	}
	sim_run_for(25000000);
	assert_int_equal(REG(0x18) & BIT(3), BIT(3));
	/* A domain's device starts anew. */
	assert_int_equal(iommu_return(&dev->dma), 0);
	sim_abandon();
}

static void a_capability_that_cannot_be_is_not_looked_at(void **state)
{
	static const uint16_t wrong[] = { 0x3c, 0x42, 0xf4, 0xffd, 0x1000, 0xffff };

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		memset(&hw, 0, sizeof(hw));
		make_config();
		usual_table();
		memcpy(table.bytes + 48 + 6, &wrong[i], 2);
		sim_boot(1, 64 << 20, 1);
		pci_use_access(&config);
		amdvi_read_ivrs(&table.header);
		assert_false(amdvi_start(map, NULL));
		sim_abandon();
	}
}

static void a_unit_that_does_nothing_is_not_used(void **state)
{
	memset(&hw, 0, sizeof(hw));
	make_config();
	usual_table();
	sim_boot(1, 64 << 20, 1);
	pci_use_access(&config);
	amdvi_read_ivrs(&table.header);
	hw.dead = true;
	assert_false(amdvi_start(map, NULL));
	assert_false(iommu_works());
	sim_abandon();
}

static void a_function_that_is_no_iommu_is_not_used(void **state)
{
	memset(&hw, 0, sizeof(hw));
	make_config();
	hw.config[0x40] = 0x09;
	usual_table();
	sim_boot(1, 64 << 20, 1);
	pci_use_access(&config);
	amdvi_read_ivrs(&table.header);
	assert_false(amdvi_start(map, NULL));
	sim_abandon();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_usual_table_is_read),
		cmocka_unit_test(the_highest_type_of_block_describes_a_unit),
		cmocka_unit_test(nonsense_is_left_out),
		cmocka_unit_test(memory_blocks_are_read),
		cmocka_unit_test(wild_tables_are_survived),
		cmocka_unit_test(all_devices_start_blocked),
		cmocka_unit_test(a_device_reaches_what_its_domain_has),
		cmocka_unit_test(read_only_memory_is_not_written),
		cmocka_unit_test(interrupts_go_where_they_were_directed),
		cmocka_unit_test(faults_are_reported_until_it_is_enough),
		cmocka_unit_test(a_capability_that_cannot_be_is_not_looked_at),
		cmocka_unit_test(a_unit_that_does_nothing_is_not_used),
		cmocka_unit_test(a_function_that_is_no_iommu_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
