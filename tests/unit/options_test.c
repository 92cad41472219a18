/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: Xen's names and syntax; what is wrong is named in the log and changes nothing. */
#include "sim.h"
#include <stdio.h>
#include <hv/log.h>
#include <hv/option.h>

static int setup(void **state)
{
	sim_boot(1, 16 << 20, 1);
	return 0;
}

static int teardown(void **state)
{
	sim_shutdown();
	return 0;
}

static void an_empty_line_gives_the_defaults(void **state)
{
	options_parse("");
	assert_int_equal(options.dom0_mem, 0);
	assert_int_equal(options.gnttab_max_frames, 64);
	assert_int_equal(options.gnttab_max_maptrack_frames, 1024);
	assert_string_equal(options.sched, "credit2");
	assert_string_equal(options.console, "dtuart");
	assert_false(options.noreboot);
	assert_false(options.vwfi_native);
	assert_int_equal(options.conswitch, 1);
	assert_int_equal(options.loglvl.always, LOG_INFO);
	assert_int_equal(options.loglvl_guest.always, LOGLVL_NONE);
	assert_int_equal(options.loglvl_guest.limited, LOG_WARNING);
}

static void dom0_mem_takes_all_forms_of_xen(void **state)
{
	options_parse("dom0_mem=512M");
	assert_int_equal(options.dom0_mem, 512ull << 20);
	options_parse("dom0_mem=1g,max:2G");
	assert_int_equal(options.dom0_mem, 1ull << 30);
	assert_int_equal(options.dom0_mem_max, 2ull << 30);
	options_parse("dom0_mem=min:64M,max:512M,128M");
	assert_int_equal(options.dom0_mem_min, 64ull << 20);
	assert_int_equal(options.dom0_mem_max, 512ull << 20);
	assert_int_equal(options.dom0_mem, 128ull << 20);
	options_parse("dom0_mem=1024");
	assert_int_equal(options.dom0_mem, 1024ull << 10);
	options_parse("dom0_mem=4096B");
	assert_int_equal(options.dom0_mem, 4096);
}

static void wrong_sizes_are_named(void **state)
{
	options_parse("dom0_mem=lots");
	assert_true(sim_console_has("dom0_mem=lots"));
	options_parse("dom0_mem=99999999999999999999G");
	assert_true(sim_console_has("dom0_mem=99999999999999999999G"));
	options_parse("dom0_mem=512M,");
	assert_true(sim_console_has("dom0_mem=512M,"));
}

static void booleans_take_all_words(void **state)
{
	static const char *const on[] = { "noreboot",    "noreboot=1",    "noreboot=yes",
					  "noreboot=on", "noreboot=true", "noreboot=enable" };
	static const char *const off[] = { "noreboot noreboot=0",       "noreboot noreboot=no",
					   "noreboot noreboot=off",     "noreboot noreboot=false",
					   "noreboot noreboot=disable", "noreboot no-noreboot" };

	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		options_parse(on[i]);
		assert_true(options.noreboot);
	}
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		options_parse(off[i]);
		assert_false(options.noreboot);
	}
}

static void unknown_options_are_named_and_the_rest_counts(void **state)
{
	options_parse("placeholder smt=0 no-such maxcpus=2 ucode=scan");
	assert_int_equal(options.maxcpus, 2);
	assert_false(sim_console_has("placeholder"));
	assert_true(sim_console_has("\"smt\""));
	assert_true(sim_console_has("\"no-such\""));
	assert_true(sim_console_has("\"ucode\""));
}

static void quotes_hold_a_value_together(void **state)
{
	options_parse("dtuart=\"/soc/serial 0\" 'sched=null' maxcpus=3");
	assert_string_equal(options.dtuart, "/soc/serial 0");
	assert_string_equal(options.sched, "null");
	assert_int_equal(options.maxcpus, 3);
	options_parse("maxcpus=1 dtuart=\"never ends");
	assert_int_equal(options.maxcpus, 1);
	assert_string_equal(options.dtuart, "never ends");
}

static void levels_are_those_of_xen(void **state)
{
	options_parse("loglvl=all guest_loglvl=error/debug");
	assert_int_equal(options.loglvl.always, LOG_DEBUG);
	assert_int_equal(options.loglvl.limited, LOG_DEBUG);
	assert_int_equal(options.loglvl_guest.always, LOG_ERROR);
	assert_int_equal(options.loglvl_guest.limited, LOG_DEBUG);
	options_parse("loglvl=loud loglvl=info/loud loglvl=none");
	assert_int_equal(options.loglvl.always, LOGLVL_NONE);
	assert_true(sim_console_has("loglvl=loud"));
	assert_true(sim_console_has("loglvl=info/loud"));
}

