/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions and quotas: who is refused, with what, and what is said about it. */
#include "stored.h"
#include "stored/upgrade.h"

static char last_line[512];

static void keep_line(const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void a_guest_has_its_home_and_what_it_is_given(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);

	is(ask(g, XS_WRITE, "x", "1", NULL), "OK");
	is(ask(g, XS_GET_PERMS, "x", NULL), "n4");
	is(ask(g, XS_READ, "/tool", NULL), "EACCES");
	is(ask(g, XS_READ, "/none", NULL), "EACCES");
	is(ask(g, XS_WRITE, "/none", "1", NULL), "EACCES");
	ask(c, XS_WRITE, "/w", "", NULL);
	ask(c, XS_SET_PERMS, "/w", "n0", "w4", NULL);
	is(ask(g, XS_WRITE, "/w/new", "1", NULL), "OK");
	is(ask(g, XS_READ, "/w", NULL), "EACCES");
	is(ask(c, XS_GET_PERMS, "/w/new", NULL), "n4");
}

static void only_dom0_changes_owners(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);

	ask(g, XS_WRITE, "x", "1", NULL);
	is(ask(g, XS_SET_PERMS, "x", "n4", "r0", NULL), "OK");
	is(ask(g, XS_SET_PERMS, "x", "n5", NULL), "EPERM");
	is(ask(c, XS_SET_PERMS, "/local/domain/4/x", "n5", NULL), "OK");
	is(ask(c, XS_SET_PERMS, "/local/domain/4/x", "n200", NULL), "ENOENT");
	is(ask(g, XS_SET_PERMS, "x", "n4", NULL), "EACCES");
	assert_int_equal(domain_find(5)->nodes, 1);
}

static void a_target_lends_its_rights(void **state)
{
	struct conn *stub = guest(4), *c = dom0(0);

	guest(5);
	is(ask(stub, XS_WRITE, "/local/domain/5/x", "1", NULL), "EACCES");
	is(ask(c, XS_SET_TARGET, "4", "5", NULL), "OK");
	is(ask(stub, XS_WRITE, "/local/domain/5/x", "1", NULL), "OK");
	domain_gone(5);
	guest(5);
	is(ask(stub, XS_WRITE, "/local/domain/5/x", "1", NULL), "EACCES");
}

static void a_refusal_says_which_whose_and_how_full(void **state)
{
	struct conn *g = guest(9);
	char path[32];
	int n;

	store_log = keep_line;
	for (n = 0; n < 2000; n++) {
		snprintf(path, sizeof(path), "d%d/x%d", n / 50, n % 50);
		if (strcmp(ask(g, XS_MKDIR, path, NULL), "OK") != 0)
			break;
	}
	is(ask(g, XS_MKDIR, path, NULL), "ENOSPC");
	assert_int_equal(domain_find(9)->nodes, 1000);
	is(last_line,
	   "quota nodes: domain 9 refused: 1001 wanted, 1000 allowed (2 refusals so far)");
	store_log = NULL;
}

static void watches_and_transactions_are_limited_for_guests_alone(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);
	char token[16];

	for (int i = 0; i < 200; i++) {
		snprintf(token, sizeof(token), "%d", i);
		is(ask(g, XS_WATCH, "x", token, NULL), i < 129 ? "OK" : "E2BIG");
		is(ask(c, XS_WATCH, "/x", token, NULL), "OK");
	}
	for (int i = 0; i < 20; i++) {
		const char *answer = ask(g, XS_TRANSACTION_START, "", NULL);

		assert_true((answer[0] == 'E') == (i >= 11));
	}
	is(ask(g, XS_RESET_WATCHES, "", NULL), "OK");
	assert_int_equal(domain_find(4)->watches + domain_find(4)->transactions, 0);
}

static void a_guest_that_floods_another_is_not_read_from(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);
	unsigned n = 0;

	ask(c, XS_WATCH, "/", "t", NULL);
	events(c);
	while (conn_may_read(g) && n < 1000) {
		ask(g, XS_WRITE, "x", "1", NULL);
		n++;
	}
	assert_int_equal(n, 21);
	assert_true(conn_may_read(c) && conn_may_read(guest(5)));
	conn_let_on = false;
	next_message(c, NULL);
	assert_true(conn_let_on && conn_may_read(g));
	ask(g, XS_WRITE, "x", "1", NULL);
	assert_false(conn_may_read(g));
	conn_forgive(c);
	assert_true(conn_may_read(g));
}

