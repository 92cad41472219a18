/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store client against kr-stored's own store in the same process: what is sent goes into a connection, what the
 * store has queued for it comes back, as many bytes at a time as the test wants.
 */
#include "stored.h"

#include "lib/store/client.h"
#include <stdio.h>

struct inproc {
	struct store_client base;
	struct conn *conn;
	size_t at_once; /* bytes of a receive; 0: as many as there are */
	bool gone;      /* the daemon */
};

static int inproc_send(struct store_client *c, const void *bytes, size_t n)
{
	struct inproc *i = (struct inproc *)c;

	if (i->gone)
		return -EPIPE;
	conn_input(i->conn, bytes, n);
	while (conn_next_dirty())
		continue;
	return 0;
}

/* Nothing else runs: what is not there now never comes. */
static ssize_t inproc_receive(struct store_client *c, void *bytes, size_t n, bool wait)
{
	struct inproc *i = (struct inproc *)c;
	size_t there = i->gone ? 0 : conn_queued(i->conn);

	if (i->at_once && n > i->at_once)
		n = i->at_once;
	if (n > there)
		n = there;
	if (n == 0)
		return wait ? -EPIPE : 0;
	memcpy(bytes, i->conn->out + i->conn->out_at, n);
	conn_sent(i->conn, (uint32_t)n);
	return (ssize_t)n;
}

static int inproc_fd(struct store_client *c)
{
	return -1;
}

static void inproc_close(struct store_client *c) {}

static const struct client_ops inproc_ops = { inproc_send, inproc_receive, inproc_fd, inproc_close };

static struct inproc one, two;

static struct store_client *open_as(struct inproc *i, struct conn *conn)
{
	client_init(&i->base, &inproc_ops);
	i->conn = conn;
	i->at_once = 0;
	i->gone = false;
	return &i->base;
}

static int up(void **state)
{
	store_up(state);
	open_as(&one, dom0(1));
	open_as(&two, dom0(2));
	return 0;
}

static int down(void **state)
{
	client_close(&one.base);
	client_close(&two.base);
	return store_down(state);
}

#define A (&one.base)
#define B (&two.base)

/* ---- the rules ------------------------------------------------------------------------------------------ */

static void what_is_written_is_read(void **state)
{
	char value[8];

	assert_int_equal(client_write(A, 0, "/a/b", "text", 4), 0);
	assert_int_equal(client_read(B, 0, "/a/b", value, sizeof(value)), 4);
	assert_string_equal(value, "text");
	assert_int_equal(client_write(A, 0, "/a/b", "", 0), 0);
	assert_int_equal(client_read(A, 0, "/a/b", value, sizeof(value)), 0);
	assert_string_equal(value, "");
	assert_int_equal(client_remove(A, 0, "/a"), 0);
	assert_int_equal(client_read(A, 0, "/a/b", value, sizeof(value)), -ENOENT);
}

static void a_value_that_does_not_fit_is_refused(void **state)
{
	char value[4];

	assert_int_equal(client_write(A, 0, "/a", "four", 4), 0);
	assert_int_equal(client_read(A, 0, "/a", value, sizeof(value)), -E2BIG);
	assert_int_equal(client_write(A, 0, "/a", "thr", 3), 0);
	assert_int_equal(client_read(A, 0, "/a", value, sizeof(value)), 3);
}

static void a_request_that_is_too_long_is_not_sent(void **state)
{
	static char much[XENSTORE_PAYLOAD_MAX];

	assert_int_equal(client_write(A, 0, "/a", much, sizeof(much)), -E2BIG);
	assert_int_equal(conn_queued(one.conn), 0);
	assert_int_equal(client_make(A, 0, "/a"), 0);
}

static void answers_may_come_byte_by_byte(void **state)
{
	char value[8];

	one.at_once = 1;
	assert_int_equal(client_write(A, 0, "/a", "text", 4), 0);
	assert_int_equal(client_read(A, 0, "/a", value, sizeof(value)), 4);
	assert_string_equal(value, "text");
}

