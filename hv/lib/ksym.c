/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded symbol table. scripts/mksyms.py makes the data at the end of the build and
 * describes its format; nothing changes it, so there is no lock. Panic and crash reports call in.
 */
#include <hv/ksym.h>

enum { SYMBOLS_PER_BLOCK = 16, FIRST_TOKEN = 0x80 };

struct ksym_block {
	uint32_t offset;   /* of the block's first symbol, from _start */
	uint32_t position; /* of the block in ksym_stream */
};

extern const char _start[];
extern const uint32_t ksym_count, ksym_end;
extern const struct ksym_block ksym_block[];
extern const uint16_t ksym_token_at[];
extern const char ksym_token[];
extern const uint8_t ksym_stream[];

/* The last block that begins at or before `offset`; there is at least one, and it does. */
static uint32_t find_block(uint32_t offset)
{
	uint32_t low = 0, high = (ksym_count - 1) / SYMBOLS_PER_BLOCK;

	while (low < high) {
		uint32_t middle = high - (high - low) / 2;

		if (ksym_block[middle].offset <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static const uint8_t *read_distance(const uint8_t *p, uint32_t *distance)
{
	unsigned shift = 0;

	*distance = 0;
	do {
		*distance |= (uint32_t)(*p & 0x7f) << shift;
		shift += 7;
	} while (*p++ & 0x80);
	return p;
}

/* Expands the coded name at p (a length, then that many codes). */
static void expand(const uint8_t *p, char *buf, size_t n)
{
	const uint8_t *end = p + 1 + *p;
	size_t used = 0;

	for (p++; p < end; p++) {
		if (*p < FIRST_TOKEN) {
			if (used + 1 < n)
				buf[used++] = (char)*p;
			continue;
		}
		for (const char *s = &ksym_token[ksym_token_at[*p - FIRST_TOKEN]]; *s; s++)
			if (used + 1 < n)
				buf[used++] = *s;
	}
	buf[used] = '\0';
}

const char *ksym_lookup(uintptr_t addr, size_t *offset, char *buf, size_t n)
{
	uintptr_t from_start = addr - (uintptr_t)_start;
	const uint8_t *p, *name;
	uint32_t block, at, left, distance;

	if (!ksym_count || from_start >= ksym_end || from_start < ksym_block[0].offset)
		return NULL;
	block = find_block((uint32_t)from_start);
	at = ksym_block[block].offset;
	left = ksym_count - block * SYMBOLS_PER_BLOCK;
	if (left > SYMBOLS_PER_BLOCK)
		left = SYMBOLS_PER_BLOCK;
	/* The block's first symbol is at or before the address; so may be some that follow it. */
	name = read_distance(&ksym_stream[ksym_block[block].position], &distance);
	while (--left) {
		p = read_distance(name + 1 + *name, &distance);
		if (at + distance > from_start)
			break;
		at += distance;
		name = p;
	}
	expand(name, buf, n);
	*offset = from_start - at;
	return buf;
}
