/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intrusive red-black tree of hv/rbtree.h. A NULL child counts as black. Insertion and removal
 * follow the textbook (Cormen et al., Introduction to Algorithms, chapter 13), with parent links
 * in place of a sentinel.
 */
#include <hv/rbtree.h>

static bool is_red(const struct rbnode *n)
{
	return n && n->red;
}

/* Puts `new` (may be NULL) where `old` hangs. */
static void replace_child(struct rbtree *t, struct rbnode *old, struct rbnode *new)
{
	struct rbnode *parent = old->parent;

	if (!parent)
		t->root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	if (new)
		new->parent = parent;
}

/* `n` goes down to the left (or right), its other child takes its place. */
static void rotate(struct rbtree *t, struct rbnode *n, bool left)
{
	struct rbnode *up = left ? n->right : n->left;
	struct rbnode *inner = left ? up->left : up->right;

	replace_child(t, n, up);
	if (left) {
		n->right = inner;
		up->left = n;
	} else {
		n->left = inner;
		up->right = n;
	}
	if (inner)
		inner->parent = n;
	n->parent = up;
}

/* `n` is red; its parent may be as well. */
static void repair_insert(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *parent, *grandparent, *uncle;

	while (is_red(n->parent)) {
		bool left;

		parent = n->parent;
		grandparent = parent->parent; /* a red node is never the root */
		left = grandparent->left == parent;
		uncle = left ? grandparent->right : grandparent->left;
		if (is_red(uncle)) {
			parent->red = uncle->red = 0;
			grandparent->red = 1;
			n = grandparent;
			continue;
		}
		if (n == (left ? parent->right : parent->left)) {
			rotate(t, parent, left);
			parent = n;
		}
		parent->red = 0;
		grandparent->red = 1;
		rotate(t, grandparent, !left);
		break;
	}
	t->root->red = 0;
}

void rb_insert(struct rbtree *t, struct rbnode *n, rb_before_fn *before)
{
	struct rbnode **at = &t->root, *parent = NULL;
	bool leftmost = true;

	while (*at) {
		parent = *at;
		if (before(n, parent)) {
			at = &parent->left;
		} else {
			at = &parent->right;
			leftmost = false;
		}
	}
	n->parent = parent;
	n->left = n->right = NULL;
	n->red = 1;
	n->linked = 1;
	*at = n;
	if (leftmost)
		t->first = n;
	repair_insert(t, n);
}

/* The subtree at `n` (may be NULL) below `parent` lacks one black node. */
static NOINLINE void repair_remove(struct rbtree *t, struct rbnode *n, struct rbnode *parent)
{
	while (parent && !is_red(n)) {
		bool left = parent->left == n;
		struct rbnode *sibling = left ? parent->right : parent->left;
		struct rbnode *near, *far;

		if (sibling->red) {
			sibling->red = 0;
			parent->red = 1;
			rotate(t, parent, left);
			sibling = left ? parent->right : parent->left;
		}
		near = left ? sibling->left : sibling->right;
		far = left ? sibling->right : sibling->left;
		if (!is_red(near) && !is_red(far)) {
			sibling->red = 1;
			n = parent;
			parent = n->parent;
			continue;
		}
		if (!is_red(far)) {
			near->red = 0;
			sibling->red = 1;
			rotate(t, sibling, !left);
			far = sibling;
			sibling = near;
		}
		sibling->red = parent->red;
		parent->red = 0;
		far->red = 0;
		rotate(t, parent, left);
		return;
	}
	if (n)
		n->red = 0;
}

/* It has no left child, and its right one, if any, is red and has none. */
static void remove_first(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *child = n->right, *parent = n->parent;

	t->first = child ? child : parent;
	if (parent)
		parent->left = child;
	else
		t->root = child;
	if (child) {
		child->parent = parent;
		child->red = 0;
	} else if (parent && !n->red) {
		repair_remove(t, NULL, parent);
	}
}

static NOINLINE void remove_inner(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *child, *parent;
	bool black;

	if (n->left && n->right) {
		/* The successor, which has no left child, takes the place and colour of n. */
		struct rbnode *s = n->right;

		while (s->left)
			s = s->left;
		child = s->right;
		black = !s->red;
		parent = s->parent;
		if (parent == n) {
			parent = s;
		} else {
			replace_child(t, s, child);
			s->right = n->right;
			s->right->parent = s;
		}
		replace_child(t, n, s);
		s->left = n->left;
		s->left->parent = s;
		s->red = n->red;
	} else {
		child = n->left ? n->left : n->right;
		black = !n->red;
		parent = n->parent;
		replace_child(t, n, child);
	}
	if (black)
		repair_remove(t, child, parent);
}

void rb_remove(struct rbtree *t, struct rbnode *n)
{
	n->linked = 0;
	if (likely(t->first == n))
		remove_first(t, n);
	else
		remove_inner(t, n);
}

struct rbnode *rb_next(const struct rbnode *n)
{
	const struct rbnode *parent;

	if (n->right) {
		struct rbnode *s = n->right;

		while (s->left)
			s = s->left;
		return s;
	}
	for (parent = n->parent; parent && parent->right == n; parent = n->parent)
		n = parent;
	return (struct rbnode *)(uintptr_t)parent;
}
