/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables of the domain that owns the machine (ACPI 6.4, 5.2): the host's, where they lie, but for
 *
 *	APIC                 rewritten: the domain's vCPUs, the host's IO-APICs and overrides, no NMI lines
 *	IVRS DMAR            the IOMMUs are the hypervisor's
 *	HPET                 its interrupts would need remapping entries of their own; the domain has Xen's timers
 *	SRAT SLIT MPST PMTT  describe memory and CPUs that are not the domain's
 *	STAO                 added: tells the domain to leave the hypervisor's UART alone
 *
 * A vCPU bears the processor number of the host's CPU of the same place in its MADT, so that processor objects in AML find one.
 */
#include "acpi_dom0.h"

#include "acpi_write.h"
#include <hv/log.h>
#include <hv/string.h>

#define MADT_IOAPIC   1
#define MADT_OVERRIDE 2

struct PACKED madt_ioapic { /* 5.2.12.3 */
	uint8_t type, length, id, reserved;
	uint32_t address, first_gsi;
};

struct PACKED madt_override { /* 5.2.12.5 */
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
};

/* Status override table (Xen's docs/misc/stao: signature, revision 1; one byte, and names, of which there are none). */
struct PACKED status_override {
	struct acpi_header header;
	uint8_t ignore_uart;
};

static bool is_hidden(const char *signature)
{
	static const char hidden[][5] = { "APIC", "IVRS", "DMAR", "HPET", "SRAT",
					  "SLIT", "MPST", "PMTT", "STAO" };

	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
		if (!memcmp(signature, hidden[i], 4))
			return true;
	return false;
}

/* The machine's RAM is not where the domain's is. */
static bool in_ram(const struct acpi_dom0 *in, const struct firmware_table *t)
{
	for (uint32_t i = 0; i < in->nr_ram; i++)
		if (t->address < in->ram[i].end.a && in->ram[i].start.a < t->address + t->length)
			return true;
	return false;
}

static bool shown(const struct acpi_dom0 *in, const struct firmware_table *t)
{
	if (is_hidden(t->signature))
		return false;
	if (in_ram(in, t)) {
		log_warning("ACPI: table %.4s at %llx lies in RAM, not in firmware's memory: dom0 "
			    "does not get it",
			    t->signature, (unsigned long long)t->address);
		return false;
	}
	return true;
}

/* The n-th vCPU's processor number: the host's, or one that no host CPU has. */
static uint32_t uid_of(const struct machine *m, uint32_t n)
{
	uint32_t last = 0;

	if (n < m->nr_cpus)
		return m->cpu[n].acpi_id;
	for (uint32_t i = 0; i < m->nr_cpus; i++)
		last = MAX(last, m->cpu[i].acpi_id);
	return last + 1 + n - m->nr_cpus;
}

static bool write_ioapics(struct acpi_writer *w, const struct machine *m)
{
	for (uint32_t i = 0; i < m->nr_ioapics; i++) {
		struct madt_ioapic *e = acpi_append(w, (uint32_t)sizeof(*e));

		if (!e)
			return false;
		*e = (struct madt_ioapic){
			MADT_IOAPIC, (uint8_t)sizeof(*e),         (uint8_t)m->ioapic[i].id,
			0,           (uint32_t)m->ioapic[i].base, m->ioapic[i].first_gsi
		};
	}
	return true;
}

/* Polarity in bits 1..0 and trigger in 3..2: 1 is high or edge, 3 low or level. */
static bool write_overrides(struct acpi_writer *w, const struct machine *m)
{
	for (unsigned i = 0; i < ARRAY_SIZE(m->isa); i++) {
		const struct isa_override *o = &m->isa[i];
		struct madt_override *e;

		if (!o->present)
			continue;
		e = acpi_append(w, (uint32_t)sizeof(*e));
		if (!e)
			return false;
		*e = (struct madt_override){ MADT_OVERRIDE,
					     (uint8_t)sizeof(*e),
					     0,
					     (uint8_t)i,
					     o->gsi,
					     (uint16_t)((o->low ? 3 : 1) | (o->level ? 3 : 1)
									       << 2) };
	}
	return true;
}

static const struct acpi_header *write_madt(struct acpi_writer *w, const struct acpi_dom0 *in)
{
	struct acpi_header *m = acpi_madt(w);
	bool ok = m != NULL;

	for (uint32_t i = 0; ok && i < in->cpus; i++)
		ok = acpi_processor(w, uid_of(in->machine, i), i * 2); /* vlapic.c */
	if (!ok || !write_ioapics(w, in->machine) || !write_overrides(w, in->machine))
		return NULL;
	acpi_finish(w, m, "APIC", 5);
	return m;
}

static const struct acpi_header *write_status(struct acpi_writer *w)
{
	struct status_override *s = acpi_take(w, (uint32_t)sizeof(*s));

	if (!s)
		return NULL;
	s->ignore_uart = 1;
	acpi_finish(w, &s->header, "STAO", 1);
	return &s->header;
}

bool acpi_dom0(const struct acpi_dom0 *in, uint8_t *buf, uint32_t room, uint64_t pa, uint64_t *rsdp)
{
	const struct machine *m = in->machine;
	struct acpi_writer w = { buf, 0, room, pa };
	uint64_t tables[MAX_FIRMWARE_TABLES + 2];
	const struct acpi_header *madt, *status;
	unsigned n = 0;

	for (uint32_t i = 0; i < m->nr_tables; i++)
		if (shown(in, &m->table[i]))
			tables[n++] = m->table[i].address;
	madt = write_madt(&w, in);
	if (!madt)
		return false;
	tables[n++] = acpi_pa(&w, madt);
	if (m->uart) {
		status = write_status(&w);
		if (!status)
			return false;
		tables[n++] = acpi_pa(&w, status);
	}
	*rsdp = acpi_root(&w, tables, n);
	return *rsdp != 0;
}
