/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A red-black tree whose nodes live in the sorted objects: run queues, timers, side tables. No
 * allocation; each operation is O(log n). The lock is the owner's. The leftmost node is cached,
 * so that the earliest timer costs one load.
 */
#ifndef HV_RBTREE_H
#define HV_RBTREE_H

#include <hv/compiler.h>

struct rbnode {
	struct rbnode *parent, *left, *right;
	uint32_t red;
	uint32_t linked; /* 1 while in a tree */
};

struct rbtree {
	struct rbnode *root, *first;
};

/* True when `a` sorts before `b`. Equal nodes stay in insertion order. */
typedef bool rb_before_fn(const struct rbnode *a, const struct rbnode *b);

static inline void rb_init(struct rbtree *t)
{
	t->root = t->first = NULL;
}

static inline bool rb_linked(const struct rbnode *n)
{
	return n->linked;
}

static inline struct rbnode *rb_first(const struct rbtree *t)
{
	return t->first;
}

/* `n` must not be in a tree. */
void rb_insert(struct rbtree *t, struct rbnode *n, rb_before_fn *before);
/* `n` must be in `t`. */
void rb_remove(struct rbtree *t, struct rbnode *n);
/* In-order successor, NULL after the last. */
struct rbnode *rb_next(const struct rbnode *n);

#endif
