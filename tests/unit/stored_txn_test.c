/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: what they see, and when they conflict. */
#include "stored.h"

static uint32_t begin(struct conn *c)
{
	test_tx = 0;
	return (uint32_t)strtoul(ask(c, XS_TRANSACTION_START, "", NULL), NULL, 10);
}

static const char *in(uint32_t tx, const char *answer)
{
	return answer;
}

#define IN(tx, call)  (test_tx = (tx), in(tx, call))
#define OUTSIDE(call) IN(0, call)

static const char *commit(struct conn *c, uint32_t tx)
{
	const char *answer = IN(tx, ask(c, XS_TRANSACTION_END, "T", NULL));

	test_tx = 0;
	return answer;
}

static void it_sees_the_store_as_it_was_and_its_own_changes(void **state)
{
	struct conn *a = dom0(0), *b = dom0(1);
	uint32_t tx;

	ask(a, XS_WRITE, "/x", "1", NULL);
	tx = begin(a);
	OUTSIDE(ask(b, XS_WRITE, "/x", "2", NULL));
	is(IN(tx, ask(a, XS_READ, "/x", NULL)), "1");
	IN(tx, ask(a, XS_WRITE, "/y", "3", NULL));
	is(IN(tx, ask(a, XS_READ, "/y", NULL)), "3");
	is(OUTSIDE(ask(b, XS_READ, "/y", NULL)), "ENOENT");
	is(commit(a, tx), "EAGAIN");
	is(ask(b, XS_READ, "/y", NULL), "ENOENT");
}

static void with_one_change_it_keeps_no_tree(void **state)
{
	struct conn *a = dom0(0);
	uint32_t tx = begin(a);
	struct txn *t = txn_find(a, tx);

	IN(tx, ask(a, XS_READ, "/tool", NULL));
	IN(tx, ask(a, XS_WRITE, "/x", "1", NULL));
	assert_ptr_equal(t->root, t->base);
	assert_int_equal(t->nr_shares, 0);
	is(IN(tx, ask(a, XS_READ, "/x", NULL)), "1");
	assert_ptr_not_equal(t->root, t->base);
	IN(tx, ask(a, XS_WRITE, "/y", "2", NULL));
	is(IN(tx, ask(a, XS_READ, "/x", NULL)), "1");
	is(commit(a, tx), "OK");
	is(ask(a, XS_READ, "/x", NULL), "1");
	is(ask(a, XS_READ, "/y", NULL), "2");
	tx = begin(a);
	IN(tx, ask(a, XS_RM, "/x", NULL));
	is(commit(a, tx), "OK");
	is(ask(a, XS_READ, "/x", NULL), "ENOENT");
}

static void a_change_that_is_not_allowed_any_more_fails_it(void **state)
{
	struct conn *g = guest(1), *a = dom0(0);
	uint64_t before = quota_limit[QUOTA_NODES];
	uint32_t tx = begin(g);

	is(IN(tx, ask(g, XS_WRITE, "x", "1", NULL)), "OK");
	quota_limit[QUOTA_NODES] = domain_find(1)->nodes; /* and no more */
	is(IN(tx, ask(g, XS_READ, "x", NULL)), "ENOENT");
	quota_limit[QUOTA_NODES] = before;
	is(commit(g, tx), "EAGAIN");
	is(ask(a, XS_READ, "/local/domain/1/x", NULL), "ENOENT");
}

static void writers_of_different_children_do_not_conflict(void **state)
{
	struct conn *a = dom0(0), *b = dom0(1);
	uint32_t tx, ty;

	ask(a, XS_MKDIR, "/dir", NULL);
	tx = begin(a);
	ty = begin(b);
	IN(tx, ask(a, XS_WRITE, "/dir/a", "1", NULL));
	IN(ty, ask(b, XS_WRITE, "/dir/b", "2", NULL));
	is(commit(a, tx), "OK");
	is(commit(b, ty), "OK");
	is(ask(a, XS_READ, "/dir/a", NULL), "1");
	is(ask(a, XS_READ, "/dir/b", NULL), "2");
}

static void whoever_listed_a_directory_conflicts_with_a_new_child(void **state)
{
	struct conn *a = dom0(0), *b = dom0(1);
	uint32_t tx;

	ask(a, XS_MKDIR, "/dir", NULL);
	tx = begin(a);
	IN(tx, ask(a, XS_DIRECTORY, "/dir", NULL));
	IN(tx, ask(a, XS_WRITE, "/other", "1", NULL));
	OUTSIDE(ask(b, XS_MKDIR, "/dir/new", NULL));
	is(commit(a, tx), "EAGAIN");
}

