/* SPDX-License-Identifier: Apache-2.0 */
/* Records of guests: what is due next, whatever was killed when; what is done at each end; files that are there whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/record.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/sched.h>

static const struct hcall_domain running = { .id = 5 }, paused = { .id = 5, .paused = true },
				 dying = { .id = 5, .dying = true, .shutdown = true },
				 rebooting = { .id = 5,
					       .shutdown = true,
					       .shutdown_code = SHUTDOWN_reboot },
				 suspended = { .id = 5,
					       .shutdown = true,
					       .shutdown_code = SHUTDOWN_suspend };

static enum step next(enum stage stage, bool again, const struct hcall_domain *d, bool making,
		      bool left)
{
	const struct record r = { .stage = stage, .again = again, .domid = 5 };

	return record_next(&r, d, making, left);
}

static void a_guest_whose_maker_was_killed_leaves_nothing(void **state)
{
	assert_int_equal(next(STAGE_MAKING, false, &paused, true, false), STEP_WAIT);
	assert_int_equal(next(STAGE_MAKING, false, NULL, true, false), STEP_WAIT);
	assert_int_equal(next(STAGE_MAKING, false, &paused, false, false), STEP_DESTROY);
	assert_int_equal(next(STAGE_MAKING, false, &dying, false, true), STEP_WAIT);
	assert_int_equal(next(STAGE_MAKING, false, NULL, false, true), STEP_CLEAR);
	assert_int_equal(next(STAGE_MAKING, false, NULL, false, false), STEP_FORGET);
	/* It was complete: only the last word was missing. */
	assert_int_equal(next(STAGE_MAKING, false, &running, false, true), STEP_FOLLOW);
	/* It had been there before: it is made again. */
	assert_int_equal(next(STAGE_MAKING, true, &paused, false, true), STEP_DESTROY);
	assert_int_equal(next(STAGE_MAKING, true, NULL, false, false), STEP_CREATE);
}

static void a_running_guest_is_left_alone_until_it_ends(void **state)
{
	assert_int_equal(next(STAGE_RUNNING, false, &running, false, false), STEP_NONE);
	assert_int_equal(next(STAGE_RUNNING, false, &paused, false, false), STEP_NONE);
	assert_int_equal(next(STAGE_RUNNING, false, &suspended, false, false), STEP_NONE);
	assert_int_equal(next(STAGE_RUNNING, false, &rebooting, false, false), STEP_ENDED);
	assert_int_equal(next(STAGE_RUNNING, false, &dying, false, false), STEP_WAIT);
	assert_int_equal(next(STAGE_RUNNING, false, NULL, false, true), STEP_CLEAR);
	assert_int_equal(next(STAGE_RUNNING, false, NULL, false, false), STEP_FORGET);
	assert_int_equal(next(STAGE_PRESERVED, false, &rebooting, false, false), STEP_NONE);
	assert_int_equal(next(STAGE_PRESERVED, false, NULL, false, false), STEP_FORGET);
}

static void an_end_goes_on_where_it_was(void **state)
{
	assert_int_equal(next(STAGE_ENDING, false, &rebooting, false, false), STEP_DESTROY);
	assert_int_equal(next(STAGE_ENDING, false, &dying, false, false), STEP_WAIT);
	assert_int_equal(next(STAGE_ENDING, false, NULL, false, true), STEP_CLEAR);
	assert_int_equal(next(STAGE_ENDING, false, NULL, false, false), STEP_FORGET);
	assert_int_equal(next(STAGE_RESTARTING, false, &rebooting, false, false), STEP_DESTROY);
	assert_int_equal(next(STAGE_RESTARTING, false, NULL, false, true), STEP_CLEAR);
	assert_int_equal(next(STAGE_RESTARTING, false, NULL, false, false), STEP_CREATE);
}

static void a_core_is_written_before_the_domain_goes(void **state)
{
	static const struct {
		enum stage dump, after;
		enum step gone;
	} all[] = { { STAGE_DUMP_ENDING, STAGE_ENDING, STEP_FORGET },
		    { STAGE_DUMP_RESTARTING, STAGE_RESTARTING, STEP_CREATE } };

	for (unsigned i = 0; i < 2; i++) {
		struct record r = { .stage = all[i].dump };

		assert_int_equal(next(all[i].dump, false, &rebooting, false, false), STEP_DUMP);
		/* Somebody else has taken it away meanwhile. */
		assert_int_equal(next(all[i].dump, false, &dying, false, false), STEP_WAIT);
		assert_int_equal(next(all[i].dump, false, NULL, false, true), STEP_CLEAR);
		assert_int_equal(next(all[i].dump, false, NULL, false, false), all[i].gone);
		record_dumped(&r);
		assert_int_equal(r.stage, all[i].after);
		record_dumped(&r); /* said twice, it counts once */
		assert_int_equal(r.stage, all[i].after);
	}
}

