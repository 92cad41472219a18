/* SPDX-License-Identifier: Apache-2.0 */
/* What ACPI says of processors, interrupt controllers and timers (ACPI 6.4, 5.2.9, 5.2.12; IA-PC HPET, 3.2.4). */
#include <asm/machine.h>

#include <asm/apic.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/string.h>

struct machine machine;

#define MADT_FIRST    44
#define MADT_APIC     0
#define MADT_IOAPIC   1
#define MADT_OVERRIDE 2
#define MADT_X2APIC   9
#define CPU_ENABLED   1u

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void add_cpu(uint32_t apic, uint32_t acpi, uint32_t flags)
{
	if (!(flags & CPU_ENABLED))
		return;
	for (uint32_t i = 0; i < machine.nr_cpus; i++)
		if (machine.cpu[i].apic_id == apic)
			return; /* listed twice: as local APIC and as x2APIC */
	if (machine.nr_cpus == MAX_CPUS) {
		log_warning("ACPI: CPU with APIC id %u is beyond the %u that are supported", apic,
			    MAX_CPUS);
		return;
	}
	machine.cpu[machine.nr_cpus].apic_id = apic;
	machine.cpu[machine.nr_cpus++].acpi_id = acpi;
}

static void add_ioapic(const uint8_t *e)
{
	if (machine.nr_ioapics < MAX_IOAPICS)
		machine.ioapic[machine.nr_ioapics++] = (struct ioapic_info){
			.id = e[2],
			.base = get32(e + 4),
			.first_gsi = get32(e + 8),
		};
}

static void add_override(const uint8_t *e)
{
	if (e[3] >= ARRAY_SIZE(machine.isa))
		return;
	machine.isa[e[3]] = (struct isa_override){
		.present = true,
		.gsi = get32(e + 4),
		.low = (e[8] & 3) == 3,
		.level = (e[8] >> 2 & 3) == 3,
	};
}

static void read_entry(const uint8_t *e)
{
	static const uint8_t need[] = {
		[MADT_APIC] = 8,
		[MADT_IOAPIC] = 12,
		[MADT_OVERRIDE] = 10,
		[MADT_X2APIC] = 16,
	};

	if (e[0] >= ARRAY_SIZE(need) || !need[e[0]])
		return;
	if (e[1] < need[e[0]]) {
		log_error("ACPI: APIC record of type %u has length %u", e[0], e[1]);
		return;
	}
	switch (e[0]) {
	case MADT_APIC: add_cpu(e[3], e[2], get32(e + 4)); break;
	case MADT_X2APIC: add_cpu(get32(e + 4), get32(e + 12), get32(e + 8)); break;
	case MADT_IOAPIC: add_ioapic(e); break;
	default: /* MADT_OVERRIDE */ add_override(e); break;
	}
}

/*
 * The type that soft-off has in the DSDT: Name (_S5, Package {type, ...}), its first element a small number (ACPI 6.4, 7.4.2.6, 20.2.5). Without
 * an interpreter the name is looked for as bytes; what does not look like it is left alone.
 */
static void find_sleep_off(void)
{
	static const char name[] = { 0x08, '_', 'S', '5', '_', 0x12 };
	const struct acpi_header *dsdt = acpi_dsdt();
	const uint8_t *b = (const uint8_t *)dsdt;

	for (size_t i = sizeof(*dsdt); dsdt && i + sizeof(name) + 4 <= dsdt->length; i++) {
		const uint8_t *package = b + i + sizeof(name), *first = package + 2;

		if (memcmp(b + i, name, sizeof(name)) != 0 || *package >> 6 != 0)
			continue;
		if (*first == 0x0a) /* a byte follows; else zero or one themselves */
			first++;
		else if (*first > 1)
			return;
		machine.sleep_off = *first & 7;
		machine.sleep_off_known = true;
		return;
	}
}

/* Tables are not mapped for good. */
static void keep_tables(void)
{
	const struct acpi_header *t;
	uint64_t address;

	for (unsigned i = 0; (t = acpi_table_nth(i, &address)) && i < MAX_FIRMWARE_TABLES; i++) {
		struct firmware_table *f = &machine.table[machine.nr_tables++];

		memcpy(f->signature, t->signature, sizeof(f->signature));
		f->address = address;
		f->length = t->length;
	}
}

void machine_read_acpi(void)
{
	const struct acpi_header *madt = acpi_table("APIC", 0), *h = acpi_table("HPET", 0);

	keep_tables();
	machine.has_fixed = acpi_fixed(&machine.fixed);
	find_sleep_off();
	if (!machine.has_fixed)
		log_warning("ACPI: no fixed description table: no power-off, no PM timer");
	/* Offset 44 of the table: the address structure of the registers. */
	if (h && h->length >= 56) {
		struct acpi_address a;

		memcpy(&a, (const uint8_t *)h + 40, sizeof(a));
		if (a.space == ACPI_SPACE_MEMORY)
			machine.hpet = a.address;
	}
	if (!madt) {
		log_warning("ACPI: no interrupt controller table: one CPU, no devices' interrupts");
		return;
	}
	for (const uint8_t *e = NULL; (e = acpi_next_entry(madt, MADT_FIRST, e)) != NULL;)
		read_entry(e);
}
