/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded symbol table: scripts/mksyms.py on ksym_test.nm, read back by hv/lib/ksym.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <hv/ksym.h>

extern const char _start[];

/* ksym_test.nm as the build read it: the functions from _start to _etext, in order. */
struct symbol {
	unsigned long address;
	char kind, name[64];
};

static struct symbol symbol[256];
static unsigned nr_symbols;
static unsigned long start, etext;

static int read_listing(void **state)
{
	FILE *file = fopen("tests/unit/ksym_test.nm", "r");
	struct symbol s;

	assert_non_null(file);
	while (fscanf(file, "%lx %c %63s", &s.address, &s.kind, s.name) == 3) {
		if (strcmp(s.name, "_start") == 0)
			start = s.address;
		if (strcmp(s.name, "_etext") == 0)
			etext = s.address;
		else if ((s.kind == 'T' || s.kind == 't') && s.name[0] != '$')
			symbol[nr_symbols++] = s;
	}
	fclose(file);
	assert_true(nr_symbols > 40 && start && etext > start);
	return 0;
}

static uintptr_t at(unsigned long address)
{
	return (uintptr_t)_start + (address - start);
}

static void every_function_is_found_at_its_first_and_last_byte(void **state)
{
	char buf[64];
	size_t offset;

	for (unsigned i = 0; i < nr_symbols; i++) {
		unsigned long end = i + 1 < nr_symbols ? symbol[i + 1].address : etext;

		assert_ptr_equal(ksym_lookup(at(symbol[i].address), &offset, buf, sizeof(buf)), buf);
		assert_string_equal(buf, symbol[i].name);
		assert_int_equal(offset, 0);
		assert_non_null(ksym_lookup(at(end - 1), &offset, buf, sizeof(buf)));
		assert_string_equal(buf, symbol[i].name);
		assert_int_equal(offset, end - 1 - symbol[i].address);
	}
}

static void addresses_outside_text_have_no_name(void **state)
{
	char buf[64];
	size_t offset;

	assert_null(ksym_lookup(at(start) - 1, &offset, buf, sizeof(buf)));
	assert_null(ksym_lookup(at(etext), &offset, buf, sizeof(buf)));
	assert_null(ksym_lookup(0, &offset, buf, sizeof(buf)));
	assert_null(ksym_lookup(UINTPTR_MAX, &offset, buf, sizeof(buf)));
}

static void a_name_is_cut_to_the_buffer(void **state)
{
	char whole[64];
	size_t offset;

	for (unsigned i = 0; i < nr_symbols; i++) {
		for (size_t n = 1; n <= strlen(symbol[i].name) + 1; n++) {
			char *cut = malloc(n); /* so that the sanitizer sees a byte too many */

			assert_non_null(ksym_lookup(at(symbol[i].address), &offset, cut, n));
			snprintf(whole, sizeof(whole), "%.*s", (int)n - 1, symbol[i].name);
			assert_string_equal(cut, whole);
			free(cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_is_found_at_its_first_and_last_byte),
		cmocka_unit_test(addresses_outside_text_have_no_name),
		cmocka_unit_test(a_name_is_cut_to_the_buffer),
	};

	return cmocka_run_group_tests(tests, read_listing, NULL);
}