static void names_are_listed(void **state)
{
	struct client_names names;
	const char *name;

	assert_int_equal(client_list(A, 0, "/none", &names), -ENOENT);
	client_names_free(&names);
	assert_int_equal(client_make(A, 0, "/d"), 0);
	assert_int_equal(client_list(A, 0, "/d", &names), 0);
	assert_int_equal(names.n, 0);
	assert_null(client_next_name(&names, NULL));
	client_names_free(&names);
	assert_int_equal(client_make(A, 0, "/d/x"), 0);
	assert_int_equal(client_make(A, 0, "/d/yy"), 0);
	assert_int_equal(client_list(A, 0, "/d", &names), 0);
	assert_int_equal(names.n, 2);
	name = client_next_name(&names, NULL);
	assert_string_equal(name, "x");
	name = client_next_name(&names, name);
	assert_string_equal(name, "yy");
	assert_null(client_next_name(&names, name));
	client_names_free(&names);
}

/* One answer holds 4,096 bytes of names. */
static void a_list_may_be_longer_than_an_answer(void **state)
{
	struct client_names names;
	const char *name = NULL;
	char path[40];
	unsigned n = 0;

	for (unsigned i = 0; i < 900; i++) {
		snprintf(path, sizeof(path), "/d/name-number-%04u", i);
		assert_int_equal(client_make(A, 0, path), 0);
	}
	assert_int_equal(client_list(A, 0, "/d", &names), 0);
	assert_int_equal(names.n, 900);
	while ((name = client_next_name(&names, name)) != NULL) {
		snprintf(path, sizeof(path), "name-number-%04u", n++);
		assert_string_equal(name, path);
	}
	assert_int_equal(n, 900);
	client_names_free(&names);
}

static void permissions_are_set_and_read(void **state)
{
	const struct client_permission set[] = { { 0, 'n' }, { 5, 'b' }, { 6, 'r' } };
	struct client_permission got[2];

	assert_int_equal(client_make(A, 0, "/p"), 0);
	assert_int_equal(client_permit(A, 0, "/p", set, 3), 0);
	assert_int_equal(client_permissions(A, 0, "/p", got, 2), 3);
	assert_int_equal(got[0].domid, 0);
	assert_int_equal(got[0].access, 'n');
	assert_int_equal(got[1].domid, 5);
	assert_int_equal(got[1].access, 'b');
}

static void a_guest_is_refused_what_it_may_not(void **state)
{
	struct inproc guest5;
	struct store_client *g = open_as(&guest5, guest(5));
	char value[8];

	assert_int_equal(client_write(A, 0, "/secret", "x", 1), 0);
	assert_int_equal(client_read(g, 0, "/secret", value, sizeof(value)), -EACCES);
	assert_int_equal(client_write(g, 0, "own", "x", 1), 0);
	assert_int_equal(client_read(A, 0, "/local/domain/5/own", value, sizeof(value)), 1);
	assert_int_equal(client_introduce(g, 7, 1, 1), -EACCES);
	client_close(g);
}

static void a_transaction_is_seen_when_it_ends(void **state)
{
	char value[8];
	client_txn t;

	assert_int_equal(client_begin(A, &t), 0);
	assert_int_equal(client_write(A, t, "/a", "new", 3), 0);
	assert_int_equal(client_read(B, 0, "/a", value, sizeof(value)), -ENOENT);
	assert_int_equal(client_end(A, t, true), 0);
	assert_int_equal(client_read(B, 0, "/a", value, sizeof(value)), 3);
	assert_int_equal(client_end(A, t, true), -ENOENT);

	assert_int_equal(client_begin(A, &t), 0);
	assert_int_equal(client_write(A, t, "/a", "dropped", 7), 0);
	assert_int_equal(client_end(A, t, false), 0);
	assert_int_equal(client_read(B, 0, "/a", value, sizeof(value)), 3);
}

static void a_disturbed_transaction_says_so(void **state)
{
	char value[8];
	client_txn t;

	assert_int_equal(client_write(A, 0, "/a", "1", 1), 0);
	assert_int_equal(client_begin(A, &t), 0);
	assert_int_equal(client_read(A, t, "/a", value, sizeof(value)), 1);
	assert_int_equal(client_write(A, t, "/b", value, 1), 0);
	assert_int_equal(client_write(B, 0, "/a", "2", 1), 0);
	assert_int_equal(client_end(A, t, true), -EAGAIN);
	assert_int_equal(client_read(A, 0, "/b", value, sizeof(value)), -ENOENT);
}

