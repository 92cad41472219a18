/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printf's core, as far as hv/string.h promises. A pure function of its arguments: no lock, no
 * allocation, usable in a panic. A directive that it does not know is printed as it stands.
 */
#include <hv/string.h>

struct out {
	char *buf;
	size_t size, length; /* length: of the whole text, written or not */
};

struct directive {
	bool left, zero, alternate, precise;
	unsigned width, precision;
};

static void put(struct out *o, char c)
{
	if (o->length + 1 < o->size)
		o->buf[o->length] = c;
	o->length++;
}

static void put_many(struct out *o, char c, unsigned n)
{
	while (n--)
		put(o, c);
}

static void put_text(struct out *o, const struct directive *d, const char *s, size_t n)
{
	unsigned pad = d->width > n ? d->width - (unsigned)n : 0;

	if (!d->left)
		put_many(o, ' ', pad);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (d->left)
		put_many(o, ' ', pad);
}

static void put_number(struct out *o, const struct directive *d, uint64_t value, unsigned base,
		       bool upper, const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[20];
	unsigned n = 0, zeros = 0, length;

	/* No 64-bit division by a variable: 32-bit targets would need a library for it. */
	for (uint64_t left = value; left; n++) {
		if (base == 16) {
			text[n] = digits[left % 16];
			left /= 16;
		} else if (left <= UINT32_MAX) {
			text[n] = digits[(uint32_t)left % 10];
			left = (uint32_t)left / 10;
		} else {
			/* Long division in halves of 16 bits. */
			uint64_t quotient = 0;
			uint32_t rest = 0;

			for (int shift = 48; shift >= 0; shift -= 16) {
				rest = rest << 16 | (uint32_t)(left >> shift & 0xffff);
				quotient |= (uint64_t)(rest / 10) << shift;
				rest %= 10;
			}
			text[n] = digits[rest];
			left = quotient;
		}
	}
	if (d->precise)
		zeros = d->precision > n ? d->precision - n : 0;
	else if (!n)
		zeros = 1;
	length = n + zeros + (unsigned)strlen(prefix);
	if (d->zero && !d->left && !d->precise && d->width > length) {
		zeros += d->width - length;
		length = d->width;
	}
	if (!d->left && d->width > length)
		put_many(o, ' ', d->width - length);
	for (const char *p = prefix; *p; p++)
		put(o, *p);
	put_many(o, '0', zeros);
	while (n)
		put(o, text[--n]);
	if (d->left && d->width > length)
		put_many(o, ' ', d->width - length);
}

static const char *read_unsigned(const char *p, unsigned *n)
{
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (unsigned)(*p - '0');
	return p;
}

/* printf's length modifiers, as an order of sizes. */
enum length { CHAR, SHORT, INT, LONG, LONG_LONG, SIZE };

static const char *read_length(const char *p, enum length *length)
{
	*length = INT;
	if (*p == 'h') {
		*length = SHORT;
		if (*++p == 'h') {
			*length = CHAR;
			p++;
		}
	} else if (*p == 'l') {
		*length = LONG;
		if (*++p == 'l') {
			*length = LONG_LONG;
			p++;
		}
	} else if (*p == 'z') {
		*length = SIZE;
		p++;
	}
	return p;
}

/* Passed by reference so that every target's va_list is advanced for the caller. */
struct arguments {
	va_list ap;
};

static const char *read_star_or_number(const char *p, struct arguments *a, int *n)
{
	unsigned value;

	if (*p == '*') {
		*n = va_arg(a->ap, int);
		return p + 1;
	}
	p = read_unsigned(p, &value);
	*n = (int)value;
	return p;
}

static const char *read_directive(const char *p, struct directive *d, struct arguments *a)
{
	int n;

	*d = (struct directive){ .left = false };
	for (;; p++) {
		if (*p == '-')
			d->left = true;
		else if (*p == '0')
			d->zero = true;
		else if (*p == '#')
			d->alternate = true;
		else
			break;
	}
	p = read_star_or_number(p, a, &n);
	if (n < 0) {
		d->left = true;
		n = -n;
	}
	d->width = (unsigned)n;
	if (*p == '.') {
		p = read_star_or_number(p + 1, a, &n);
		d->precise = n >= 0;
		d->precision = n < 0 ? 0 : (unsigned)n;
	}
	return p;
}

static uint64_t take_unsigned(struct arguments *a, enum length length)
{
	switch (length) {
	case CHAR: return (unsigned char)va_arg(a->ap, unsigned);
	case SHORT: return (unsigned short)va_arg(a->ap, unsigned);
	case LONG: return va_arg(a->ap, unsigned long);
	case LONG_LONG: return va_arg(a->ap, unsigned long long);
	case SIZE: return va_arg(a->ap, size_t);
	default: return va_arg(a->ap, unsigned);
	}
}

static int64_t take_signed(struct arguments *a, enum length length)
{
	switch (length) {
	case CHAR: return (signed char)va_arg(a->ap, int);
	case SHORT: return (short)va_arg(a->ap, int);
	case LONG: return va_arg(a->ap, long);
	case LONG_LONG: return va_arg(a->ap, long long);
	case SIZE: return (int64_t)va_arg(a->ap, ptrdiff_t);
	default: return va_arg(a->ap, int);
	}
}

static void put_string(struct out *o, const struct directive *d, const char *s)
{
	if (!s)
		s = "(null)";
	put_text(o, d, s, d->precise ? strnlen(s, d->precision) : strlen(s));
}

/* One conversion; false when there is no such letter. */
static bool convert(struct out *o, const struct directive *d, char letter, enum length length,
		    struct arguments *a)
{
	int64_t i;
	uint64_t u;
	char c;

	switch (letter) {
	case 'd':
	case 'i':
		i = take_signed(a, length);
		put_number(o, d, i < 0 ? -(uint64_t)i : (uint64_t)i, 10, false, i < 0 ? "-" : "");
		return true;
	case 'u': put_number(o, d, take_unsigned(a, length), 10, false, ""); return true;
	case 'x':
	case 'X':
		u = take_unsigned(a, length);
		put_number(o, d, u, 16, letter == 'X',
			   !d->alternate || !u ? ""
			   : letter == 'X'     ? "0X"
					       : "0x");
		return true;
	case 'p': put_number(o, d, (uintptr_t)va_arg(a->ap, void *), 16, false, "0x"); return true;
	case 'c':
		c = (char)va_arg(a->ap, int);
		put_text(o, d, &c, 1);
		return true;
	case 's': put_string(o, d, va_arg(a->ap, const char *)); return true;
	case '%': put(o, '%'); return true;
	default: return false;
	}
}

int vsnprint(char *buf, size_t n, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = n };
	struct arguments a;

	va_copy(a.ap, ap);
	for (const char *p = fmt; *p;) {
		const char *start = p;
		struct directive d;
		enum length length;

		if (*p != '%') {
			put(&o, *p++);
			continue;
		}
		p = read_directive(p + 1, &d, &a);
		p = read_length(p, &length);
		if (*p && convert(&o, &d, *p, length, &a)) {
			p++;
			continue;
		}
		for (p = start + 1, put(&o, '%'); *p && *p != '%'; p++)
			put(&o, *p);
	}
	va_end(a.ap);
	if (n)
		buf[o.length < n ? o.length : n - 1] = '\0';
	return (int)o.length;
}

int snprint(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vsnprint(buf, n, fmt, ap);
	va_end(ap);
	return length;
}
