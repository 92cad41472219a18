/* SPDX-License-Identifier: Apache-2.0 */
/* What tables for guests have in common: acpi_write.h. */
#include "acpi_write.h"

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
_Static_assert(sizeof(struct root_pointer) == 36, "ACPI 6.4, table 5.27");

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

#define APIC_ADDRESS 0xfee00000u
#define CPU_ENABLED  1u

void *acpi_append(struct acpi_writer *w, uint32_t n)
{
	uint32_t at = w->at;

	if (at > w->room || n > w->room - at)
		return NULL;
	w->at = at + n;
	memset(w->buf + at, 0, n);
	return w->buf + at;
}

void *acpi_take(struct acpi_writer *w, uint32_t n)
{
	w->at = ROUND_UP(w->at, 16u);
	return acpi_append(w, n);
}

uint64_t acpi_pa(const struct acpi_writer *w, const void *p)
{
	return w->pa + (uint64_t)((const uint8_t *)p - w->buf);
}

/* Makes the bytes add up to 0. */
static uint8_t checksum(const void *p, uint32_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

void acpi_finish(struct acpi_writer *w, struct acpi_header *h, const char *signature,
		 uint8_t revision)
{
	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)(w->buf + w->at - (uint8_t *)h);
	h->revision = revision;
	memcpy(h->oem_id, "KRYPTN", 6);
	memcpy(h->oem_table_id, "KRYPTPVH", 8);
	h->oem_revision = 1;
	memcpy(&h->creator_id, "KRYP", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, h->length);
}

struct acpi_header *acpi_madt(struct acpi_writer *w)
{
	struct madt *m = acpi_take(w, (uint32_t)sizeof(*m));

	if (!m)
		return NULL;
	m->apic_address = APIC_ADDRESS;
	return &m->header;
}

bool acpi_processor(struct acpi_writer *w, uint32_t uid, uint32_t apic_id)
{
	if (uid < 255 && apic_id < 255) {
		struct madt_apic *a = acpi_append(w, (uint32_t)sizeof(*a));

		if (a)
			*a = (struct madt_apic){ 0, (uint8_t)sizeof(*a), (uint8_t)uid,
						 (uint8_t)apic_id, CPU_ENABLED };
		return a != NULL;
	}
	struct madt_x2apic *a = acpi_append(w, (uint32_t)sizeof(*a));

	if (a)
		*a = (struct madt_x2apic){ 9, (uint8_t)sizeof(*a), 0, apic_id, CPU_ENABLED, uid };
	return a != NULL;
}

uint64_t acpi_root(struct acpi_writer *w, const uint64_t *tables, unsigned n)
{
	uint32_t list = n * (uint32_t)sizeof(*tables);
	struct acpi_header *xsdt = acpi_take(w, (uint32_t)sizeof(*xsdt) + list);
	struct root_pointer *root;

	if (!xsdt)
		return 0;
	memcpy(xsdt + 1, tables, list);
	acpi_finish(w, xsdt, "XSDT", 1);
	root = acpi_take(w, (uint32_t)sizeof(*root));
	if (!root)
		return 0;
	memcpy(root->signature, "RSD PTR ", 8);
	memcpy(root->oem_id, "KRYPTN", 6);
	root->revision = 2;
	root->length = sizeof(*root);
	root->xsdt = acpi_pa(w, xsdt);
	root->checksum = checksum(root, 20);
	root->extended_checksum = checksum(root, sizeof(*root));
	return acpi_pa(w, root);
}
