/* SPDX-License-Identifier: Apache-2.0 */
/* snprint() against the C library's snprintf(), and what it does with too little room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/string.h>

#define same(...)                                                               \
	do {                                                                    \
		char want_[200], got_[200];                                     \
		int n_ = snprintf(want_, sizeof(want_), __VA_ARGS__);           \
		assert_int_equal(snprint(got_, sizeof(got_), __VA_ARGS__), n_); \
		assert_string_equal(got_, want_);                               \
	} while (0)

static void numbers_print_as_the_library_prints_them(void **state)
{
	static const long long values[] = { 0,     1,          9,          10,          255,
					    65536, 4294967295, 4294967296, 10000000000, INT64_MAX,
					    -1,    -10,        INT64_MIN };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		long long v = values[i];

		same("%lld|%llu|%llx|%llX|%#llx", v, (unsigned long long)v, (unsigned long long)v,
		     (unsigned long long)v, (unsigned long long)v);
		same("%d|%u|%x|%i", (int)v, (unsigned)v, (unsigned)v, (int)v);
		same("%ld|%lu|%zx", (long)v, (unsigned long)v, (size_t)v);
		same("%hd|%hu|%hhd|%hhu", (short)v, (unsigned short)v, (signed char)v,
		     (unsigned char)v);
	}
}

static void width_precision_and_flags_pad(void **state)
{
	same("[%5d][%-5d][%05d][%.3d][%8.3d][%-8.3dx]", 42, 42, 42, 42, 42, 42);
	same("[%5d][%05d][%.3d]", -42, -42, -42);
	same("[%#10x][%#010x][%-#10x][%#.8x][%#x]", 0xabcu, 0xabcu, 0xabcu, 0xabcu, 0u);
	same("[%*d][%-*d][%.*d]", 6, 7, 6, 7, 3, 7);
	same("[%*d][%.*d]", -6, 7, -1, 7);
	same("[%.0d]", 0);
}

static void text_and_characters_print(void **state)
{
	same("[%s][%10s][%-10s][%.2s][%10.2s]", "abc", "abc", "abc", "abc", "abc");
	same("[%c][%3c][%-3c]%%", 'x', 'y', 'z');
	same("[%.*s]", 3, "abcdef");
	same("[%p]", (void *)0x1234);
}

static void a_null_string_is_named(void **state)
{
	char buf[20];
	const char *volatile none = NULL;

	snprint(buf, sizeof(buf), "%s", none);
	assert_string_equal(buf, "(null)");
}

static void what_does_not_fit_is_cut_and_counted(void **state)
{
	char buf[8] = "zzzzzzz";

	assert_int_equal(snprint(buf, 5, "%s-%d", "abc", 1234), 8);
	assert_string_equal(buf, "abc-");
	assert_int_equal(buf[5], 'z');
	assert_int_equal(snprint(buf, 1, "abc"), 3);
	assert_string_equal(buf, "");
	buf[0] = 'k';
	assert_int_equal(snprint(buf, 0, "abc"), 3);
	assert_int_equal(buf[0], 'k');
	assert_int_equal(snprint(NULL, 0, "%100d", 1), 100);
}

static void unknown_directives_print_as_they_stand(void **state)
{
	char buf[40];
	const char *volatile fmt = "%q %5y %";

	snprint(buf, sizeof(buf), fmt);
	assert_string_equal(buf, "%q %5y %");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_print_as_the_library_prints_them),
		cmocka_unit_test(width_precision_and_flags_pad),
		cmocka_unit_test(text_and_characters_print),
		cmocka_unit_test(a_null_string_is_named),
		cmocka_unit_test(what_does_not_fit_is_cut_and_counted),
		cmocka_unit_test(unknown_directives_print_as_they_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
