/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a PVH guest (ACPI 6.4, 5.2): root pointer, XSDT, a FADT that says "hardware reduced", a MADT with a local APIC for
 * each vCPU, and an empty DSDT. vCPUs that start offline are in it too: guests take them down and up by the store.
 */
#include "parts.h"

#define PACKED __attribute__((packed))

struct PACKED header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
};
_Static_assert(sizeof(struct header) == 36, "ACPI 6.4, table 5.28");

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

/* 5.2.9; what is left out is 0. */
struct PACKED fixed_table {
	struct header header;
	uint8_t before[109 - 36];
	uint16_t boot_arch;
	uint8_t reserved;
	uint32_t flags;
	uint8_t reset[131 - 116];
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	uint8_t rest[276 - 148];
};
_Static_assert(sizeof(struct fixed_table) == 276, "ACPI 6.4, table 5.33");
_Static_assert(offsetof(struct fixed_table, boot_arch) == 109, "ACPI 6.4, table 5.33");
_Static_assert(offsetof(struct fixed_table, x_dsdt) == 140, "ACPI 6.4, table 5.33");

#define PROFILE_AT     45u /* preferred power-management profile */
#define PROFILE_SERVER 4u
#define BOOT_NO_VGA    (1u << 2)
#define BOOT_NO_CMOS   (1u << 5)
#define FLAG_WBINVD    (1u << 0)
#define FLAG_REDUCED   (1u << 20)
#define APIC_ADDRESS   0xfee00000u
#define X2APIC_FROM    255u /* ids that a local APIC entry has no room for */

struct PACKED madt {
	struct header header;
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
	bool full;
	uint8_t spare[sizeof(struct fixed_table)]; /* what is written when the room is out */
};

/* `n` cleared bytes on a boundary of `align`. */
static void *take(struct writer *w, uint32_t n, uint32_t align)
{
	uint32_t at = (uint32_t)ROUND_UP_TO(w->at, align);

	if (at > w->room || n > w->room - at) {
		w->full = true;
		return w->spare;
	}
	w->at = at + n;
	return w->buf + at;
}

static uint64_t pa_of(const struct writer *w, const void *p)
{
	return w->full ? 0 : w->pa + (uint64_t)((const uint8_t *)p - w->buf);
}

/* Makes the bytes add up to 0. */
static uint8_t checksum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

static void finish(struct header *h, const char *signature, size_t length, uint8_t revision)
{
	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)length;
	h->revision = revision;
	memcpy(h->oem_id, "KRYPTN", 6);
	memcpy(h->oem_table_id, "KRYPTPVH", 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, "KRYP", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, length);
}

static uint64_t write_madt(struct writer *w, uint32_t vcpus)
{
	struct madt *m = take(w, sizeof(*m), 16);

	m->apic_address = APIC_ADDRESS;
	for (uint32_t i = 0; i < vcpus; i++) {
		uint32_t id = i * 2; /* xen/arch-x86: a vCPU's APIC id */

		if (id < X2APIC_FROM) {
			struct madt_apic a = { 0, sizeof(a), (uint8_t)i, (uint8_t)id, 1 };

			memcpy(take(w, sizeof(a), 1), &a, sizeof(a));
		} else {
			struct madt_x2apic a = { 9, sizeof(a), 0, id, 1, i };

			memcpy(take(w, sizeof(a), 1), &a, sizeof(a));
		}
	}
	if (!w->full)
		finish(&m->header, "APIC", (size_t)(w->buf + w->at - (uint8_t *)m), 5);
	return pa_of(w, m);
}

static uint64_t write_fixed(struct writer *w, uint64_t dsdt)
{
	struct fixed_table *f = take(w, sizeof(*f), 16);

	f->before[PROFILE_AT - sizeof(struct header)] = PROFILE_SERVER;
	f->boot_arch = BOOT_NO_VGA | BOOT_NO_CMOS;
	f->flags = FLAG_WBINVD | FLAG_REDUCED;
	f->minor = 4;
	f->x_dsdt = dsdt;
	finish(&f->header, "FACP", sizeof(*f), 6);
	return pa_of(w, f);
}

static uint64_t write_dsdt(struct writer *w)
{
	struct header *h = take(w, sizeof(*h), 16);

	finish(h, "DSDT", sizeof(*h), 2);
	return pa_of(w, h);
}

static uint64_t write_xsdt(struct writer *w, const uint64_t *tables, size_t n)
{
	struct header *h = take(w, (uint32_t)(sizeof(*h) + n * sizeof(*tables)), 16);

	memcpy(h + 1, tables, n * sizeof(*tables));
	finish(h, "XSDT", sizeof(*h) + n * sizeof(*tables), 1);
	return pa_of(w, h);
}

uint32_t acpi_write(uint8_t *buf, uint32_t room, uint64_t pa, uint32_t vcpus, uint64_t *rsdp)
{
	struct writer w = { .buf = buf, .room = room, .pa = pa };
	struct root_pointer *root = take(&w, sizeof(*root), 16);
	uint64_t tables[2];

	tables[0] = write_fixed(&w, write_dsdt(&w));
	tables[1] = write_madt(&w, vcpus);
	root->xsdt = write_xsdt(&w, tables, 2);
	memcpy(root->signature, "RSD PTR ", 8);
	memcpy(root->oem_id, "KRYPTN", 6);
	root->revision = 2;
	root->length = sizeof(*root);
	root->checksum = checksum(root, 20); /* the part that ACPI 1.0 had */
	root->extended_checksum = checksum(root, sizeof(*root));
	*rsdp = pa_of(&w, root);
	return w.full ? 0 : w.at;
}
