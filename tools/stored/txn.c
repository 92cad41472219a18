/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions. Starting one takes a reference to the tree; what it changes goes into a tree of its own that shares
 * all else. It notes what of each node its answers depended on, and its changes.
 *
 * At its end, when the store's tree is still the one it began with, its tree becomes the store's. Otherwise
 * each noted dependency is compared between that base and the store's tree of now: existence, value, permissions,
 * set of children, each by itself. When one differs it ends with EAGAIN; else its changes are made again on the
 * tree of now, where each gives the answer it gave before. So a transaction fails only when an answer
 * it has given would not be the same any more.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

struct txn *txn_find(struct conn *c, uint32_t id)
{
	struct txn *t = c->txns;

	while (t && t->id != id)
		t = t->next;
	return t;
}

static void account(struct conn *c, struct txn *t, long bytes)
{
	t->memory += (uint64_t)bytes;
	memory_charge(domain_need(c->dom), bytes);
}

int txn_start(struct conn *c, uint32_t *id)
{
	struct domain *d = domain_need(c->dom);
	struct txn *t;
	int err = quota_check(d, QUOTA_TRANSACTIONS, d->transactions + 1ull);

	if (err)
		return err;
	t = must_alloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	while (c->next_txn == 0 || txn_find(c, c->next_txn))
		c->next_txn++;
	t->id = c->next_txn++;
	t->base = tree_get(store_root);
	t->root = tree_get(store_root);
	t->next = c->txns;
	c->txns = t;
	d->transactions++;
	account(c, t, sizeof(*t));
	*id = t->id;
	return 0;
}

static void txn_free(struct conn *c, struct txn *t)
{
	struct txn **at = &c->txns;
	struct domain *d = domain_need(c->dom);

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	d->transactions--;
	account(c, t, -(long)t->memory);
	for (uint32_t i = 0; i < t->size_paths; i++)
		free(t->paths[i].path);
	free(t->paths);
	for (uint32_t i = 0; i < t->nr_ops; i++) {
		free(t->ops[i].path);
		blob_put(t->ops[i].value);
		perms_put(t->ops[i].perms);
	}
	free(t->ops);
	free(t->shares);
	tree_put(t->base);
	tree_put(t->root);
	free(t);
}

void txn_end_all(struct conn *c)
{
	while (c->txns)
		txn_free(c, c->txns);
}

/* ---- what it read --------------------------------------------------------------------------------------- */

static struct txn_path *slot_of(struct txn *t, uint32_t hash, const char *path)
{
	uint32_t i = hash & (t->size_paths - 1);

	while (t->paths[i].path && (t->paths[i].hash != hash || strcmp(t->paths[i].path, path) != 0))
		i = (i + 1) & (t->size_paths - 1);
	return &t->paths[i];
}

static void grow_paths(struct txn *t)
{
	struct txn_path *old = t->paths;
	uint32_t n = t->size_paths;

	t->size_paths = n ? 2 * n : 8;
	t->paths = must_alloc(t->size_paths * sizeof(*old));
	memset(t->paths, 0, t->size_paths * sizeof(*old));
	for (uint32_t i = 0; i < n; i++)
		if (old[i].path)
			*slot_of(t, old[i].hash, old[i].path) = old[i];
	free(old);
}

void txn_restore_path(struct txn *t, const char *path, uint32_t flags)
{
	uint32_t hash = tree_hash(path, strlen(path));
	struct txn_path *p;

	if (4 * (t->nr_paths + 1) > 3 * t->size_paths)
		grow_paths(t);
	p = slot_of(t, hash, path);
	if (!p->path) {
		p->path = must_alloc(strlen(path) + 1);
		strcpy(p->path, path);
		p->hash = hash;
		t->nr_paths++;
	}
	p->flags |= flags;
}

int txn_note(struct conn *c, struct txn *t, const char *path, unsigned flags)
{
	struct txn_path *p = t->size_paths ? slot_of(t, tree_hash(path, strlen(path)), path) : NULL;
	int err;

	if (p && p->path) {
		p->flags |= p->flags & WROTE_VALUE ? flags & ~(unsigned)READ_VALUE : flags;
		return 0;
	}
	err = quota_check(domain_need(c->dom), QUOTA_TX_NODES, t->nr_paths + 1ull);
	if (err)
		return err;
	txn_restore_path(t, path, flags);
	account(c, t, (long)(sizeof(*p) + strlen(path) + 1));
	return 0;
}

static int is_elsewhere(struct node *kid, void *other)
{
	return !tree_child(other, kid->name->text, kid->name->len);
}

static bool same_kids(struct node *a, struct node *b)
{
	return a->kids_generation == b->kids_generation ||
	       (a->nr_kids == b->nr_kids && tree_each(a, is_elsewhere, b) == 0);
}

static bool same_value(const struct node *a, const struct node *b)
{
	return a->value == b->value || (a->value->len == b->value->len &&
					memcmp(a->value->data, b->value->data, a->value->len) == 0);
}

static bool still_holds(const struct txn *t, const struct txn_path *p)
{
	struct node *then = tree_find(t->base, p->path), *now = tree_find(store_root, p->path);

	if (then == now)
		return true;
	if (!then || !now)
		return (p->flags & ~(unsigned)WROTE_VALUE) == 0;
	return !((p->flags & READ_VALUE) && !same_value(then, now)) &&
	       !((p->flags & READ_PERMS) && !perms_equal(then->perms, now->perms)) &&
	       !((p->flags & READ_KIDS) && !same_kids(then, now));
}

