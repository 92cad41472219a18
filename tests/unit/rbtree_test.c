/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black trees: order, balance and links after every step of long random sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/rbtree.h>

struct item {
	struct rbnode node;
	unsigned key, serial;
};

static bool before(const struct rbnode *a, const struct rbnode *b)
{
	return container_of(a, const struct item, node)->key <
	       container_of(b, const struct item, node)->key;
}

/* Black nodes on each way down from `n`, checking everything on the way. */
static unsigned check_below(const struct rbnode *n, const struct rbnode *parent)
{
	unsigned black;

	if (!n)
		return 1;
	assert_ptr_equal(n->parent, parent);
	assert_true(rb_linked(n));
	if (n->red) {
		assert_non_null(parent);
		assert_false(parent->red);
	}
	black = check_below(n->left, n);
	assert_int_equal(check_below(n->right, n), black);
	return black + !n->red;
}

static unsigned check(const struct rbtree *t)
{
	const struct item *last = NULL;
	unsigned n = 0;

	if (t->root)
		assert_false(t->root->red);
	check_below(t->root, NULL);
	for (struct rbnode *p = rb_first(t); p; p = rb_next(p), n++) {
		const struct item *i = container_of(p, struct item, node);

		if (last) {
			assert_true(last->key <= i->key);
			if (last->key == i->key)
				assert_true(last->serial < i->serial);
		} else {
			assert_null(p->left);
		}
		last = i;
	}
	return n;
}

static void an_empty_tree_has_no_first(void **state)
{
	struct rbtree t;

	rb_init(&t);
	assert_null(rb_first(&t));
	assert_int_equal(check(&t), 0);
}

static void order_and_balance_hold_after_every_step(void **state)
{
	enum { N = 200, STEPS = 20000 };
	static struct item item[N];
	struct rbtree t;
	unsigned in = 0, serial = 0;

	srand(1);
	rb_init(&t);
	for (unsigned step = 0; step < STEPS; step++) {
		/* Keys repeat, so that equal ones must stay in order of insertion. */
		struct item *i = &item[rand() % N];

		if (rb_linked(&i->node)) {
			rb_remove(&t, &i->node);
			assert_false(rb_linked(&i->node));
			in--;
		} else {
			i->key = (unsigned)rand() % 60;
			i->serial = serial++;
			rb_insert(&t, &i->node, before);
			in++;
		}
		assert_int_equal(check(&t), in);
	}
}

static void ascending_and_descending_insertions_stay_flat(void **state)
{
	enum { N = 1000 };
	static struct item item[N];
	struct rbtree t;
	unsigned depth = 0;

	for (int descending = 0; descending < 2; descending++) {
		rb_init(&t);
		for (unsigned i = 0; i < N; i++) {
			item[i] = (struct item){ .key = descending ? N - i : i, .serial = i };
			rb_insert(&t, &item[i].node, before);
		}
		for (unsigned i = 0; i < N; i++) {
			unsigned d = 0;

			for (struct rbnode *n = &item[i].node; n; n = n->parent)
				d++;
			depth = d > depth ? d : depth;
		}
		assert_int_equal(check(&t), N);
		assert_true(depth <= 20); /* 2 log2(N + 1) */
		while (rb_first(&t))
			rb_remove(&t, rb_first(&t));
		assert_null(t.root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_tree_has_no_first),
		cmocka_unit_test(order_and_balance_hold_after_every_step),
		cmocka_unit_test(ascending_and_descending_insertions_stay_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
