/* SPDX-License-Identifier: Apache-2.0 */
/* The log: which lines reach the device, which only the ring, and that guests cannot flood either. */
#include "sim.h"

#include <hv/console.h>
#include <hv/log.h>
#include <hv/option.h>

/* What is in the ring for dom0 to read. */
static char ring[65536];

static bool ring_has(const char *s)
{
	uint32_t index = 0;
	size_t n = console_ring_read(ring, sizeof(ring) - 1, &index, false, false);

	ring[n] = '\0';
	return strstr(ring, s) != NULL;
}

static void boot(int always, int limited)
{
	sim_boot(1, 32 << 20, 1);
	options.loglvl = (struct log_threshold){ (int8_t)always, (int8_t)limited };
	options.loglvl_guest = options.loglvl;
	options.console_timestamps = false;
}

static void a_line_is_marked_and_formatted(void **state)
{
	boot(LOG_DEBUG, LOG_DEBUG);
	log_info("%s has %u", "d1", 3);
	assert_true(sim_console_has("(KR) d1 has 3\r\n"));
	assert_true(ring_has("(KR) d1 has 3\n"));
	sim_shutdown();
}

static void levels_above_the_threshold_stay_in_the_ring(void **state)
{
	boot(LOG_WARNING, LOG_WARNING);
	log_warning("w-line");
	log_info("i-line");
	log_line(LOG_GUEST | LOG_INFO, "g-line");
	assert_true(sim_console_has("w-line"));
	assert_false(sim_console_has("i-line"));
	assert_true(ring_has("i-line"));
	assert_false(sim_console_has("g-line"));
	assert_false(ring_has("g-line"));
	sim_shutdown();
}

static void limited_lines_pass_at_a_rate_and_are_counted(void **state)
{
	boot(LOGLVL_NONE, LOG_WARNING);
	for (unsigned i = 0; i < 50; i++)
		log_guest("g%u.", i);
	assert_true(sim_console_has("g9."));
	assert_false(sim_console_has("g10."));
	assert_false(ring_has("g10."));
	sim_advance(600000000);
	log_guest("later.");
	assert_true(sim_console_has("(40 lines left out)\r\n(KR) later."));
	log_guest("too soon.");
	assert_false(sim_console_has("too soon."));
	/* Our own lines have a bucket of their own. */
	log_warning("ours.");
	assert_true(sim_console_has("ours."));
	sim_shutdown();
}

static void a_long_line_is_cut(void **state)
{
	boot(LOG_DEBUG, LOG_DEBUG);
	log_info("%0300d", 7);
	log_info("next");
	assert_true(sim_console_has("(KR) 0000"));
	assert_true(sim_console_has("0000\r\n(KR) next\r\n"));
	assert_false(sim_console_has("7"));
	sim_shutdown();
}

static void timestamps_are_seconds_and_microseconds(void **state)
{
	boot(LOG_DEBUG, LOG_DEBUG);
	options.console_timestamps = true;
	sim_advance(1234567000);
	log_info("now");
	assert_true(sim_console_has("(KR) [    1.2"));
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_marked_and_formatted),
		cmocka_unit_test(levels_above_the_threshold_stay_in_the_ring),
		cmocka_unit_test(limited_lines_pass_at_a_rate_and_are_counted),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(timestamps_are_seconds_and_microseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