/* ---- what it writes ---------------------------------------------------------------------------------------- */

static void share(void *context, domid id, int nodes, long bytes)
{
	struct txn *t = context;
	uint32_t i = 0;

	while (i < t->nr_shares && t->shares[i].id != id)
		i++;
	if (i == t->nr_shares) {
		t->shares = must_realloc(t->shares, (i + 1) * sizeof(*t->shares));
		t->shares[t->nr_shares++] = (struct txn_share){ .id = id };
	}
	t->shares[i].nodes += nodes;
	t->shares[i].bytes += bytes;
}

struct tree_ledger txn_ledger(struct txn *t)
{
	return (struct tree_ledger){ share, t };
}

int txn_nodes(const struct txn *t, domid id)
{
	for (uint32_t i = 0; i < t->nr_shares; i++)
		if (t->shares[i].id == id)
			return t->shares[i].nodes;
	return 0;
}

void txn_restore_op(struct txn *t, const struct txn_op *op)
{
	if ((t->nr_ops & (t->nr_ops - 1)) == 0) /* doubled at each power of two */
		t->ops = must_realloc(t->ops, (t->nr_ops ? 2 * t->nr_ops : 1) * sizeof(*op));
	t->ops[t->nr_ops++] = *op;
}

void txn_log(struct conn *c, struct txn *t, const struct txn_op *op)
{
	struct txn_op kept = *op;

	kept.path = must_alloc(strlen(op->path) + 1);
	strcpy(kept.path, op->path);
	if (kept.value)
		blob_get(kept.value);
	if (kept.perms)
		perms_get(kept.perms);
	txn_restore_op(t, &kept);
	account(c, t, (long)(sizeof(*op) + strlen(op->path) + 1 + (op->value ? op->value->len : 0)));
}

/* May its domain own as much as it will after this commit? */
static int affordable(struct conn *c, const struct txn *t)
{
	struct domain *d = domain_need(c->dom);
	int more = txn_nodes(t, c->dom);

	return more > 0 ? quota_check(d, QUOTA_NODES, d->nodes + (uint64_t)more) : 0;
}

static void take_root(struct txn *t)
{
	struct node *old = store_root;

	for (uint32_t i = 0; i < t->nr_shares; i++)
		quota_charge(NULL, t->shares[i].id, t->shares[i].nodes, t->shares[i].bytes);
	store_root = tree_get(t->root);
	tree_put(old);
}

static void replay(const struct txn *t)
{
	for (uint32_t i = 0; i < t->nr_ops; i++)
		store_apply(&store_root, &t->ops[i], &quota_ledger);
}

struct told {
	uint32_t hash;
	bool removed; /* at some time, if only to be made again */
	bool done;
	const char *path;
};

static struct told *told_slot(struct told *told, uint32_t size, const char *path)
{
	uint32_t hash = tree_hash(path, strlen(path)), i = hash & (size - 1);

	while (told[i].path && (told[i].hash != hash || strcmp(told[i].path, path) != 0))
		i = (i + 1) & (size - 1);
	told[i].hash = hash;
	told[i].path = path;
	return &told[i];
}

/* One event for each path that a change named, in their order; none for what came and went within. */
static void tell(struct conn *c, struct txn *t, struct node *before_root)
{
	struct told *told;
	uint32_t size = 8;

	while (size < 2 * t->nr_ops)
		size *= 2;
	told = must_alloc(size * sizeof(*told));
	memset(told, 0, size * sizeof(*told));
	for (uint32_t n = 0; n < t->nr_ops; n++)
		told_slot(told, size, t->ops[n].path)->removed |= t->ops[n].kind == OP_RM;
	for (uint32_t n = 0; n < t->nr_ops; n++) {
		const char *path = t->ops[n].path;
		struct told *it = told_slot(told, size, path);
		struct node *before = tree_find(before_root, path);
		struct node *after = tree_find(store_root, path);

		if (it->done || (!before && !after))
			continue;
		it->done = true;
		watch_fire(c->dom, path, before, after, parent_of(before_root, path), it->removed);
	}
	free(told);
}

static int txn_commit(struct conn *c, struct txn *t)
{
	struct node *before;
	int err;

	if (t->nr_ops == 0 && t->base == store_root)
		return 0;
	if (t->base != store_root)
		for (uint32_t i = 0; i < t->size_paths; i++)
			if (t->paths[i].path && !still_holds(t, &t->paths[i]))
				return -EAGAIN;
	err = affordable(c, t);
	if (err)
		return err;
	before = tree_get(store_root);
	if (t->base == store_root)
		take_root(t);
	else
		replay(t);
	/* Its own references would make the next change copy what nobody else needs. */
	tree_put(t->base);
	tree_put(t->root);
	t->base = t->root = NULL;
	tell(c, t, before);
	tree_put(before);
	return 0;
}

int txn_end(struct conn *c, uint32_t id, bool commit)
{
	struct txn *t = txn_find(c, id);
	int err = 0;

	if (!t)
		return -ENOENT;
	if (commit)
		err = txn_commit(c, t);
	txn_free(c, t);
	return err;
}