static void what_is_gathered_is_sent_together(void **state)
{
	const struct client_permission everybody[] = { { 0, 'b' } };
	struct client_event e;
	char value[8], path[200];

	client_gather(A);
	assert_int_equal(client_write(A, 0, "/a", "1", 1), 0);
	assert_int_equal(client_read(B, 0, "/a", value, sizeof(value)), -ENOENT); /* not yet */
	assert_int_equal(client_permit(A, 0, "/a", everybody, 1), 0);
	assert_int_equal(client_flush(A), 0);
	assert_int_equal(client_read(B, 0, "/a", value, sizeof(value)), 1);

	/* What else is asked comes behind it; the first error stays. */
	client_gather(A);
	assert_int_equal(client_write(A, 0, "/a", "2", 1), 0);
	assert_int_equal(client_read(A, 0, "/a", value, sizeof(value)), 1);
	assert_string_equal(value, "2");
	assert_int_equal(client_permit(A, 0, "/none", everybody, 1), 0);
	assert_int_equal(client_write(A, 0, "/a", "3", 1), 0);
	assert_int_equal(client_flush(A), -ENOENT);
	assert_int_equal(client_read(A, 0, "/a", value, sizeof(value)), 1);
	assert_string_equal(value, "3");

	/* More than one message holds, with events between the answers. */
	assert_int_equal(client_watch(A, "/many", "t"), 0);
	assert_int_equal(client_event(A, &e, true), 1);
	client_gather(A);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/many/%0100d", i);
		assert_int_equal(client_write(A, 0, path, "x", 1), 0);
	}
	assert_int_equal(client_flush(A), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(client_event(A, &e, false), 1);
	assert_int_equal(client_read(B, 0, path, value, sizeof(value)), 1);

	one.gone = true;
	client_gather(A);
	assert_int_equal(client_write(A, 0, "/a", "4", 1), 0);
	assert_int_equal(client_flush(A), -EPIPE);
}

static void a_watch_tells_of_changes_in_order(void **state)
{
	struct client_event e;

	assert_int_equal(client_watch(A, "/w", "token"), 0);
	assert_int_equal(client_watch(A, "/w", "token"), -EEXIST);
	assert_int_equal(client_event(A, &e, true), 1);
	assert_string_equal(e.path, "/w");
	assert_string_equal(e.token, "token");
	assert_int_equal(client_event(A, &e, false), 0);

	/* They come before the answers to requests that are made meanwhile, and are not lost. */
	assert_int_equal(client_write(B, 0, "/w/1", "", 0), 0);
	assert_int_equal(client_write(A, 0, "/w/2", "", 0), 0);
	assert_int_equal(client_write(B, 0, "/w/3", "", 0), 0);
	assert_int_equal(client_event(A, &e, false), 1);
	assert_string_equal(e.path, "/w/1");
	assert_int_equal(client_event(A, &e, false), 1);
	assert_string_equal(e.path, "/w/2");
	assert_int_equal(client_event(A, &e, false), 1);
	assert_string_equal(e.path, "/w/3");

	assert_int_equal(client_unwatch(A, "/w", "token"), 0);
	assert_int_equal(client_write(B, 0, "/w/1", "", 0), 0);
	assert_int_equal(client_event(A, &e, false), 0);
	assert_int_equal(client_unwatch(A, "/w", "token"), -ENOENT);
}

static void a_watch_may_have_a_depth(void **state)
{
	struct client_event e;

	assert_int_equal(client_watch_depth(A, "/w", "t", 1), 0);
	assert_int_equal(client_event(A, &e, false), 1);
	assert_int_equal(client_write(B, 0, "/w/near/far", "", 0), 0);
	assert_int_equal(client_event(A, &e, false), 0);
	assert_int_equal(client_write(B, 0, "/w/near", "", 0), 0);
	assert_int_equal(client_event(A, &e, false), 1);
	assert_string_equal(e.path, "/w/near");
}

static void kept_events_go_with_the_client(void **state)
{
	assert_int_equal(client_watch(A, "/w", "t"), 0);
	assert_int_equal(client_write(B, 0, "/w", "", 0), 0);
	assert_int_equal(client_make(A, 0, "/x"), 0);
	/* teardown closes it; the address sanitizer looks for what is lost */
}

