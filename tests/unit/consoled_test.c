/* SPDX-License-Identifier: Apache-2.0 */
/* What kr-consoled keeps of a guest: its ring, which may be corrupt in every way, the bytes that no terminal has taken, and the log in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consoled/logfile.h"
#include "consoled/ring.h"
#include "consoled/tail.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- rings ----------------------------------------------------------------------------------------------- */

static struct xencons_interface page;
static struct ring ring;

static int new_ring(void **state)
{
	memset(&page, 0, sizeof(page));
	ring_attach(&ring, &page);
	return 0;
}

static void guest_prints(const char *text)
{
	for (; *text; text++)
		page.out[page.out_prod++ & (RING_OUT - 1)] = *text;
}

static void what_a_guest_prints_is_taken_in_order_and_once(void **state)
{
	char got[RING_OUT + 1] = "";
	bool broken;

	guest_prints("hello");
	assert_true(ring_has_output(&ring));
	assert_int_equal(ring_take(&ring, got, 3, &broken), 3);
	assert_int_equal(page.out_cons, 3);
	assert_int_equal(ring_take(&ring, got + 3, sizeof(got), &broken), 2);
	assert_string_equal(got, "hello");
	assert_false(broken);
	assert_false(ring_has_output(&ring));
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), 0);
}

static void output_goes_over_the_ends_of_ring_and_numbers(void **state)
{
	char text[RING_OUT + 1], got[RING_OUT + 1] = "";
	bool broken;

	for (size_t i = 0; i < RING_OUT; i++)
		text[i] = (char)('a' + i % 26);
	text[RING_OUT] = 0;
	page.out_prod = page.out_cons = 0u - 100u;
	ring_attach(&ring, &page);
	guest_prints(text);
	assert_int_equal(page.out_prod, RING_OUT - 100);
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), RING_OUT);
	assert_string_equal(got, text);
}

static void an_impossible_index_gives_nothing_and_is_passed_over(void **state)
{
	char got[RING_OUT];
	bool broken;

	page.out_prod = RING_OUT + 1;
	assert_true(ring_has_output(&ring));
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), 0);
	assert_true(broken);
	assert_int_equal(page.out_cons, RING_OUT + 1);
	guest_prints("again");
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), 5);
	assert_false(broken);
	assert_memory_equal(got, "again", 5);
}

static void a_guest_cannot_move_our_own_indices(void **state)
{
	char got[RING_OUT];
	bool broken;

	guest_prints("one");
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), 3);
	page.out_cons = 77; /* ours */
	page.in_prod = 77;
	guest_prints("two");
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), 3);
	assert_memory_equal(got, "two", 3);
	assert_int_equal(page.out_cons, 6);
	ring_put(&ring, "k", 1);
	assert_int_equal(page.in_prod, 1);
}

static void a_new_daemon_goes_on_where_the_last_one_was(void **state)
{
	char got[RING_OUT];
	bool broken;

	guest_prints("first second");
	assert_int_equal(ring_take(&ring, got, 6, &broken), 6);
	ring_put(&ring, "abc", 3);
	memset(&ring, 0, sizeof(ring)); /* kill -9 */
	ring_attach(&ring, &page);
	assert_int_equal(ring_take(&ring, got, sizeof(got), &broken), 6);
	assert_memory_equal(got, "second", 6);
	assert_int_equal(ring_room(&ring), RING_IN - 3);
}

static void input_is_given_as_far_as_there_is_room(void **state)
{
	char text[RING_IN];

	memset(text, 'x', sizeof(text));
	assert_int_equal(ring_room(&ring), RING_IN);
	ring_put(&ring, text, RING_IN);
	assert_int_equal(ring_room(&ring), 0);
	page.in_cons += 10;
	assert_int_equal(ring_room(&ring), 10);
	ring_put(&ring, "0123456789", 10);
	assert_memory_equal(page.in, "0123456789", 10);
	page.in_cons = page.in_prod + 1; /* it claims to have read what was not written */
	assert_int_equal(ring_room(&ring), 0);
	page.in_cons = page.in_prod - RING_IN - 1;
	assert_int_equal(ring_room(&ring), 0);
}

/* ---- tails ----------------------------------------------------------------------------------------------- */

static void all_of(struct tail *t, char *to)
{
	const char *p;
	size_t n;

	while ((p = tail_peek(t, &n)) != NULL) {
		memcpy(to, p, n);
		to += n;
		tail_taken(t, n);
	}
	*to = 0;
}

