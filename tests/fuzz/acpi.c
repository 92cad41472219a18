/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware's ACPI tables (hv/drivers/acpi/tables.c): a root pointer and a list are good, the tables that it names are the input, with their checksums put
 * right where a bit says so. Each table lies at the end of memory of its own, so that the sanitizer sees each byte beyond.
 */
#include <sim/sim.h>

#include <hv/acpi.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define RSDP   0x1000u
#define XSDT   0x2000u
#define TABLES 4u

static struct {
	uint64_t pa;
	uint8_t *bytes;
	size_t size;
} part[TABLES + 2];

/* Machine addresses are those of the parts; no other memory exists. */
static const void *map(uint64_t pa, uint64_t size)
{
	for (unsigned i = 0; i < TABLES + 2; i++)
		if (part[i].bytes && pa >= part[i].pa && pa - part[i].pa <= part[i].size &&
		    size <= part[i].size - (pa - part[i].pa))
			return part[i].bytes + (pa - part[i].pa);
	return NULL;
}

static void right(uint8_t *p, size_t n, size_t at)
{
	uint8_t s = 0;

	p[at] = 0;
	for (size_t i = 0; i < n; i++)
		s = (uint8_t)(s + p[i]);
	p[at] = (uint8_t)-s;
}

static void place(unsigned i, uint64_t pa, const void *bytes, size_t size)
{
	part[i].pa = pa;
	part[i].size = size;
	part[i].bytes = malloc(size ? size : 1);
	memcpy(part[i].bytes, bytes, size);
}

static void roots(void)
{
	uint8_t rsdp[36] = "RSD PTR ", xsdt[36 + 8 * TABLES] = "XSDT";
	uint64_t at = XSDT;
	uint32_t length = 36;

	rsdp[15] = 2;
	memcpy(rsdp + 20, &length, 4);
	memcpy(rsdp + 24, &at, 8);
	right(rsdp, 20, 8);
	right(rsdp, 36, 32);
	place(0, RSDP, rsdp, sizeof(rsdp));
	length = sizeof(xsdt);
	memcpy(xsdt + 4, &length, 4);
	for (unsigned i = 0; i < TABLES; i++) {
		at = 0x10000u * (i + 1);
		memcpy(xsdt + 36 + 8 * i, &at, 8);
	}
	right(xsdt, sizeof(xsdt), 9);
	place(1, XSDT, xsdt, sizeof(xsdt));
}

static void use(void)
{
	const struct acpi_header *t;
	const uint8_t *e = NULL;
	struct acpi_fixed f;
	uint64_t at;

	if (acpi_fixed(&f))
		(void)acpi_dsdt();
	for (unsigned i = 0; (t = acpi_table_nth(i, &at)); i++) {
		volatile uint8_t sum = 0;

		for (uint32_t k = 0; k < t->length; k++)
			sum = (uint8_t)(sum + ((const uint8_t *)t)[k]);
		if (sum)
			abort(); /* one whose checksum is wrong */
	}
	t = acpi_table("APIC", 0);
	while (t && (e = acpi_next_entry(t, 44, e)))
		if (e + e[1] > (const uint8_t *)t + t->length || e[1] < 2)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct sim_config cfg = { .memory = 4 << 20, .quiet = true, .bare = true };
	const uint8_t *p = data, *end = data + n;

	roots();
	for (unsigned i = 0; i < TABLES; i++) {
		size_t size = p + 2 <= end ? (size_t)p[0] + (p[1] & 1) * 256 : 0;
		bool mend = p + 2 <= end && (p[1] & 2);

		p = p + 2 <= end ? p + 2 : end;
		size = size < (size_t)(end - p) ? size : (size_t)(end - p);
		place(2 + i, 0x10000u * (i + 1), p, size);
		p += size;
		if (mend && size >= 36) {
			uint32_t length = (uint32_t)size;

			memcpy(part[2 + i].bytes + 4, &length, 4);
			right(part[2 + i].bytes, size, 9);
		}
	}
	sim_boot_config_bare(&cfg);
	if (acpi_init(RSDP, map))
		use();
	sim_abandon();
	for (unsigned i = 0; i < TABLES + 2; i++) {
		free(part[i].bytes);
		part[i].bytes = NULL;
	}
	return 0;
}
