/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from command lines: what is one, what is too large, where the text goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/string.h>

static void number(const char *text, uint64_t want, const char *rest)
{
	const char *s = text;
	uint64_t n = 77;

	assert_true(parse_u64(&s, &n));
	assert_int_equal(n, want);
	assert_string_equal(s, rest);
}

static void no_number(const char *text)
{
	const char *s = text;
	uint64_t n = 77;

	assert_false(parse_u64(&s, &n));
	assert_ptr_equal(s, text);
	assert_int_equal(n, 77);
}

static void size(const char *text, uint64_t unit, uint64_t want, const char *rest)
{
	const char *s = text;
	uint64_t n = 77;

	assert_true(parse_size(&s, unit, &n));
	assert_int_equal(n, want);
	assert_string_equal(s, rest);
}

static void no_size(const char *text, uint64_t unit)
{
	const char *s = text;
	uint64_t n = 77;

	assert_false(parse_size(&s, unit, &n));
	assert_ptr_equal(s, text);
	assert_int_equal(n, 77);
}

static void the_prefix_chooses_the_base(void **state)
{
	number("0", 0, "");
	number("42,rest", 42, ",rest");
	number("0x1F ", 31, " ");
	number("0XabcdEF", 0xabcdef, "");
	number("017", 15, "");
	number("09", 0, "9");
	number("0xg", 0, "xg");
}

static void what_is_no_number_changes_nothing(void **state)
{
	no_number("");
	no_number("x1");
	no_number("-1");
	no_number(" 1");
}

static void numbers_fit_64_bits_or_are_refused(void **state)
{
	number("18446744073709551615", UINT64_MAX, "");
	no_number("18446744073709551616");
	no_number("99999999999999999999999");
	number("0xffffffffffffffff", UINT64_MAX, "");
	no_number("0x10000000000000000");
	number("01777777777777777777777", UINT64_MAX, "");
	no_number("02000000000000000000000");
}

static void suffixes_multiply(void **state)
{
	size("5", 1, 5, "");
	size("5", 1024, 5120, "");
	size("5k", 1, 5 << 10, "");
	size("5M,max:1G", 1024, 5 << 20, ",max:1G");
	size("2g", 1, (uint64_t)2 << 30, "");
	size("1T", 1, (uint64_t)1 << 40, "");
	size("512B", 1024, 512, "");
	size("0x10m", 1, 16 << 20, "");
}

static void sizes_fit_64_bits_or_are_refused(void **state)
{
	size("16777215T", 1, (uint64_t)16777215 << 40, "");
	no_size("16777216T", 1);
	no_size("18446744073709551615k", 1);
	no_size("18014398509481984", 1024);
	no_size("M", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prefix_chooses_the_base),
		cmocka_unit_test(what_is_no_number_changes_nothing),
		cmocka_unit_test(numbers_fit_64_bits_or_are_refused),
		cmocka_unit_test(suffixes_multiply),
		cmocka_unit_test(sizes_fit_64_bits_or_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