static void a_tail_keeps_the_last_bytes(void **state)
{
	struct tail t = { .limit = 5000 };
	char *long_text = malloc(8001), *got = malloc(8001);

	for (int i = 0; i < 8000; i++)
		long_text[i] = (char)('a' + i % 23);
	long_text[8000] = 0;
	for (int i = 0; i < 8000; i += 400)
		tail_add(&t, long_text + i, 400);
	assert_int_equal(t.n, 5000);
	assert_int_equal(t.dropped, 3000);
	all_of(&t, got);
	assert_string_equal(got, long_text + 3000);
	assert_null(t.data);           /* nothing is held for an empty one */
	tail_add(&t, long_text, 8000); /* at once */
	all_of(&t, got);
	assert_string_equal(got, long_text + 3000);
	tail_add(&t, "ab", 2);
	tail_taken(&t, 1);
	tail_add(&t, "cd", 2);
	all_of(&t, got);
	assert_string_equal(got, "bcd");
	tail_free(&t);
	free(got);
	free(long_text);
}

/* ---- logs ------------------------------------------------------------------------------------------------ */

static char folder[] = "/tmp/consoled-test-XXXXXX";
static struct log_policy policy;

static int new_folder(void **state)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	policy = (struct log_policy){ open(folder, O_RDONLY | O_DIRECTORY), 100, 2 };
	return policy.folder < 0;
}

static int remove_folder(void **state)
{
	char command[100];

	close(policy.folder);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of our own */
}

/* Of a file in the folder; "" if there is none. */
static const char *contents(const char *name)
{
	static char text[1000];
	int fd = openat(policy.folder, name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

static void a_log_is_kept_in_pieces(void **state)
{
	char line[61];
	struct logfile l;

	log_init(&l, &policy, "guest-", "a/b");
	assert_string_equal(l.name, "guest-a_b.log");
	for (int i = 0; i < 9; i++) {
		memset(line, '0' + i, 60);
		log_write(&l, line, 60);
	}
	assert_int_equal(l.lost, 0);
	/* Two lines a piece: the first pieces are gone. */
	assert_int_equal(contents("guest-a_b.log")[0], '8');
	assert_int_equal(contents("guest-a_b.log.1")[0], '6');
	assert_int_equal(strlen(contents("guest-a_b.log.1")), 120);
	assert_int_equal(contents("guest-a_b.log.2")[0], '4');
	assert_string_equal(contents("guest-a_b.log.3"), "");
	log_close(&l);
}

static void a_log_is_continued_by_the_next_daemon(void **state)
{
	struct logfile l;

	log_init(&l, &policy, "guest-", "x");
	log_write(&l, "one\n", 4);
	log_close(&l);
	log_init(&l, &policy, "guest-", "x");
	log_write(&l, "two\n", 4);
	assert_string_equal(contents("guest-x.log"), "one\ntwo\n");
	assert_int_equal(l.size, 8);
	/* logrotate */
	renameat(policy.folder, "guest-x.log", policy.folder, "elsewhere");
	log_reopen(&l);
	log_write(&l, "three\n", 6);
	assert_string_equal(contents("guest-x.log"), "three\n");
	log_close(&l);
}

static void a_link_is_not_followed(void **state)
{
	struct logfile l;

	symlinkat("victim", policy.folder, "guest-y.log");
	log_init(&l, &policy, "guest-", "y");
	log_write(&l, "text", 4);
	assert_string_equal(contents("victim"), "");
	assert_string_equal(contents("guest-y.log"), "text");
	log_close(&l);
}

static void what_cannot_be_written_is_counted(void **state)
{
	const struct log_policy none = { -1, 100, 1 };
	struct logfile l;

	log_init(&l, &none, "guest-", "z");
	log_write(&l, "text", 4);
	assert_int_equal(l.lost, 4);
	log_init(&l, &policy, "guest-", "z");
	l.fd = open("/dev/full", O_WRONLY);
	log_write(&l, "text", 4);
	assert_int_equal(l.lost, 4);
	log_close(&l);
}

int main(void)
{
#define on_ring(f)  cmocka_unit_test_setup(f, new_ring)
#define on_files(f) cmocka_unit_test_setup_teardown(f, new_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		on_ring(what_a_guest_prints_is_taken_in_order_and_once),
		on_ring(output_goes_over_the_ends_of_ring_and_numbers),
		on_ring(an_impossible_index_gives_nothing_and_is_passed_over),
		on_ring(a_guest_cannot_move_our_own_indices),
		on_ring(a_new_daemon_goes_on_where_the_last_one_was),
		on_ring(input_is_given_as_far_as_there_is_room),
		cmocka_unit_test(a_tail_keeps_the_last_bytes),
		on_files(a_log_is_kept_in_pieces),
		on_files(a_log_is_continued_by_the_next_daemon),
		on_files(a_link_is_not_followed),
		on_files(what_cannot_be_written_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
