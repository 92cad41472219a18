/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a PVH domain without devices (ACPI 6.4, 5.2): root pointer, XSDT, a FADT that says "hardware reduced", a MADT with
 * a local APIC for each vCPU, and an empty DSDT, for there is nothing to describe.
 */
#include "boot.h"
#include <hv/acpi.h>
#include <hv/string.h>

struct PACKED root_pointer {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
};

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

struct PACKED madt {
	struct acpi_header header;
	uint32_t apic_address, flags;
};

struct PACKED madt_apic { /* 5.2.12.2 */
	uint8_t type, length, acpi_id, apic_id;
	uint32_t flags;
};

struct PACKED madt_x2apic { /* 5.2.12.12 */
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic_id, flags, acpi_id;
};

struct writer {
	uint8_t *buf;
	uint32_t at, room;
	uint64_t pa; /* of buf */
};

/* `n` cleared bytes on a 16-byte boundary; NULL: no room. */
static void *take(struct writer *w, uint32_t n)
{
	uint32_t at = ROUND_UP(w->at, 16u);

	if (at > w->room || n > w->room - at)
		return NULL;
	w->at = at + n;
	memset(w->buf + at, 0, n);
	return w->buf + at;
}

static uint64_t pa_of(const struct writer *w, const void *p)
{
	return w->pa + (uint64_t)((const uint8_t *)p - w->buf);
}

/* Makes the bytes add up to 0. */
static uint8_t checksum(const void *p, uint32_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum += *b++;
	return (uint8_t)-sum;
}

static void finish(struct acpi_header *h, const char *signature, uint32_t length, uint8_t revision)
{
	memcpy(h->signature, signature, 4);
	h->length = length;
	h->revision = revision;
	memcpy(h->oem_id, "KRYPTN", 6);
	memcpy(h->oem_table_id, "KRYPTPVH", 8);
	h->oem_revision = 1;
	memcpy(&h->creator_id, "KRYP", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, length);
}

static const struct acpi_header *write_madt(struct writer *w, uint32_t cpus)
{
	struct madt *m = take(w, (uint32_t)sizeof(*m));

	if (!m)
		return NULL;
	m->apic_address = 0xfee00000;
	for (uint32_t i = 0; i < cpus; i++) {
		uint32_t id = i * 2; /* vlapic.c */
		uint32_t n = id < 255 ? sizeof(struct madt_apic) : sizeof(struct madt_x2apic);
		uint8_t *e = w->buf + w->at;

		if (n > w->room - w->at)
			return NULL;
		w->at += n;
		if (id < 255) {
			struct madt_apic a = { 0, (uint8_t)n, (uint8_t)i, (uint8_t)id, 1 };

			memcpy(e, &a, n);
		} else {
			struct madt_x2apic a = { 9, (uint8_t)n, 0, id, 1, i };

			memcpy(e, &a, n);
		}
	}
	finish(&m->header, "APIC", (uint32_t)(w->buf + w->at - (uint8_t *)m), 5);
	return &m->header;
}

static const struct acpi_header *write_fixed(struct writer *w, const struct acpi_header *dsdt)
{
	struct fixed_table *f = take(w, (uint32_t)sizeof(*f));

	if (!f)
		return NULL;
	f->profile = PROFILE_SERVER;
	f->boot_arch = BOOT_NO_VGA | BOOT_NO_CMOS;
	f->flags = FLAG_WBINVD | FLAG_REDUCED;
	f->minor = 4;
	f->x_dsdt = pa_of(w, dsdt);
	finish(&f->header, "FACP", (uint32_t)sizeof(*f), 6);
	return &f->header;
}

bool acpi_domu(uint8_t *buf, uint32_t room, uint64_t pa, uint32_t cpus, uint64_t *rsdp)
{
	struct writer w = { buf, 0, room, pa };
	struct root_pointer *root = take(&w, (uint32_t)sizeof(*root));
	struct acpi_header *xsdt = take(&w, (uint32_t)sizeof(*xsdt) + 2 * sizeof(uint64_t));
	struct acpi_header *dsdt = take(&w, (uint32_t)sizeof(*dsdt));
	const struct acpi_header *fixed, *madt;
	uint64_t tables[2];

	if (!root || !xsdt || !dsdt)
		return false;
	finish(dsdt, "DSDT", (uint32_t)sizeof(*dsdt), 2);
	fixed = write_fixed(&w, dsdt);
	madt = fixed ? write_madt(&w, cpus) : NULL;
	if (!madt)
		return false;
	tables[0] = pa_of(&w, fixed);
	tables[1] = pa_of(&w, madt);
	memcpy(xsdt + 1, tables, sizeof(tables));
	finish(xsdt, "XSDT", (uint32_t)(sizeof(*xsdt) + sizeof(tables)), 1);

	memcpy(root->signature, "RSD PTR ", 8);
	memcpy(root->oem_id, "KRYPTN", 6);
	root->revision = 2;
	root->length = sizeof(*root);
	root->xsdt = pa_of(&w, xsdt);
	root->checksum = checksum(root, 20);
	root->extended_checksum = checksum(root, sizeof(*root));
	*rsdp = pa_of(&w, root);
	return true;
}