static void each_end_has_its_action(void **state)
{
	static const unsigned code[] = { SHUTDOWN_poweroff, SHUTDOWN_reboot, SHUTDOWN_crash,
					 SHUTDOWN_watchdog, SHUTDOWN_soft_reset };
	static const char *const name[] = { "poweroff", "reboot", "crash", "watchdog",
					    "soft reset" };
	static const struct {
		enum config_action action;
		enum stage stage;
	} all[] = { { ACTION_DESTROY, STAGE_ENDING },
		    { ACTION_RESTART, STAGE_RESTARTING },
		    { ACTION_PRESERVE, STAGE_PRESERVED },
		    { ACTION_RENAME_RESTART, STAGE_PRESERVED },
		    { ACTION_COREDUMP_DESTROY, STAGE_DUMP_ENDING },
		    { ACTION_COREDUMP_RESTART, STAGE_DUMP_RESTARTING } };

	for (unsigned e = 0; e < NR_ENDINGS; e++)
		for (unsigned a = 0; a < sizeof(all) / sizeof(all[0]); a++) {
			struct record r = { .stage = STAGE_RUNNING };
			enum config_action action;

			r.on[e] = all[a].action;
			assert_string_equal(record_end(&r, code[e], 1000, &action),
					    config_action_name(all[a].action));
			assert_int_equal(action, all[a].action);
			assert_int_equal(r.stage, all[a].stage);
			assert_string_equal(record_ending(code[e]), name[e]);
		}
	assert_null(record_ending(SHUTDOWN_suspend));
	/* What no interface names is no orderly end. */
	assert_string_equal(record_ending(SHUTDOWN_MAX + 1), "crash");
	assert_string_equal(record_ending(255), "crash");
}

static void a_guest_that_restarts_all_the_time_is_ended(void **state)
{
	struct record r = { .on = { [END_CRASH] = ACTION_RESTART } };
	enum config_action action;

	for (int i = 0; i < RECORD_HISTORY; i++) {
		record_end(&r, SHUTDOWN_crash, 1000 + i, &action);
		assert_int_equal(action, ACTION_RESTART);
	}
	assert_int_equal(r.restarted[0], 1004);
	assert_non_null(strstr(record_end(&r, SHUTDOWN_crash, 1010, &action), "too often"));
	assert_int_equal(r.stage, STAGE_ENDING);
	/* The core of the last one is wanted all the same. */
	r.on[END_CRASH] = ACTION_COREDUMP_RESTART;
	assert_non_null(strstr(record_end(&r, SHUTDOWN_crash, 1010, &action), "too often"));
	assert_int_equal(r.stage, STAGE_DUMP_ENDING);
	r.on[END_CRASH] = ACTION_RESTART;
	/* In peace again for a while. */
	record_end(&r, SHUTDOWN_crash, 1000 + RECORD_SOON, &action);
	assert_int_equal(action, ACTION_RESTART);
}

/* ---- files ----------------------------------------------------------------------------------------------- */

static char folder[64];

static int new_folder(void **state)
{
	static char path[80];

	strcpy(folder, "/tmp/record-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a/b", folder);
	record_folder = path; /* made when it is needed */
	return 0;
}

static int remove_folder(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of our own */
}

#define UUID "01020304-0506-0708-090a-0b0c0d0e0f10"

static struct record whole(void)
{
	struct record r = { .name = "web", .domid = 7, .stage = STAGE_RESTARTING, .again = true };

	strcpy(r.uuid, UUID);
	r.on[END_POWEROFF] = ACTION_PRESERVE;
	r.on[END_REBOOT] = ACTION_RENAME_RESTART;
	r.file = strdup("/etc/web.cfg");
	r.folder = strdup("/root");
	r.config = strdup("name = 'web'\nextra = \"a\\tb\"\n");
	r.overrides = strdup("vcpus=2\n");
	r.restarted[0] = 1795287862;
	r.restarted[1] = 1795287000;
	return r;
}

static void a_record_is_read_as_it_was_written(void **state)
{
	struct record r = whole(), got;
	struct fault f;
	DIR *d;

	assert_true(record_write(&r, &f));
	r.stage = STAGE_RUNNING;
	assert_true(record_write(&r, &f)); /* in the place of the first */
	assert_true(record_read(UUID, &got));
	assert_string_equal(got.name, "web");
	assert_int_equal(got.domid, 7);
	assert_int_equal(got.stage, STAGE_RUNNING);
	assert_true(got.again);
	assert_memory_equal(got.on, r.on, sizeof(r.on));
	assert_memory_equal(got.restarted, r.restarted, sizeof(r.restarted));
	assert_string_equal(got.config, r.config);
	assert_string_equal(got.overrides, r.overrides);
	assert_string_equal(got.file, r.file);
	assert_string_equal(got.folder, r.folder);
	record_free(&got);
	record_free(&r);
	d = opendir(record_folder);
	for (struct dirent *e; (e = readdir(d)) != NULL;) /* and nothing half-written */
		assert_true(e->d_name[0] == '.' ? strlen(e->d_name) < 3
						: strcmp(e->d_name, UUID ".json") == 0);
	closedir(d);
	record_remove(UUID);
	assert_false(record_read(UUID, &got));
}

