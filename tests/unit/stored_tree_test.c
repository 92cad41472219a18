/* SPDX-License-Identifier: Apache-2.0 */
/* The persistent tree: what is shared, what is copied, what is counted. */
#include "stored.h"

static void set(struct node **root, const char *path, const char *value)
{
	struct perm owner = { 0, PERM_NONE };
	struct perms *perms = perms_new(&owner, 1);
	struct blob *b = blob_new(value, strlen(value));

	if (tree_find(*root, path))
		tree_set_value(root, path, b, NULL);
	else
		tree_create(root, path, b, perms, NULL);
	blob_put(b);
	perms_put(perms);
}

static void a_snapshot_keeps_what_it_had(void **state)
{
	struct node *root = tree_new(NULL), *old;

	set(&root, "/a/b", "1");
	old = tree_get(root);
	set(&root, "/a/b", "2");
	set(&root, "/a/c", "3");
	tree_remove(&root, "/a/b", NULL);
	assert_memory_equal(tree_find(old, "/a/b")->value->data, "1", 1);
	assert_null(tree_find(old, "/a/c"));
	assert_null(tree_find(root, "/a/b"));
	assert_non_null(tree_find(root, "/a/c"));
	tree_put(old);
	tree_put(root);
}

static void a_change_copies_its_path_and_nothing_else(void **state)
{
	struct node *root = tree_new(NULL), *old, *aside;
	char path[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "/many/%d/x", i);
		set(&root, path, "v");
	}
	old = tree_get(root);
	aside = tree_find(root, "/many/7");
	set(&root, "/many/1234/x", "w");
	assert_ptr_equal(tree_find(root, "/many/7"), aside);
	assert_ptr_not_equal(tree_find(root, "/many/1234"), tree_find(old, "/many/1234"));
	assert_int_equal(tree_find(root, "/many")->nr_kids, 2000);
	tree_put(old);
	/* Nobody shares it any more: the next change copies nothing. */
	aside = tree_find(root, "/many/1234/x");
	set(&root, "/many/1234/x", "z");
	assert_ptr_equal(tree_find(root, "/many/1234/x"), aside);
	tree_put(root);
}

static void children_are_listed_in_the_order_of_their_creation(void **state)
{
	struct node *root = tree_new(NULL), *kids[3];

	set(&root, "/z", "");
	set(&root, "/a", "");
	set(&root, "/m", "");
	tree_list(root, kids);
	is(kids[0]->name->text, "z");
	is(kids[1]->name->text, "a");
	is(kids[2]->name->text, "m");
	tree_remove(&root, "/z", NULL);
	set(&root, "/z", "");
	tree_list(root, kids);
	is(kids[2]->name->text, "z");
	tree_put(root);
}

static void many_names_come_and_go(void **state)
{
	struct node *root = tree_new(NULL);
	char path[32];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5000; i++) {
			snprintf(path, sizeof(path), "/n%d", i);
			set(&root, path, "");
		}
		assert_int_equal(root->nr_kids, 5000);
		for (int i = 0; i < 5000; i++) {
			snprintf(path, sizeof(path), "/n%d", (i * 7) % 5000);
			assert_non_null(tree_find(root, path));
			tree_remove(&root, path, NULL);
		}
		assert_int_equal(root->nr_kids, 0);
		assert_null(root->kids);
	}
	tree_put(root);
}

static void what_a_dead_domain_owned_is_found_without_the_rest(void **state)
{
	struct conn *c = dom0(0);

	guest(5);
	ask(c, XS_WRITE, "/x/owned/below", "v", NULL);
	ask(c, XS_SET_PERMS, "/x/owned", "n5", NULL);
	ask(c, XS_WRITE, "/x/named", "v", NULL);
	ask(c, XS_SET_PERMS, "/x/named", "n0", "r5", "w6", NULL);
	ask(c, XS_WATCH, "/x", "t", NULL);
	while (conn_queued(c))
		next_message(c, NULL);
	assert_true(tree_find(store_root, "/x")->domains & (1ull << 5));
	domain_gone(5);
	is(events(c), "/x/owned|t ");
	assert_null(tree_find(store_root, "/x/owned"));
	assert_null(tree_find(store_root, "/local/domain/5"));
	assert_int_equal(tree_find(store_root, "/x/named")->perms->n, 2);
	assert_false(tree_find(store_root, "/x")->domains & (1ull << 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_snapshot_keeps_what_it_had),
		UNIT_TEST(a_change_copies_its_path_and_nothing_else),
		UNIT_TEST(children_are_listed_in_the_order_of_their_creation),
		UNIT_TEST(many_names_come_and_go),
		UNIT_TEST(what_a_dead_domain_owned_is_found_without_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