static void domains_are_introduced_and_released(void **state)
{
	struct client_event e;

	assert_int_equal(client_watch(B, "@introduceDomain", "i"), 0);
	assert_int_equal(client_watch(B, "@releaseDomain", "r"), 0);
	assert_int_equal(client_event(B, &e, false), 1);
	assert_int_equal(client_event(B, &e, false), 1);
	assert_int_equal(client_introduce(A, 9, 77, 3), 0);
	assert_int_equal(client_event(B, &e, false), 1);
	assert_string_equal(e.token, "i");
	assert_int_equal(client_introduce(A, 200, 77, 3), -EINVAL);
	assert_int_equal(client_release(A, 9), 0);
	assert_int_equal(client_event(B, &e, false), 1);
	assert_string_equal(e.token, "r");
}

static void a_daemon_that_is_gone_is_told_apart(void **state)
{
	struct client_event e;
	char value[8];

	one.gone = true;
	assert_int_equal(client_read(A, 0, "/a", value, sizeof(value)), -EPIPE);
	assert_int_equal(client_event(A, &e, true), -EPIPE);
}

/* ---- what no honest daemon says ---------------------------------------------------------------------------- */

static uint8_t lie[64];
static size_t lie_len, lie_at;

static int liar_send(struct store_client *c, const void *bytes, size_t n)
{
	return 0;
}

static ssize_t liar_receive(struct store_client *c, void *bytes, size_t n, bool wait)
{
	if (n > lie_len - lie_at)
		n = lie_len - lie_at;
	if (!n)
		return wait ? -EPIPE : 0;
	memcpy(bytes, lie + lie_at, n);
	lie_at += n;
	return (ssize_t)n;
}

static int lied(uint32_t type, uint32_t request, uint32_t len, const char *text, size_t n)
{
	static const struct client_ops liar = { liar_send, liar_receive, inproc_fd, inproc_close };
	const struct xsd_sockmsg head = { type, request, 0, len };
	struct store_client c;
	char value[8];
	int err;

	client_init(&c, &liar);
	memcpy(lie, &head, sizeof(head));
	memcpy(lie + sizeof(head), text, n);
	lie_len = sizeof(head) + n;
	lie_at = 0;
	err = client_read(&c, 0, "/a", value, sizeof(value));
	client_close(&c);
	return err;
}

static void answers_that_cannot_be_are_refused(void **state)
{
	assert_int_equal(lied(XS_READ, 1, 2, "ab", 2), 2);
	assert_int_equal(lied(XS_READ, 2, 2, "ab", 2), -EPROTO);        /* to another request */
	assert_int_equal(lied(XS_WRITE, 1, 2, "ab", 2), -EPROTO);       /* of another kind */
	assert_int_equal(lied(XS_READ, 1, 4097, "", 0), -EPROTO);       /* longer than any */
	assert_int_equal(lied(XS_READ, 1, UINT32_MAX, "", 0), -EPROTO); /* so that sums wrap */
	assert_int_equal(lied(XS_READ, 1, 4, "ab", 2), -EPIPE);         /* and then it ends */
	assert_int_equal(lied(XS_ERROR, 1, 5, "EFOO", 5), -EPROTO);     /* no such error */
	assert_int_equal(lied(XS_ERROR, 1, 7, "EACCES", 7), -EACCES);
	assert_int_equal(lied(XS_WATCH_EVENT, 0, 3, "ab", 3), -EPROTO); /* no token */
	assert_int_equal(lied(XS_WATCH_EVENT, 0, 0, "", 0), -EPROTO);
}

#define RULE(fn) cmocka_unit_test_setup_teardown(fn, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(what_is_written_is_read),
		RULE(a_value_that_does_not_fit_is_refused),
		RULE(a_request_that_is_too_long_is_not_sent),
		RULE(answers_may_come_byte_by_byte),
		RULE(names_are_listed),
		RULE(a_list_may_be_longer_than_an_answer),
		RULE(permissions_are_set_and_read),
		RULE(a_guest_is_refused_what_it_may_not),
		RULE(a_transaction_is_seen_when_it_ends),
		RULE(a_disturbed_transaction_says_so),
		RULE(what_is_gathered_is_sent_together),
		RULE(a_watch_tells_of_changes_in_order),
		RULE(a_watch_may_have_a_depth),
		RULE(kept_events_go_with_the_client),
		RULE(domains_are_introduced_and_released),
		RULE(a_daemon_that_is_gone_is_told_apart),
		cmocka_unit_test(answers_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
