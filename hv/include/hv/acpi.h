/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's ACPI tables, as far as a hypervisor must read them itself; AML is dom0's. Every table is checked
 * (length, checksum) before it is used; a bad one is named and treated as absent. Boot only; the
 * pointers stay valid.
 */
#ifndef HV_ACPI_H
#define HV_ACPI_H

#include <hv/addr.h>
#include <hv/compiler.h>

/* ACPI 6.4, 5.2.6. */
struct PACKED acpi_header {
	char signature[4];
	uint32_t length; /* of the whole table, bytes */
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
};

struct PACKED acpi_address { /* 5.2.3.2 */
	uint8_t space, width, offset, access;
	uint64_t address;
};
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

/* The parts of the FADT that we use (5.2.9). */
struct acpi_fixed {
	uint16_t pm1a_control, pm1b_control; /* I/O ports, 0: none */
	uint16_t pm_timer;                   /* I/O port, 0: none */
	bool pm_timer_32;                    /* 32 bits wide, else 24 */
	struct acpi_address reset;           /* address 0: none */
	uint8_t reset_value;
	uint16_t sci;
	paddr_t dsdt;
};

/*
 * Find the tables from the RSDP at machine address `rsdp` (0: look where BIOSes put it). `map` makes bytes readable. False: none,
 * said why.
 */
MUST_USE bool acpi_init(uint64_t rsdp, const void *(*map)(uint64_t pa, uint64_t size));
/* The `index`-th table with this signature, checked; NULL: no such. */
const struct acpi_header *acpi_table(const char *signature, unsigned index);
/* Its machine address. */
uint64_t acpi_table_address(const char *signature, unsigned index);
/* The n-th of all that are good, with its machine address; NULL after the last. */
const struct acpi_header *acpi_table_nth(unsigned n, uint64_t *address);
uint64_t acpi_rsdp_address(void);
/* False: no usable FADT. */
MUST_USE bool acpi_fixed(struct acpi_fixed *out);

/* The DSDT, checked; NULL: none. */
const struct acpi_header *acpi_dsdt(void);

/*
 * Entries of tables that are a header, `skip` bytes and then {type, length, ...} records: MADT (44 bytes in all before the first).
 * NULL after the last, or when a record does not fit (said).
 */
const uint8_t *acpi_next_entry(const struct acpi_header *t, size_t first, const uint8_t *previous);

#endif
