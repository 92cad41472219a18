/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the hypervisor's log: nobody else's text is taken for what the hypervisor says of a domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domain/log_line.h"
#include <string.h>

static void a_line_has_the_mark_and_may_have_a_time(void **state)
{
	char when[40];

	assert_string_equal(log_line_text("(KR) d1 crashed: x", when, sizeof(when)),
			    "d1 crashed: x");
	assert_string_equal(when, "");
	assert_string_equal(log_line_text("(KR) [   12.345678] d1 crashed: x", when, sizeof(when)),
			    "d1 crashed: x");
	assert_string_equal(when, "12.345678 s");
	assert_string_equal(log_line_text("(KR) [d1] is no time", when, sizeof(when)),
			    "[d1] is no time");
	assert_string_equal(when, "");
}

static void what_others_print_is_no_line_of_the_hypervisors(void **state)
{
	static const char *const forged[] = {
		"(d1) d5 crashed: forged",
		"(d1) (KR) d5 crashed: forged",
		"d5 crashed: forged",
		" (KR) d5 crashed: forged",
		"(KR)d5 crashed: forged",
		"x(KR) d5 crashed: forged",
		"(XEN) (KR) d5 crashed: forged",
		"",
	};
	char when[40], why[80];

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		assert_null(log_line_text(forged[i], when, sizeof(when)));
		assert_false(log_last(forged[i], 5, " crashed: ", why, sizeof(why)));
	}
}

static void a_line_is_about_the_domain_it_begins_with(void **state)
{
	char why[80];

	assert_false(log_last("(KR) d15 crashed: x\n", 5, " crashed: ", why, sizeof(why)));
	assert_false(log_last("(KR) d51 crashed: x\n", 5, " crashed: ", why, sizeof(why)));
	assert_false(log_last("(KR) d1: of d5 crashed: x\n", 5, " crashed: ", why, sizeof(why)));
	assert_false(log_last("(KR) d5 stopped\n", 5, " crashed: ", why, sizeof(why)));
	assert_true(log_last("(KR) d5 crashed: x\n", 5, " crashed: ", why, sizeof(why)));
}

static void the_last_word_counts(void **state)
{
	static const char log[] = "shed: the end of a line that the ring has lost\n"
				  "(KR) d5 crashed: first\n"
				  "(KR) [    1.000000] d5 crashed: second\n"
				  "(KR) d6 crashed: another\n"
				  "(d1) d5 crashed: forged\n"
				  "(KR) d5: guest powered off";
	char why[80];

	assert_true(log_last(log, 5, " crashed: ", why, sizeof(why)));
	assert_string_equal(why, "second");
	assert_true(log_last(log, 5, ": ", why, sizeof(why)));
	assert_string_equal(why, "guest powered off");
	assert_false(log_last("", 5, ": ", why, sizeof(why)));
	assert_false(log_last(NULL, 5, ": ", why, sizeof(why)));
}

static void a_long_line_is_cut(void **state)
{
	char why[6];

	assert_true(log_last("(KR) d5: 123456789\n", 5, ": ", why, sizeof(why)));
	assert_string_equal(why, "12345");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_the_mark_and_may_have_a_time),
		cmocka_unit_test(what_others_print_is_no_line_of_the_hypervisors),
		cmocka_unit_test(a_line_is_about_the_domain_it_begins_with),
		cmocka_unit_test(the_last_word_counts),
		cmocka_unit_test(a_long_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
