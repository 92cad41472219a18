/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's memory and string functions, for the hypervisor only (the host has its own). Only
 * naturally aligned accesses, because they run before the MMU is on as well. A source that is aligned
 * differently from its destination is read in whole aligned words and shifted into place: an aligned word
 * that holds one byte of the source lies in the same page, so nothing outside mapped memory is read.
 */
#include <hv/string.h>

#define WORD      sizeof(uint64_t)
#define UNROLLED  (8 * WORD)
#define OFFSET(p) ((uintptr_t)(p) % WORD)

/* Whole words, both sides aligned. Returns the words copied, always n / WORD. Pages are copied so: no index is kept beside the pointers. */
static size_t copy_words(uint64_t *d, const uint64_t *s, size_t n)
{
	const uint64_t *end = s + n / WORD, *unrolled = s + n / UNROLLED * 8;

	for (; s != unrolled; s += 8, d += 8) {
		uint64_t a = s[0], b = s[1], c = s[2], e = s[3];
		uint64_t f = s[4], g = s[5], h = s[6], j = s[7];

		d[0] = a;
		d[1] = b;
		d[2] = c;
		d[3] = e;
		d[4] = f;
		d[5] = g;
		d[6] = h;
		d[7] = j;
	}
	for (; s != end; s++)
		*d++ = *s;
	return n / WORD;
}

/* The same with `s` at an odd place: each word is put together from two (little-endian). */
static size_t copy_shifted(uint64_t *d, const unsigned char *s, size_t n)
{
	const uint64_t *from = (const uint64_t *)((uintptr_t)s - OFFSET(s));
	unsigned shift = 8 * (unsigned)OFFSET(s);
	uint64_t low = *from++;
	size_t i = 0;

	for (; (i + 4) * WORD <= n; i += 4) { /* packets are copied so: it is worth it */
		uint64_t a = from[i], b = from[i + 1], c = from[i + 2], e = from[i + 3];

		d[i] = low >> shift | a << (64 - shift);
		d[i + 1] = a >> shift | b << (64 - shift);
		d[i + 2] = b >> shift | c << (64 - shift);
		d[i + 3] = c >> shift | e << (64 - shift);
		low = e;
	}
	for (; (i + 1) * WORD <= n; i++) {
		uint64_t high = from[i];

		d[i] = low >> shift | high << (64 - shift);
		low = high;
	}
	return i;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (n >= 2 * WORD) {
		size_t words;

		for (; OFFSET(d); n--)
			*d++ = *s++;
		if (OFFSET(s) == 0)
			words = copy_words((uint64_t *)d, (const uint64_t *)s, n);
		else
			words = copy_shifted((uint64_t *)d, s, n);
		d += words * WORD;
		s += words * WORD;
		n -= words * WORD;
	}
	while (n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	/* Upwards is right when dst is below src; memcpy goes upwards, one word read before one written. */
	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(dst, src, n);
	if (OFFSET(d) == OFFSET(s)) {
		for (; n && OFFSET(d + n); n--)
			d[n - 1] = s[n - 1];
		for (; n >= WORD; n -= WORD)
			*(uint64_t *)(d + n - WORD) = *(const uint64_t *)(s + n - WORD);
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	unsigned char *d = dst;

	if (n >= 2 * WORD) {
		uint64_t v = (unsigned char)c * UINT64_C(0x0101010101010101);
		uint64_t *w;

		for (; OFFSET(d); n--)
			*d++ = (unsigned char)c;
		for (w = (uint64_t *)d; n >= UNROLLED; n -= UNROLLED, w += 8) {
			w[0] = w[1] = w[2] = w[3] = v;
			w[4] = w[5] = w[6] = w[7] = v;
		}
		for (; n >= WORD; n -= WORD)
			*w++ = v;
		d = (unsigned char *)w;
	}
	while (n--)
		*d++ = (unsigned char)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	if (OFFSET(p) == OFFSET(q) && n >= 2 * WORD) {
		for (; OFFSET(p) && *p == *q; n--)
			p++, q++;
		if (OFFSET(p) == 0)
			for (; n >= WORD && *(const uint64_t *)p == *(const uint64_t *)q; n -= WORD)
				p += WORD, q += WORD;
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const unsigned char *p = s;

	for (; n; n--, p++)
		if (*p == (unsigned char)c)
			return (void *)(uintptr_t)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i])
		i++;
	return i;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}
