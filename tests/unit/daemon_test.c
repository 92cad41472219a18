/* SPDX-License-Identifier: Apache-2.0 */
/* How the daemons start: what their caller is told, and what becomes of the standard descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/daemon.h"
#include "lib/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own: `start` is the caller's, which goes to the background; what the daemon does then is `serve`. Its exit status. */
static int status_of(void (*start)(void), void (*serve)(int report), int report)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		start();
		daemon_background();
		serve(report);
		_exit(3); /* to nobody */
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void as_usual(void) {}

static void without_standard_files(void)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
}

static void give_up(int report)
{
	_exit(0);
}

/* What the numbers of the standard descriptors are when it is ready, and of the first of its own. */
static void tell(int report)
{
	const int own = open("/", O_RDONLY);
	char line[40] = "";
	struct stat st, null;

	stat("/dev/null", &null);
	daemon_ready();
	for (int fd = 0; fd < 3; fd++)
		strcat(line, fstat(fd, &st) == 0 && st.st_rdev == null.st_rdev ? "null " : "other ");
	strcat(line, own > 2 ? "own" : "taken");
	if (write(report, line, strlen(line) + 1) < 0)
		_exit(1);
	_exit(0);
}

static void told(void (*start)(void))
{
	char line[40] = "";
	int report[2];

	assert_int_equal(pipe(report), 0);
	assert_int_equal(status_of(start, tell, report[1]), 0);
	close(report[1]);
	assert_true(read(report[0], line, sizeof(line)) > 0);
	assert_string_equal(line, "null null null own");
	close(report[0]);
}

static void a_daemon_that_is_ready_has_let_go_of_its_callers_files(void **state)
{
	told(as_usual);
}

static void a_caller_without_standard_files_does_no_harm(void **state)
{
	told(without_standard_files);
}

static void one_that_ends_before_it_is_ready_has_failed(void **state)
{
	assert_int_equal(status_of(as_usual, give_up, -1), 1);
}

/* As one that was killed: its lock goes a while after we ask for it, with its last descriptor. */
static void who_is_ending_is_waited_for(void **state)
{
	char path[] = "/tmp/daemon-lock-XXXXXX", byte;
	int own = mkstemp(path), other = open(path, O_RDWR), held[2];
	pid_t child;

	assert_true(own >= 0 && other >= 0);
	assert_int_equal(pipe(held), 0);
	child = fork();
	if (child == 0) {
		if (!daemon_hold(other) || write(held[1], "", 1) != 1)
			_exit(1);
		usleep(200 * 1000);
		_exit(0);
	}
	close(other);
	assert_int_equal(read(held[0], &byte, 1), 1);
	assert_true(daemon_hold(own));
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(own);
	assert_false(daemon_hold(own));
	assert_int_equal(errno, EBADF);
	unlink(path);
}

static void folders_are_made_with_those_above_them(void **state)
{
	char top[] = "/tmp/daemon-test-XXXXXX", path[60];
	struct stat st;
	mode_t before = umask(022);

	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/a/b/c", top);
	folder_make(path, 0700);
	folder_make(path, 0755); /* stays as it is */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rmdir(path), 0);
		*strrchr(path, '/') = 0;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, i < 2 ? 0755 : 0700);
	}
	assert_int_equal(rmdir(top), 0);
	umask(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_is_ready_has_let_go_of_its_callers_files),
		cmocka_unit_test(a_caller_without_standard_files_does_no_harm),
		cmocka_unit_test(one_that_ends_before_it_is_ready_has_failed),
		cmocka_unit_test(who_is_ending_is_waited_for),
		cmocka_unit_test(folders_are_made_with_those_above_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
