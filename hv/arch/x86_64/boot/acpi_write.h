/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing ACPI tables for a guest into a buffer (ACPI 6.4, 5.2). Also built and tested on the host, and part of the toolstack's domain builder
 * (tools/build): what a guest finds is the same whoever made it.
 */
#ifndef X86_BOOT_ACPI_WRITE_H
#define X86_BOOT_ACPI_WRITE_H

#include <hv/acpi.h>

struct acpi_writer {
	uint8_t *buf;
	uint32_t at, room; /* bytes */
	uint64_t pa;       /* of buf, as the guest sees it */
};

/* `n` cleared bytes on a 16-byte boundary, or right behind what was taken last; NULL: no room. */
void *acpi_take(struct acpi_writer *w, uint32_t n);
void *acpi_append(struct acpi_writer *w, uint32_t n);
/* The guest's address of something in the buffer. */
uint64_t acpi_pa(const struct acpi_writer *w, const void *p);
/* Fill in the header of a table that reaches from it to the end of what was taken, checksum included. The contents are there. */
void acpi_finish(struct acpi_writer *w, struct acpi_header *h, const char *signature,
		 uint8_t revision);
/* The start of a MADT, and one processor's record. NULL, false: no room. */
struct acpi_header *acpi_madt(struct acpi_writer *w);
MUST_USE bool acpi_processor(struct acpi_writer *w, uint32_t uid, uint32_t apic_id);
/* The XSDT for `n` tables at these addresses and the root pointer, whose address is returned; 0: no room. */
uint64_t acpi_root(struct acpi_writer *w, const uint64_t *tables, unsigned n);

/*
 * acpi_domu.c: the tables of a PVH domain without devices and with `cpus` vCPUs, at guest address `pa`, into `room` bytes at buf. How many of
 * them are used, and in *rsdp the root pointer's address; 0: no room.
 */
MUST_USE uint32_t acpi_domu(uint8_t *buf, uint32_t room, uint64_t pa, uint32_t cpus, uint64_t *rsdp);

#endif
