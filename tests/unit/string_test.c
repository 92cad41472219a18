/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's memory and string functions, compiled here under other names beside the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define memcpy  hv_memcpy
#define memmove hv_memmove
#define memset  hv_memset
#define memcmp  hv_memcmp
#define memchr  hv_memchr
#define strlen  hv_strlen
#define strnlen hv_strnlen
#define strcmp  hv_strcmp
#define strncmp hv_strncmp
#define strchr  hv_strchr
#define strrchr hv_strrchr
#include <hv/copy.h>
#undef HV_STRING_H
#include "../../hv/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

/* Sizes around the word, the unrolled loop and their multiples. */
static const size_t sizes[] = { 0,  1,  2,  7,  8,  9,  15,  16,  17,  23,  31,  32,   33,  63,
				64, 65, 71, 72, 79, 80, 127, 128, 129, 135, 200, 1000, 4096 };
enum { ROOM = 4096 + 64 };

static void fill(unsigned char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 7 + seed);
}

static void memcpy_copies_and_touches_nothing_else(void **state)
{
	static unsigned char from[ROOM], to[ROOM], want[ROOM];

	fill(from, ROOM, 1);
	for (size_t s = 8; s < 24; s++)
		for (size_t d = 8; d < 24; d++)
			for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
				fill(to, ROOM, 99);
				fill(want, ROOM, 99);
				memcpy(want + d, from + s, sizes[i]);
				assert_ptr_equal(hv_memcpy(to + d, from + s, sizes[i]), to + d);
				assert_memory_equal(to, want, ROOM);
			}
}

/* `copy` does what memmove does, wherever the bytes lie. */
static void copies_overlapping_memory(void (*copy)(void *, const void *, size_t))
{
	static unsigned char got[ROOM], want[ROOM];

	for (size_t s = 0; s < 100; s++)
		for (size_t d = 8; d < 40; d++)
			for (size_t i = 0; i + 2 < ARRAY_SIZE(sizes); i++) {
				fill(got, 512, 3);
				fill(want, 512, 3);
				memmove(want + d, want + s, sizes[i]);
				copy(got + d, got + s, sizes[i]);
				assert_memory_equal(got, want, 512);
			}
}

static void checked_memmove(void *dst, const void *src, size_t n)
{
	assert_ptr_equal(hv_memmove(dst, src, n), dst);
}

static void memmove_copies_overlapping_memory(void **state)
{
	copies_overlapping_memory(checked_memmove);
}

static void copy_normal_copies_overlapping_memory(void **state)
{
	copies_overlapping_memory(copy_normal);
}

static void memset_sets_and_touches_nothing_else(void **state)
{
	static unsigned char got[ROOM], want[ROOM];

	for (size_t d = 0; d < 16; d++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			fill(got, ROOM, 3);
			fill(want, ROOM, 3);
			memset(want + d, 0x1a5, sizes[i]);
			assert_ptr_equal(hv_memset(got + d, 0x1a5, sizes[i]), got + d);
			assert_memory_equal(got, want, ROOM);
		}
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void memcmp_orders_by_the_first_different_byte(void **state)
{
	static unsigned char a[256], b[256];

	for (size_t x = 0; x < 8; x++)
		for (size_t y = 0; y < 8; y++)
			for (size_t n = 0; n < 70; n++)
				for (size_t at = 0; at <= n; at++) {
					fill(a, 256, (unsigned)(5 - x * 7));
					fill(b, 256, (unsigned)(5 - y * 7));
					if (at < n)
						b[y + at] ^= 0x80;
					assert_int_equal(sign(hv_memcmp(a + x, b + y, n)),
							 sign(memcmp(a + x, b + y, n)));
				}
}

static void searches_find_what_the_library_finds(void **state)
{
	const char *s = "grant/evtchn/grant";

	for (int c = 0; c < 128; c++) {
		assert_ptr_equal(hv_strchr(s, c), strchr(s, c));
		assert_ptr_equal(hv_strrchr(s, c), strrchr(s, c));
		assert_ptr_equal(hv_memchr(s, c, 10), memchr(s, c, 10));
	}
	for (size_t n = 0; n < 25; n++)
		assert_int_equal(hv_strnlen(s, n), strnlen(s, n));
	assert_int_equal(hv_strlen(s), strlen(s));
}

static void comparisons_are_of_unsigned_bytes(void **state)
{
	static const char *const text[] = { "",  "a",    "ab",    "abc",  "abd",
					    "b", "\xff", "a\xff", "a\x01" };

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		for (size_t k = 0; k < ARRAY_SIZE(text); k++) {
			assert_int_equal(sign(hv_strcmp(text[i], text[k])),
					 sign(strcmp(text[i], text[k])));
			for (size_t n = 0; n < 5; n++)
				assert_int_equal(sign(hv_strncmp(text[i], text[k], n)),
						 sign(strncmp(text[i], text[k], n)));
		}
}

static void strcopy_always_terminates(void **state)
{
	char buf[4] = "xxx";

	assert_true(strcopy(buf, "abc", 4));
	assert_string_equal(buf, "abc");
	assert_false(strcopy(buf, "defg", 4));
	assert_string_equal(buf, "def");
	assert_false(strcopy(buf, "g", 1));
	assert_string_equal(buf, "");
	assert_true(strcopy(buf, "", 1));
	assert_int_equal(buf[2], 'f');
}

static void page_clear_clears_one_page(void **state)
{
	static unsigned char ALIGNED(4096) page[3 * 4096];

	memset(page, 0xee, sizeof(page));
	page_clear(page + 4096);
	assert_int_equal(page[4095], 0xee);
	assert_int_equal(page[2 * 4096], 0xee);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(page[4096 + i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_normal_copies_overlapping_memory),
		cmocka_unit_test(memcpy_copies_and_touches_nothing_else),
		cmocka_unit_test(memmove_copies_overlapping_memory),
		cmocka_unit_test(memset_sets_and_touches_nothing_else),
		cmocka_unit_test(memcmp_orders_by_the_first_different_byte),
		cmocka_unit_test(searches_find_what_the_library_finds),
		cmocka_unit_test(comparisons_are_of_unsigned_bytes),
		cmocka_unit_test(strcopy_always_terminates),
		cmocka_unit_test(page_clear_clears_one_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
