/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal and a guest's console: what is typed and printed arrives, and Ctrl-] is heard whatever the guest does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/relay.h"
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MANY (4 * RELAY_TYPED) /* more than all that can wait anywhere */

/* The far ends: what the guest reads and writes, what is typed, what is shown. */
struct test {
	int guest, typed, shown;
	int near[3]; /* relay's guest, in, out */
	pthread_t thread;
};

static void raw_terminal(int *far, int *near)
{
	struct termios t;

	assert_int_equal(openpty(far, near, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(*near, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(*near, TCSANOW, &t), 0);
}

static void *run(void *arg)
{
	const struct test *t = arg;

	relay(t->near[0], t->near[1], t->near[2]);
	return NULL;
}

static void begin(struct test *t, bool by_terminal)
{
	int in[2], out[2];

	raw_terminal(&t->guest, &t->near[0]);
	assert_int_equal(pipe(out), 0);
	t->shown = out[0];
	t->near[2] = out[1];
	if (by_terminal) {
		raw_terminal(&t->typed, &t->near[1]);
	} else {
		assert_int_equal(pipe(in), 0);
		t->near[1] = in[0];
		t->typed = in[1];
	}
	assert_int_equal(pthread_create(&t->thread, NULL, run, t), 0);
}

/* It has ended by itself. */
static void end(struct test *t)
{
	const int far[] = { t->guest, t->typed, t->shown };

	assert_int_equal(pthread_join(t->thread, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		close(t->near[i]);
		if (far[i] >= 0)
			close(far[i]);
	}
}

static void write_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void expect_text(int fd, const char *text)
{
	char got[64];
	size_t n = 0;

	assert_true(strlen(text) < sizeof(got));
	while (n < strlen(text)) {
		ssize_t more = read(fd, got + n, strlen(text) - n);

		assert_true(more > 0);
		n += (size_t)more;
	}
	assert_memory_equal(got, text, n);
}

static void both_directions_until_ctrl_bracket(void **state)
{
	struct test t;

	begin(&t, true);
	write_text(t.typed, "ls\r");
	expect_text(t.guest, "ls\r");
	write_text(t.guest, "bin\r\n");
	expect_text(t.shown, "bin\r\n");
	write_text(t.typed, "last\x1dlost");
	expect_text(t.guest, "last");
	end(&t);
}

static void a_guest_that_takes_nothing_can_be_left(void **state)
{
	struct test t;
	char keys[1024];

	begin(&t, true);
	memset(keys, 'k', sizeof(keys));
	/* The terminal takes all of it, so it is read on and on; what there is no room for is told by a bell. */
	for (unsigned i = 0; i < MANY / sizeof(keys); i++)
		for (size_t n = 0; n < sizeof(keys);) {
			ssize_t done = write(t.typed, keys + n, sizeof(keys) - n);

			assert_true(done > 0);
			n += (size_t)done;
		}
	expect_text(t.shown, "\a");
	/* What it says is shown all the same. */
	write_text(t.guest, "!");
	for (char c = 0; c != '!';)
		assert_int_equal(read(t.shown, &c, 1), 1);
	write_text(t.typed, "\x1d");
	end(&t);
}

static void *feed(void *arg)
{
	struct test *t = arg;
	uint8_t bytes[256];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i == RELAY_LEAVE ? 0 : i);
	for (unsigned i = 0; i < MANY / sizeof(bytes); i++)
		if (write(t->typed, bytes, sizeof(bytes)) != sizeof(bytes))
			break;
	close(t->typed);
	t->typed = -1;
	return NULL;
}

static void a_scripts_input_arrives_whole_before_its_end_counts(void **state)
{
	struct test t;
	pthread_t writer;
	uint8_t got[4096];

	begin(&t, false);
	assert_int_equal(pthread_create(&writer, NULL, feed, &t), 0);
	for (size_t n = 0; n < MANY;) {
		ssize_t more = read(t.guest, got, sizeof(got));

		assert_true(more > 0);
		for (ssize_t i = 0; i < more; i++, n++)
			assert_int_equal(got[i], (uint8_t)n == RELAY_LEAVE ? 0 : (uint8_t)n);
	}
	pthread_join(writer, NULL);
	end(&t);
}

static void a_script_hears_what_was_said_before_its_input_ended(void **state)
{
	struct test t = { .typed = -1 };
	int in[2], out[2];
	char got[12000];

	raw_terminal(&t.guest, &t.near[0]);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	close(in[1]);
	t.near[1] = in[0];
	t.near[2] = out[1];
	t.shown = out[0];
	memset(got, 'x', sizeof(got));
	assert_int_equal(write(t.guest, got, 3000), 3000);
	assert_int_equal(pthread_create(&t.thread, NULL, run, &t), 0);
	assert_int_equal(pthread_join(t.thread, NULL), 0);
	assert_int_equal(read(t.shown, got, sizeof(got)), 3000);
	assert_int_equal(pthread_create(&t.thread, NULL, run, &t), 0); /* with nothing there */
	end(&t);
}

static void it_ends_with_the_guests_console(void **state)
{
	struct test t;

	begin(&t, true);
	write_text(t.guest, "bye");
	expect_text(t.shown, "bye");
	close(t.guest);
	t.guest = -1;
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_until_ctrl_bracket),
		cmocka_unit_test(a_guest_that_takes_nothing_can_be_left),
		cmocka_unit_test(a_scripts_input_arrives_whole_before_its_end_counts),
		cmocka_unit_test(a_script_hears_what_was_said_before_its_input_ended),
		cmocka_unit_test(it_ends_with_the_guests_console),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
