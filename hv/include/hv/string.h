/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the C library's string.h and of printf that the hypervisor has (hv/lib). */
#ifndef HV_STRING_H
#define HV_STRING_H

#include <stdarg.h>
#include <hv/compiler.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/* Copies at most n - 1 bytes and always terminates; false when it did not fit. n > 0. */
bool strcopy(char *dst, const char *src, size_t n);

/* One 4 KiB page, page-aligned. Where caches can be bypassed (Arm), in memory as well. */
void page_clear(void *page);

/*
 * %d %i %u %x %X %c %s %p %% with flags 0 - # , width, precision (also *), and h hh l ll z.
 * Returns the length that the whole text has; what fits in n, terminated, is written.
 */
int vsnprint(char *buf, size_t n, const char *fmt, va_list ap);
int snprint(char *buf, size_t n, const char *fmt, ...) PRINTF(3, 4);

/*
 * Parse an unsigned number (decimal, 0x hexadecimal, 0 octal) from *s and move *s behind it.
 * False when there is none or it does not fit; *s and *value are then unchanged.
 */
MUST_USE bool parse_u64(const char **s, uint64_t *value);
/* The same with a suffix k, m, g or t (powers of 1024), either case; none means `unit` bytes. */
MUST_USE bool parse_size(const char **s, uint64_t unit, uint64_t *bytes);

#endif
