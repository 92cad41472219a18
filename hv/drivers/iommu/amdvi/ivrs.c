/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O Virtualization Reporting Structure (48882, 5.2): blocks that describe units (IVHD) and memory (IVMD). Pure: reads the table,
 * fills in a structure. Every length is checked; what does not fit is left out, which leaves devices blocked.
 */
#include "amdvi.h"

#include <hv/log.h>
#include <hv/string.h>

#define FIRST_BLOCK     48u /* 5.2.1 */
#define IVHD_10         0x10
#define IVHD_11         0x11
#define IVHD_40         0x40
#define IVHD_10_SIZE    24u
#define IVHD_SIZE       40u
#define IVMD_ALL        0x20
#define IVMD_ONE        0x21
#define IVMD_RANGE      0x22
#define IVMD_SIZE       32u

/* Device entries (5.2.2.5 and on). */
#define DEV_ALL         0x01
#define DEV_SELECT      0x02
#define DEV_RANGE       0x03
#define DEV_END         0x04
#define DEV_ALIAS       0x42
#define DEV_ALIAS_RANGE 0x43
#define DEV_EXT         0x46
#define DEV_EXT_RANGE   0x47
#define DEV_SPECIAL     0x48
#define DEV_ACPI        0xf0
#define DEV_ACPI_FIXED  22u /* bytes before the variable part; the last one is its length */

struct block {
	const uint8_t *p;
	uint32_t size;
};

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* The block at `*at`, and *at moves on. False: the end, or what follows is no block (said). */
static bool next_block(const struct acpi_header *table, uint32_t *at, struct block *b)
{
	uint32_t left = table->length - *at;

	if (*at >= table->length)
		return false;
	b->p = (const uint8_t *)table + *at;
	b->size = left >= 4 ? (uint32_t)get(b->p + 2, 2) : 0;
	if (b->size < 4 || b->size > left) {
		log_error("ACPI: IVRS: the block at byte %u has length %u", *at, b->size);
		return false;
	}
	*at += b->size;
	return true;
}

/* ---- devices of a unit ----------------------------------------------------------------------- */

static void add_range(struct ivrs *v, const struct ivrs_range *r)
{
	if (v->nr_ranges == IVRS_MAX_RANGES) {
		log_error("ACPI: IVRS: more than %u ranges: devices %04x-%04x stay blocked",
			  IVRS_MAX_RANGES, r->first, r->last);
		return;
	}
	v->range[v->nr_ranges++] = *r;
	if (r->first != 0 || r->last != 0xffff)
		v->last_id = MAX(v->last_id, (uint32_t)r->last);
	if (r->alias != NO_ALIAS)
		v->last_id = MAX(v->last_id, r->alias);
}

static void add_special(struct ivrs *v, unsigned unit, const uint8_t *e)
{
	struct ivrs_special s = {
		.id = (uint16_t)get(e + 5, 2),
		.kind = e[7],
		.handle = e[4],
		.data = e[3],
		.unit = (uint8_t)unit,
	};

	if (s.kind != SPECIAL_IOAPIC && s.kind != SPECIAL_HPET)
		return;
	if (v->nr_specials == IVRS_MAX_SPECIALS) {
		log_error("ACPI: IVRS: more than %u special devices", IVRS_MAX_SPECIALS);
		return;
	}
	v->special[v->nr_specials++] = s;
	v->last_id = MAX(v->last_id, (uint32_t)s.id);
}

/* A type says its length in its two upper bits (5.2.2.4); 0: not by these rules. */
static uint32_t entry_size(const uint8_t *e, uint32_t left)
{
	if (*e < 0xc0)
		return 4u << (*e >> 6);
	if (*e == DEV_ACPI && left >= DEV_ACPI_FIXED)
		return DEV_ACPI_FIXED + e[DEV_ACPI_FIXED - 1];
	return 0;
}

/* A range that has begun waits in *open for its end. */
static void read_device(struct ivrs *v, unsigned unit, const uint8_t *e, struct ivrs_range *open,
			bool *is_open)
{
	struct ivrs_range r = {
		.first = (uint16_t)get(e + 1, 2),
		.last = (uint16_t)get(e + 1, 2),
		.alias = NO_ALIAS,
		.unit = (uint8_t)unit,
		.data = e[3],
	};

	switch (*e) {
	case DEV_ALL:
		r.first = 0;
		r.last = 0xffff;
		add_range(v, &r);
		break;
	case DEV_ALIAS:
	case DEV_ALIAS_RANGE: r.alias = (uint32_t)get(e + 5, 2); break;
	case DEV_SPECIAL: add_special(v, unit, e); break;
	default: break;
	}
	switch (*e) {
	case DEV_SELECT:
	case DEV_ALIAS:
	case DEV_EXT: add_range(v, &r); break;
	case DEV_RANGE:
	case DEV_ALIAS_RANGE:
	case DEV_EXT_RANGE:
		*open = r;
		*is_open = true;
		break;
	case DEV_END:
		if (!*is_open || r.last < open->first) {
			log_error("ACPI: IVRS: range ends at device %04x without a begin", r.last);
			break;
		}
		open->last = r.last;
		add_range(v, open);
		*is_open = false;
		break;
	default: break;
	}
}

