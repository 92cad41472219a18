/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a PVH domain without devices (ACPI 6.4, 5.2): root pointer, XSDT, a FADT that says "hardware reduced", a MADT with
 * a local APIC for each vCPU, and an empty DSDT, for there is nothing to describe.
 */
#include "acpi_write.h"

/* 5.2.9; what is left out is 0. */
struct PACKED fixed_table {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved, profile;
	uint8_t legacy[109 - 46];
	uint16_t boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	uint8_t reset[131 - 116];
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	uint8_t rest[276 - 148];
};
_Static_assert(sizeof(struct fixed_table) == 276, "ACPI 6.4, table 5.33");
_Static_assert(offsetof(struct fixed_table, boot_arch) == 109, "ACPI 6.4, table 5.33");
_Static_assert(offsetof(struct fixed_table, x_dsdt) == 140, "ACPI 6.4, table 5.33");

#define BOOT_NO_VGA    (1u << 2)
#define BOOT_NO_CMOS   (1u << 5)
#define FLAG_WBINVD    (1u << 0)
#define FLAG_REDUCED   (1u << 20)
#define PROFILE_SERVER 4u

static const struct acpi_header *write_madt(struct acpi_writer *w, uint32_t cpus)
{
	struct acpi_header *m = acpi_madt(w);

	for (uint32_t i = 0; m && i < cpus; i++)
		if (!acpi_processor(w, i, i * 2)) /* vlapic.c */
			return NULL;
	if (m)
		acpi_finish(w, m, "APIC", 5);
	return m;
}

static const struct acpi_header *write_fixed(struct acpi_writer *w, const struct acpi_header *dsdt)
{
	struct fixed_table *f = acpi_take(w, (uint32_t)sizeof(*f));

	if (!f)
		return NULL;
	f->profile = PROFILE_SERVER;
	f->boot_arch = BOOT_NO_VGA | BOOT_NO_CMOS;
	f->flags = FLAG_WBINVD | FLAG_REDUCED;
	f->minor = 4;
	f->x_dsdt = acpi_pa(w, dsdt);
	acpi_finish(w, &f->header, "FACP", 6);
	return &f->header;
}

uint32_t acpi_domu(uint8_t *buf, uint32_t room, uint64_t pa, uint32_t cpus, uint64_t *rsdp)
{
	struct acpi_writer w = { buf, 0, room, pa };
	struct acpi_header *dsdt = acpi_take(&w, (uint32_t)sizeof(*dsdt));
	const struct acpi_header *fixed, *madt;
	uint64_t tables[2];

	if (!dsdt)
		return 0;
	acpi_finish(&w, dsdt, "DSDT", 2);
	fixed = write_fixed(&w, dsdt);
	madt = fixed ? write_madt(&w, cpus) : NULL;
	if (!madt)
		return 0;
	tables[0] = acpi_pa(&w, fixed);
	tables[1] = acpi_pa(&w, madt);
	*rsdp = acpi_root(&w, tables, ARRAY_SIZE(tables));
	return *rsdp ? w.at : 0;
}
