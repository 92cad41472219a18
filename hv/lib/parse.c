/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in command lines and device trees. The text may come from anybody, so overflow is a "no". */
#include <hv/string.h>

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

bool parse_u64(const char **s, uint64_t *value)
{
	const char *p = *s, *first;
	unsigned base = 10;
	uint64_t n = 0;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
		base = 16;
		p += 2;
	} else if (p[0] == '0') {
		base = 8;
	}
	for (first = p; digit_value(*p) < base; p++) {
		unsigned digit = digit_value(*p);

		if (n > (UINT64_MAX - digit) / base)
			return false;
		n = n * base + digit;
	}
	if (p == first)
		return false;
	*s = p;
	*value = n;
	return true;
}

/* The letter's power of two; 0 for what is no suffix. */
static unsigned suffix_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K': return 10;
	case 'm':
	case 'M': return 20;
	case 'g':
	case 'G': return 30;
	case 't':
	case 'T': return 40;
	default: return 0;
	}
}

bool parse_size(const char **s, uint64_t unit, uint64_t *bytes)
{
	const char *p = *s;
	unsigned shift;
	uint64_t n;

	if (!parse_u64(&p, &n))
		return false;
	shift = suffix_shift(*p);
	if (shift) {
		p++;
		unit = (uint64_t)1 << shift;
	} else if ((*p | 0x20) == 'b') { /* Xen's option syntax: plain bytes */
		p++;
		unit = 1;
	}
	if (unit && n > UINT64_MAX / unit)
		return false;
	*s = p;
	*bytes = n * unit;
	return true;
}
