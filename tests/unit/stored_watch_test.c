/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: who is told of what, how deep, and who may not know. */
#include "stored.h"

static void a_watch_hears_what_happens_at_and_below_it(void **state)
{
	struct conn *c = dom0(0), *w = dom0(1);

	ask(w, XS_WATCH, "/a", "t", NULL);
	is(events(w), "/a|t ");
	ask(c, XS_WRITE, "/a/b/c", "1", NULL);
	ask(c, XS_WRITE, "/ab", "1", NULL);
	ask(c, XS_SET_PERMS, "/a", "n0", "r1", NULL);
	is(events(w), "/a/b/c|t /a|t ");
}

static void depth_limits_what_is_heard(void **state)
{
	struct conn *c = dom0(0), *w = dom0(1);

	ask(w, XS_WATCH, "/a", "0", "0", NULL);
	ask(w, XS_WATCH, "/a", "1", "1", NULL);
	events(w);
	ask(c, XS_WRITE, "/a/b/c", "1", NULL);
	is(events(w), "");
	ask(c, XS_WRITE, "/a/b", "1", NULL);
	is(events(w), "/a/b|1 ");
	ask(c, XS_WRITE, "/a", "1", NULL);
	is(events(w), "/a|0 /a|1 ");
	is(ask(w, XS_WATCH, "/a", "x", "-1", NULL), "EINVAL");
}

static void removal_tells_those_below_of_their_own_path(void **state)
{
	struct conn *c = dom0(0), *w = dom0(1);

	ask(c, XS_WRITE, "/a/b/c", "1", NULL);
	ask(w, XS_WATCH, "/a/b/c", "deep", NULL);
	ask(w, XS_WATCH, "/a/b/none", "none", NULL);
	ask(w, XS_WATCH, "/", "top", NULL);
	events(w);
	ask(c, XS_RM, "/a", NULL);
	is(events(w), "/a/b/c|deep /a|top ");
}

static void relative_watches_get_relative_paths(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);

	ask(g, XS_WATCH, "device", "t", NULL);
	is(events(g), "device|t ");
	ask(c, XS_WRITE, "/local/domain/4/device/vif", "1", NULL);
	is(events(g), "device/vif|t ");
}

static void who_may_not_read_does_not_hear(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);

	ask(g, XS_WATCH, "/secret", "t", NULL);
	events(g);
	ask(c, XS_WRITE, "/secret/a", "1", NULL);
	is(events(g), "");
	ask(c, XS_SET_PERMS, "/secret/a", "n0", "r4", NULL);
	is(events(g), "/secret/a|t ");
	/* The right is taken back: that much is still told. */
	ask(c, XS_SET_PERMS, "/secret/a", "n0", NULL);
	is(events(g), "/secret/a|t ");
	ask(c, XS_RM, "/secret/a", NULL);
	is(events(g), "");
}

static void special_watches_are_dom0s_unless_it_lets_others(void **state)
{
	struct conn *g = guest(4), *c = dom0(0);

	ask(g, XS_WATCH, "@releaseDomain", "g", NULL);
	ask(c, XS_WATCH, "@releaseDomain", "c", NULL);
	ask(c, XS_WATCH, "@releaseDomain", "one", "1", NULL);
	ask(c, XS_WATCH, "@releaseDomain/7", "seven", NULL);
	events(g);
	events(c);
	guest(6);
	guest(7);
	domain_gone(6);
	is(events(g), "");
	is(events(c), "@releaseDomain|c @releaseDomain/6|one ");
	ask(c, XS_SET_PERMS, "@releaseDomain", "n0", "r4", NULL);
	domain_gone(7);
	is(events(g), "@releaseDomain|g ");
	is(events(c), "@releaseDomain|c @releaseDomain/7|one @releaseDomain/7|seven ");
}

static void unwatched_paths_leave_nothing(void **state)
{
	struct conn *w = dom0(1);
	char path[64];

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/a/b%d/c", i);
		is(ask(w, XS_WATCH, path, "t", NULL), "OK");
		is(ask(w, XS_WATCH, path, "t", NULL), "EEXIST");
	}
	watch_check();
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/a/b%d/c", i);
		is(ask(w, XS_UNWATCH, path, "t", NULL), "OK");
		is(ask(w, XS_UNWATCH, path, "t", NULL), "ENOENT");
	}
	watch_check();
	assert_int_equal(domain_find(0)->watches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_watch_hears_what_happens_at_and_below_it),
		UNIT_TEST(depth_limits_what_is_heard),
		UNIT_TEST(removal_tells_those_below_of_their_own_path),
		UNIT_TEST(relative_watches_get_relative_paths),
		UNIT_TEST(who_may_not_read_does_not_hear),
		UNIT_TEST(special_watches_are_dom0s_unless_it_lets_others),
		UNIT_TEST(unwatched_paths_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