static void a_record_from_before_there_was_on_soft_reset_is_read(void **state)
{
	struct record r = whole(), got;
	char path[200];
	struct fault f;
	json_t *o;

	r.on[END_SOFT_RESET] = ACTION_PRESERVE;
	assert_true(record_write(&r, &f));
	snprintf(path, sizeof(path), "%s/%s.json", record_folder, UUID);
	o = json_load_file(path, 0, NULL);
	assert_int_equal(json_object_del(o, "on_soft_reset"), 0);
	assert_true(record_put(path, o, &f));
	assert_true(record_read(UUID, &got));
	assert_int_equal(got.on[END_SOFT_RESET], ACTION_DESTROY);
	assert_int_equal(got.on[END_REBOOT], ACTION_RENAME_RESTART);
	record_free(&got);
	/* The others were always there; and no unknown one. */
	json_object_set_new(o, "on_soft_reset", json_string("fly"));
	assert_true(record_put(path, o, &f));
	assert_false(record_read(UUID, &got));
	json_object_del(o, "on_soft_reset");
	json_object_del(o, "on_watchdog");
	assert_true(record_put(path, o, &f));
	assert_false(record_read(UUID, &got));
	json_decref(o);
	record_free(&r);
}

static void what_is_no_record_is_not_taken(void **state)
{
	static const char *const bad[] = { "",
					   "{",
					   "[]",
					   "{}",
					   "{\"uuid\": \"" UUID "\"}",
					   "{\"uuid\": 5, \"name\": \"x\", \"stage\": \"running\"}",
					   "{\"uuid\": \"" UUID
					   "\", \"name\": \"x\", \"stage\": \"flying\"}" };
	struct record r = whole(), got;
	char path[200], text[2000];
	struct fault f;
	FILE *file;
	size_t n;

	assert_true(record_write(&r, &f));
	record_free(&r);
	snprintf(path, sizeof(path), "%s/%s.json", record_folder, UUID);
	file = fopen(path, "r");
	n = fread(text, 1, sizeof(text), file);
	fclose(file);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]) + n - 1; i++) {
		file = fopen(path, "w");
		if (i < sizeof(bad) / sizeof(bad[0]))
			fputs(bad[i], file);
		else /* cut anywhere */
			fwrite(text, 1, i - sizeof(bad) / sizeof(bad[0]), file);
		fclose(file);
		assert_false(record_read(UUID, &got));
	}
	assert_false(record_read("11111111-0506-0708-090a-0b0c0d0e0f10", &got));
}

static void a_uuid_is_read_as_it_is_written(void **state)
{
	static const char *const wrong[] = { "",
					     "0",
					     "01020304-0506-0708-090a-0b0c0d0e0f1",
					     "01020304-0506-0708-090a-0b0c0d0e0f100",
					     "0102030405060708090a0b0c0d0e0f10",
					     "01020304-0506-0708-090a-0b0c0d0e0f-1",
					     " 1020304-0506-0708-090a-0b0c0d0e0f10" };
	const char *const right = "01020304-0506-0708-090a-0b0c0d0e0fA0";
	uint8_t u[UUID_BYTES];
	char text[UUID_TEXT];

	assert_true(uuid_read(right, u));
	assert_int_equal(u[0], 1);
	assert_int_equal(u[15], 0xa0);
	assert_string_equal(uuid_text(u, text), "01020304-0506-0708-090a-0b0c0d0e0fa0");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (uuid_read(wrong[i], u))
			fail_msg("%s", wrong[i]);
}

int main(void)
{
#define on_files(f) cmocka_unit_test_setup_teardown(f, new_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_whose_maker_was_killed_leaves_nothing),
		cmocka_unit_test(a_running_guest_is_left_alone_until_it_ends),
		cmocka_unit_test(an_end_goes_on_where_it_was),
		cmocka_unit_test(a_core_is_written_before_the_domain_goes),
		cmocka_unit_test(each_end_has_its_action),
		cmocka_unit_test(a_uuid_is_read_as_it_is_written),
		cmocka_unit_test(a_guest_that_restarts_all_the_time_is_ended),
		on_files(a_record_is_read_as_it_was_written),
		on_files(a_record_from_before_there_was_on_soft_reset_is_read),
		on_files(what_is_no_record_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