static void read_devices(struct ivrs *v, unsigned unit, const uint8_t *e, uint32_t left)
{
	struct ivrs_range open;
	bool is_open = false;

	while (left) {
		uint32_t size = entry_size(e, left);

		if (size < 4 || size > left) {
			log_error("ACPI: IVRS: a device entry of type %02x does not fit", *e);
			return;
		}
		read_device(v, unit, e, &open, &is_open);
		e += size;
		left -= size;
	}
	if (is_open)
		log_error("ACPI: IVRS: the range from device %04x has no end", open.first);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static bool known(const struct ivrs *v, uint16_t segment, uint16_t id)
{
	for (uint32_t i = 0; i < v->nr_units; i++)
		if (v->unit[i].segment == segment && v->unit[i].id == id)
			return true;
	return false;
}

static void read_ivhd(struct ivrs *v, const struct block *b)
{
	uint32_t fixed = *b->p == IVHD_10 ? IVHD_10_SIZE : IVHD_SIZE;
	struct ivrs_unit u;

	if (b->size < fixed) {
		log_error("ACPI: IVRS: a unit's block of type %02x has length %u", *b->p, b->size);
		return;
	}
	u = (struct ivrs_unit){
		.type = b->p[0],
		.flags = b->p[1],
		.id = (uint16_t)get(b->p + 4, 2),
		.cap = (uint16_t)get(b->p + 6, 2),
		.base = get(b->p + 8, 8),
		.segment = (uint16_t)get(b->p + 16, 2),
	};
	if (known(v, u.segment, u.id))
		return; /* described by a block of a higher type */
	if (!u.base || u.base & (AMDVI_REGS_SIZE - 1) || u.base >> 52) {
		log_error("ACPI: IVRS: unit %04x has registers at %llx", u.id,
			  (unsigned long long)u.base);
		return;
	}
	if (v->nr_units == MAX_IOMMUS) {
		log_error("ACPI: IVRS: more than %u units", MAX_IOMMUS);
		return;
	}
	v->unit[v->nr_units] = u;
	v->last_id = MAX(v->last_id, (uint32_t)u.id);
	read_devices(v, v->nr_units++, b->p + fixed, b->size - fixed);
}

static void read_ivmd(struct ivrs *v, const struct block *b)
{
	struct ivrs_unity m;
	uint64_t size;

	if (b->size < IVMD_SIZE) {
		log_error("ACPI: IVRS: a memory block has length %u", b->size);
		return;
	}
	size = get(b->p + 24, 8);
	m = (struct ivrs_unity){
		.flags = b->p[1],
		.first = (uint16_t)get(b->p + 4, 2),
		.last = (uint16_t)get(b->p + (*b->p == IVMD_RANGE ? 6 : 4), 2),
		.start = get(b->p + 16, 8),
	};
	if (*b->p == IVMD_ALL) {
		m.first = 0;
		m.last = 0xffff;
	}
	m.end = m.start + size;
	if (!size || m.end < m.start || m.end >> 52 || m.last < m.first ||
	    v->nr_unity == IVRS_MAX_UNITY) {
		log_error("ACPI: IVRS: memory at %llx of %llu bytes is left out",
			  (unsigned long long)m.start, (unsigned long long)size);
		return;
	}
	v->unity[v->nr_unity++] = m;
}

void ivrs_read(const struct acpi_header *table, struct ivrs *out)
{
	static const uint8_t best_first[] = { IVHD_40, IVHD_11, IVHD_10 };
	struct block b;

	*out = (struct ivrs){ 0 };
	/* One unit may be described by several blocks: 5.2.2.1. */
	for (unsigned i = 0; i < ARRAY_SIZE(best_first); i++)
		for (uint32_t at = FIRST_BLOCK; next_block(table, &at, &b);)
			if (*b.p == best_first[i])
				read_ivhd(out, &b);
	for (uint32_t at = FIRST_BLOCK; next_block(table, &at, &b);)
		if (*b.p >= IVMD_ALL && *b.p <= IVMD_RANGE)
			read_ivmd(out, &b);
}

int ivrs_find(const struct ivrs *v, uint16_t segment, uint16_t id, uint32_t *seen_as)
{
	int found = -1;

	/* The narrowest wins: firmware may say "all", and then name exceptions. */
	for (uint32_t i = 0, best = ~0u; i < v->nr_ranges; i++) {
		const struct ivrs_range *r = &v->range[i];
		uint32_t width = (uint32_t)r->last - r->first;

		if (v->unit[r->unit].segment != segment || id < r->first || id > r->last ||
		    width > best)
			continue;
		best = width;
		found = r->unit;
		*seen_as = r->alias == NO_ALIAS ? id : r->alias;
	}
	return found;
}