/* Whoever causes them: dom0 is not held up for anybody, and answers to this when its back ends follow a guest's wishes. */
static void events_that_a_guest_does_not_take_are_its_memory(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);
	struct domain *d = domain_find(4);
	char token[3000];

	memset(token, 't', sizeof(token) - 1);
	token[sizeof(token) - 1] = 0;
	for (char i = 'a'; i < 'a' + 20; i++) {
		token[0] = i;
		is(ask(g, XS_WATCH, "x", token, NULL), "OK");
	}
	events(g);
	for (int i = 0; i < 100; i++)
		is(ask(c, XS_WRITE, "/local/domain/4/x", "1", NULL), "OK");
	assert_in_range(d->memory + conn_queued(g), 2000000, quota_limit[QUOTA_MEMORY]);
	assert_int_not_equal(d->refusals, 0);
	while (conn_queued(g))
		next_message(g, NULL);
	is(ask(c, XS_WRITE, "/local/domain/4/x", "1", NULL), "OK");
	assert_int_equal(conn_queued(g),
			 20 * (sizeof(struct xsd_sockmsg) + sizeof("x") + sizeof(token)));
}

static void a_message_that_is_too_long_ends_the_connection(void **state)
{
	struct conn *g = guest(4);
	struct xsd_sockmsg m = { XS_READ, 0, 0, XENSTORE_PAYLOAD_MAX + 1 };

	ask(g, XS_WATCH, "x", "t", NULL);
	conn_input(g, &m, sizeof(m));
	assert_true(g->dead);
	assert_int_equal(g->error, XENSTORE_ERROR_PROTO);
	assert_null(g->watches);
}

static void a_message_may_come_byte_by_byte(void **state)
{
	struct conn *c = dom0(0);
	struct xsd_sockmsg m = { XS_READ, 1, 0, 6 };
	char bytes[sizeof(m) + 6];

	memcpy(bytes, &m, sizeof(m));
	memcpy(bytes + sizeof(m), "/tool", 6);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			conn_input(c, bytes + i, 1);
		assert_int_equal(conn_queued(c), sizeof(m) * (round + 1));
	}
}

/* Save, begin anew, load: as a new program would. */
static void reborn(void)
{
	size_t len, len2;
	void *saved = upgrade_save(&len), *again;

	while (conn_next_dirty())
		continue;
	store_fini();
	store_init(99, &test_host);
	assert_true(upgrade_load(saved, len));
	store_check();
	again = upgrade_save(&len2);
	assert_int_equal(len, len2);
	free(again);
	/* Any truncation is noticed, and any damage. */
	for (size_t n = 0; n < len; n++) {
		uint8_t *damaged = (uint8_t *)saved + n;

		store_fini();
		store_init(98, &test_host);
		assert_false(upgrade_load(saved, n));
		*damaged ^= 1u << n % 8;
		assert_false(upgrade_load(saved, len));
		*damaged ^= 1u << n % 8;
	}
	store_fini();
	store_init(97, &test_host);
	assert_true(upgrade_load(saved, len));
	free(saved);
}

static void a_new_program_goes_on_with_everything(void **state)
{
	struct conn *c = dom0(0), *g = guest(4);
	uint32_t tx;

	ask(c, XS_WRITE, "/a/b", "1", NULL);
	ask(c, XS_SET_PERMS, "/a", "n0", "r4", NULL);
	ask(c, XS_WATCH, "/a", "t", NULL);
	ask(g, XS_WATCH, "x", "rel", "2", NULL);
	events(c);
	events(g);
	tx = (uint32_t)strtoul(ask(g, XS_TRANSACTION_START, "", NULL), NULL, 10);
	test_tx = tx;
	ask(g, XS_WRITE, "x/y", "in", NULL);
	is(ask(g, XS_READ, "/a", NULL), "");
	test_tx = 0;
	ask(c, XS_WRITE, "/other", "1", NULL);
	conn_input(c, "\2\0\0\0\5\0", 6); /* part of a message */
	reborn();
	c = dom0(0);
	g = guest(4);
	assert_int_equal(c->in_len, 6);
	conn_input(c, "\0\0\0\0\0\0\5\0\0\0/a/b\0", 15);
	is(next_message(c, NULL), "1");
	is(ask(g, XS_READ, "x/y", NULL), "ENOENT");
	test_tx = tx;
	is(ask(g, XS_READ, "x/y", NULL), "in");
	is(ask(g, XS_TRANSACTION_END, "T", NULL), "OK");
	test_tx = 0;
	is(ask(g, XS_READ, "x/y", NULL), "in");
	ask(dom0(1), XS_WRITE, "/a/c", "1", NULL);
	is(events(c), "/a/c|t ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_guest_has_its_home_and_what_it_is_given),
		UNIT_TEST(only_dom0_changes_owners),
		UNIT_TEST(a_target_lends_its_rights),
		UNIT_TEST(a_refusal_says_which_whose_and_how_full),
		UNIT_TEST(watches_and_transactions_are_limited_for_guests_alone),
		UNIT_TEST(a_guest_that_floods_another_is_not_read_from),
		UNIT_TEST(events_that_a_guest_does_not_take_are_its_memory),
		UNIT_TEST(a_message_that_is_too_long_ends_the_connection),
		UNIT_TEST(a_message_may_come_byte_by_byte),
		UNIT_TEST(a_new_program_goes_on_with_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
