/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and judging ACPI tables (ACPI 6.4, 5.2). What it trusts is only what hv/include/hv/acpi.h says it checked. */
#include <hv/acpi.h>

#include <hv/log.h>
#include <hv/string.h>

#define MAX_TABLES      64u
#define MAX_TABLE_BYTES (16u << 20)

struct PACKED rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
};

static struct {
	uint64_t rsdp;
	unsigned nr;
	struct {
		const struct acpi_header *header;
		uint64_t address;
	} table[MAX_TABLES];
} acpi;

static const void *(*map_bytes)(uint64_t pa, uint64_t size);

static uint8_t sum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t s = 0;

	while (n--)
		s += *b++;
	return s;
}

/* The table at `pa`, whole and right, or NULL. */
static const struct acpi_header *check_table(uint64_t pa)
{
	const struct acpi_header *h = map_bytes(pa, sizeof(*h));

	if (!h) {
		log_error("ACPI: a table lies at %llx, where there is no memory",
			  (unsigned long long)pa);
		return NULL;
	}
	if (h->length < sizeof(*h) || h->length > MAX_TABLE_BYTES) {
		log_error("ACPI: table %.4s at %llx has length %u", h->signature,
			  (unsigned long long)pa, h->length);
		return NULL;
	}
	h = map_bytes(pa, h->length);
	if (!h || sum(h, h->length)) {
		log_error("ACPI: table at %llx: %s", (unsigned long long)pa,
			  h ? "wrong checksum" : "ends outside memory");
		return NULL;
	}
	return h;
}

static bool is_rsdp(const struct rsdp *r)
{
	return r && !memcmp(r->signature, "RSD PTR ", 8) && !sum(r, 20);
}

/* 5.2.5.1: the first KiB of the EBDA, and 0xe0000-0xfffff, on 16-byte boundaries. */
static uint64_t search(uint64_t from, uint64_t to)
{
	for (; from < to; from += 16)
		if (is_rsdp(map_bytes(from, sizeof(struct rsdp))))
			return from;
	return 0;
}

static uint64_t find_rsdp(void)
{
	const uint16_t *ebda = map_bytes(0x40e, 2);
	uint64_t at = ebda ? (uint64_t)*ebda << 4 : 0;
	uint64_t found = at >= 0x80000 && at < 0xa0000 ? search(at, at + 1024) : 0;

	return found ? found : search(0xe0000, 0x100000);
}

static void add_table(uint64_t pa)
{
	const struct acpi_header *h = pa ? check_table(pa) : NULL;

	if (!h)
		return;
	if (acpi.nr == MAX_TABLES) {
		log_error("ACPI: more than %u tables: %.4s is left out", MAX_TABLES, h->signature);
		return;
	}
	acpi.table[acpi.nr].header = h;
	acpi.table[acpi.nr++].address = pa;
}

bool acpi_init(uint64_t rsdp, const void *(*map)(uint64_t pa, uint64_t size))
{
	const struct acpi_header *root;
	const struct rsdp *r;
	bool wide;

	map_bytes = map;
	acpi.nr = 0;
	acpi.rsdp = rsdp ? rsdp : find_rsdp();
	r = acpi.rsdp ? map(acpi.rsdp, sizeof(*r)) : NULL;
	if (!is_rsdp(r)) {
		log_error("ACPI: no root pointer%s", rsdp ? " where the loader says" : "");
		return false;
	}
	wide = r->revision >= 2 && r->xsdt && !sum(r, sizeof(*r));
	root = check_table(wide ? r->xsdt : r->rsdt);
	if (!root)
		return false;
	for (size_t at = sizeof(*root); at + (wide ? 8 : 4) <= root->length; at += wide ? 8 : 4) {
		uint64_t pa = 0;

		memcpy(&pa, (const uint8_t *)root + at, wide ? 8 : 4);
		add_table(pa);
	}
	return true;
}

uint64_t acpi_rsdp_address(void)
{
	return acpi.rsdp;
}

static int find(const char *signature, unsigned index)
{
	for (unsigned i = 0; i < acpi.nr; i++)
		if (!memcmp(acpi.table[i].header->signature, signature, 4) && index-- == 0)
			return (int)i;
	return -1;
}

const struct acpi_header *acpi_table(const char *signature, unsigned index)
{
	int i = find(signature, index);

	return i < 0 ? NULL : acpi.table[i].header;
}

uint64_t acpi_table_address(const char *signature, unsigned index)
{
	int i = find(signature, index);

	return i < 0 ? 0 : acpi.table[i].address;
}

const struct acpi_header *acpi_table_nth(unsigned n, uint64_t *address)
{
	if (n >= acpi.nr)
		return NULL;
	*address = acpi.table[n].address;
	return acpi.table[n].header;
}

/* A field of a table, 0 where the table is shorter. */
static uint64_t field(const struct acpi_header *h, size_t at, size_t n)
{
	uint64_t v = 0;

	if (at + n <= h->length)
		memcpy(&v, (const uint8_t *)h + at, n);
	return v;
}

bool acpi_fixed(struct acpi_fixed *out)
{
	const struct acpi_header *f = acpi_table("FACP", 0);

	if (!f)
		return false;
	*out = (struct acpi_fixed){
		.sci = (uint16_t)field(f, 46, 2),
		.pm1a_control = (uint16_t)field(f, 64, 4),
		.pm1b_control = (uint16_t)field(f, 68, 4),
		.pm_timer = (uint16_t)field(f, 76, 4),
		.pm_timer_32 = field(f, 112, 4) & BIT(8),
		.dsdt = paddr(field(f, 140, 8) ? field(f, 140, 8) : field(f, 40, 4)),
	};
	if (field(f, 112, 4) & BIT(10)) { /* RESET_REG_SUP */
		out->reset.space = (uint8_t)field(f, 116, 1);
		out->reset.address = field(f, 120, 8);
		out->reset_value = (uint8_t)field(f, 128, 1);
	}
	return true;
}

const struct acpi_header *acpi_dsdt(void)
{
	struct acpi_fixed f;

	return acpi_fixed(&f) && f.dsdt.a ? check_table(f.dsdt.a) : NULL;
}

const uint8_t *acpi_next_entry(const struct acpi_header *t, size_t first, const uint8_t *previous)
{
	const uint8_t *base = (const uint8_t *)t;
	size_t at = previous ? (size_t)(previous - base) + previous[1] : first;

	if (at + 2 > t->length)
		return NULL;
	if (base[at + 1] < 2 || at + base[at + 1] > t->length) {
		log_error("ACPI: %.4s: the record at byte %zu has length %u", t->signature, at,
			  base[at + 1]);
		return NULL;
	}
	return base + at;
}