static void conswitch_chooses_letter_and_start(void **state)
{
	options_parse("conswitch=b");
	assert_int_equal(options.conswitch, 2);
	assert_false(options.conswitch_once);
	options_parse("conswitch=ax");
	assert_int_equal(options.conswitch, 1);
	assert_true(options.conswitch_once);
	options_parse("conswitch=1");
	assert_true(sim_console_has("conswitch=1"));
}

static void odd_values_leave_the_default(void **state)
{
	options_parse(
	    "vwfi=sometimes maxcpus=-1 gnttab_max_frames=4294967296 dom0_max_vcpus= sched");
	assert_false(options.vwfi_native);
	assert_int_equal(options.maxcpus, 0);
	assert_int_equal(options.gnttab_max_frames, 64);
	assert_int_equal(options.dom0_max_vcpus, 0);
	assert_true(sim_console_has("vwfi=sometimes"));
	assert_true(sim_console_has("sched: needs a value"));
	options_parse("vwfi=native dom0_max_vcpus=1-4 console_timestamps");
	assert_true(options.vwfi_native);
	assert_int_equal(options.dom0_max_vcpus, 4);
	assert_true(options.console_timestamps);
}

static void long_words_are_refused_whole(void **state)
{
	char line[512];

	memset(line, 'x', sizeof(line));
	memcpy(line, "dtuart=", 7);
	strcpy(line + sizeof(line) - 11, " maxcpus=2");
	options_parse(line);
	assert_string_equal(options.dtuart, "");
	assert_int_equal(options.maxcpus, 2);
	assert_true(sim_console_has("longer than"));
}

/* ---- the documentation ------------------------------------------------------------------------ */

static void write_doc(FILE *f)
{
	fprintf(
	    f,
	    "# Command-line options\n\n"
	    "Made from hv/boot/options.def: change that, then run "
	    "`OPTIONS_MD=docs/options.md build/tests/unit/options_test`.\n"
	    "Names and syntax are Xen's where Xen has the option. An option that Krypton does not "
	    "know is named in the log and otherwise ignored.\n"
	    "A value may be put in quotes; of an option given twice the last one counts. "
	    "`<boolean>`: yes, on, true, enable, 1 or no, off, false, disable, 0;\n"
	    "the name alone means yes, with `no-` before it no. `<size>`: a number with K, M, G or "
	    "T behind it; with none it is KiB, with B bytes.\n\n"
	    "| option | values | default | what it does |\n|---|---|---|---|\n");
#define OPTION(name, kind, field, standard, values, what)                         \
	do {                                                                      \
		fprintf(f, "| `%s` | `", name);                                   \
		for (const char *p = values; *p; p++)                             \
			fprintf(f, "%s%c", *p == '|' ? "\\" : "", *p);            \
		fprintf(f, "` | %s%s%s | %s |\n", *standard ? "`" : "", standard, \
			*standard ? "`" : "", what);                              \
	} while (0);
#include "../../hv/boot/options.def"
#undef OPTION
}

static void the_document_is_the_table(void **state)
{
	static char made[16384], kept[16384];
	const char *to = getenv("OPTIONS_MD");
	FILE *f = fmemopen(made, sizeof(made), "w");
	size_t n;

	write_doc(f);
	assert_int_equal(fclose(f), 0);
	if (to) {
		f = fopen(to, "w");
		assert_non_null(f);
		fputs(made, f);
		assert_int_equal(fclose(f), 0);
	}
	f = fopen("docs/options.md", "r");
	assert_non_null(f);
	n = fread(kept, 1, sizeof(kept) - 1, f);
	kept[n] = '\0';
	fclose(f);
	assert_string_equal(made, kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(an_empty_line_gives_the_defaults),
		TEST(dom0_mem_takes_all_forms_of_xen),
		TEST(wrong_sizes_are_named),
		TEST(booleans_take_all_words),
		TEST(unknown_options_are_named_and_the_rest_counts),
		TEST(quotes_hold_a_value_together),
		TEST(levels_are_those_of_xen),
		TEST(conswitch_chooses_letter_and_start),
		TEST(odd_values_leave_the_default),
		TEST(long_words_are_refused_whole),
		TEST(the_document_is_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