static void a_value_that_is_back_is_no_conflict(void **state)
{
	struct conn *a = dom0(0), *b = dom0(1);
	uint32_t tx;

	ask(a, XS_WRITE, "/x", "1", NULL);
	tx = begin(a);
	IN(tx, ask(a, XS_READ, "/x", NULL));
	IN(tx, ask(a, XS_WRITE, "/y", "1", NULL));
	OUTSIDE(ask(b, XS_WRITE, "/x", "2", NULL));
	ask(b, XS_WRITE, "/x", "1", NULL);
	is(commit(a, tx), "OK");
}

static void a_missing_node_that_appears_is_a_conflict(void **state)
{
	struct conn *a = dom0(0), *b = dom0(1);
	uint32_t tx = begin(a);

	is(IN(tx, ask(a, XS_READ, "/x", NULL)), "ENOENT");
	IN(tx, ask(a, XS_WRITE, "/y", "1", NULL));
	OUTSIDE(ask(b, XS_WRITE, "/x", "", NULL));
	is(commit(a, tx), "EAGAIN");
}

static void permissions_that_decided_an_answer_are_part_of_it(void **state)
{
	struct conn *g = guest(3), *b = dom0(1);
	uint32_t tx;

	ask(b, XS_WRITE, "/x", "1", NULL);
	ask(b, XS_SET_PERMS, "/x", "n0", "r3", NULL);
	tx = begin(g);
	is(IN(tx, ask(g, XS_READ, "/x", NULL)), "1");
	IN(tx, ask(g, XS_WRITE, "mine", "1", NULL));
	OUTSIDE(ask(b, XS_SET_PERMS, "/x", "n0", NULL));
	is(commit(g, tx), "EAGAIN");
}

static void what_came_and_went_within_is_not_told(void **state)
{
	struct conn *a = dom0(0), *w = dom0(1);
	uint32_t tx;

	ask(w, XS_WATCH, "/", "t", NULL);
	events(w);
	tx = begin(a);
	IN(tx, ask(a, XS_WRITE, "/a/b", "1", NULL));
	IN(tx, ask(a, XS_RM, "/a/b", NULL));
	IN(tx, ask(a, XS_WRITE, "/c", "1", NULL));
	IN(tx, ask(a, XS_WRITE, "/c", "2", NULL));
	is(events(w), "");
	is(commit(a, tx), "OK");
	is(events(w), "/c|t ");
}

static void one_that_is_given_up_leaves_nothing(void **state)
{
	struct conn *g = guest(3);
	uint32_t nodes = domain_find(3)->nodes, tx = begin(g);

	IN(tx, ask(g, XS_WRITE, "a/b/c", "1", NULL));
	is(IN(tx, ask(g, XS_TRANSACTION_END, "F", NULL)), "OK");
	test_tx = 0;
	assert_int_equal(domain_find(3)->nodes, nodes);
	assert_int_equal(domain_find(3)->transactions, 0);
	is(ask(g, XS_READ, "a", NULL), "ENOENT");
	is(commit(g, tx), "ENOENT");
}

static void asking_the_same_again_costs_nothing(void **state)
{
	struct conn *g = guest(3);
	uint32_t tx = begin(g);
	uint64_t memory;

	IN(tx, ask(g, XS_READ, "a", NULL));
	memory = domain_find(3)->memory;
	for (int i = 0; i < 5000; i++)
		is(IN(tx, ask(g, XS_READ, "a", NULL)), "ENOENT");
	assert_int_equal(domain_find(3)->memory, memory);
	is(commit(g, tx), "OK");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(it_sees_the_store_as_it_was_and_its_own_changes),
		UNIT_TEST(with_one_change_it_keeps_no_tree),
		UNIT_TEST(a_change_that_is_not_allowed_any_more_fails_it),
		UNIT_TEST(writers_of_different_children_do_not_conflict),
		UNIT_TEST(whoever_listed_a_directory_conflicts_with_a_new_child),
		UNIT_TEST(a_value_that_is_back_is_no_conflict),
		UNIT_TEST(a_missing_node_that_appears_is_a_conflict),
		UNIT_TEST(permissions_that_decided_an_answer_are_part_of_it),
		UNIT_TEST(what_came_and_went_within_is_not_told),
		UNIT_TEST(one_that_is_given_up_leaves_nothing),
		UNIT_TEST(asking_the_same_again_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
