/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions. Starting one takes a reference to the tree; what it changes goes into a tree of its own that shares
 * all else. It keeps its requests and a digest of each answer; while it has made one change only, as many never make more, that
 * request alone, without a tree, which its next request makes again (txn_catch_up).
 *
 * At its end, when the store's tree is still the one it began with, its tree becomes the store's. Otherwise
 * its requests are made again, on the tree of now: when each gets the answer that it got before, the tree
 * that results becomes the store's; when one does not, it ends with EAGAIN. So a transaction fails only
 * when an answer it has given would be another one now, and costs what it touches.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

uint32_t nr_txns;

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
	nr_txns++;
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
	nr_txns--;
	account(c, t, -(long)t->memory);
	for (uint32_t i = 0; i < t->nr_entries; i++)
		free(t->entries[i].payload);
	free(t->entries);
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

/* ---- its requests ------------------------------------------------------------------------------------ */

void txn_restore_entry(struct txn *t, const struct txn_entry *e)
{
	if ((t->nr_entries & (t->nr_entries - 1)) == 0) /* doubled at each power of two */
		t->entries = must_realloc(t->entries,
					  (t->nr_entries ? 2 * t->nr_entries : 1) * sizeof(*e));
	t->entries[t->nr_entries++] = *e;
	if (e->changed)
		t->last_change = t->nr_entries;
}

int txn_may_grow(struct conn *c, const struct txn *t)
{
	return quota_check(domain_need(c->dom), QUOTA_TX_NODES, t->nr_entries + 1ull);
}

/* Was it asked already, and has nothing been changed since? */
static bool is_known(const struct txn *t, const struct txn_entry *e)
{
	uint32_t from = t->nr_entries > 16 ? t->nr_entries - 16
					   : 0; /* who asks again does so soon */

	if (from < t->last_change)
		from = t->last_change;
	for (uint32_t i = from; i < t->nr_entries; i++)
		if (t->entries[i].type == e->type && t->entries[i].len == e->len &&
		    memcmp(t->entries[i].payload, e->payload, e->len) == 0)
			return true;
	return false;
}

/* Which entry is the first change? There is one. */
static struct txn_entry *first_change(struct txn *t)
{
	struct txn_entry *e = t->entries;

	while (!e->changed)
		e++;
	return e;
}

static void drop_tree(struct txn *t)
{
	tree_put(t->root);
	t->root = tree_get(t->base);
	free(t->shares);
	t->shares = NULL;
	t->nr_shares = 0;
	t->behind = true;
}

void txn_catch_up(struct conn *c, struct txn *t)
{
	struct txn_entry *e;

	if (!t->behind)
		return;
	t->behind = false;
	e = first_change(t);
	if (proto_try(c, t, e) != e->answer) /* a quota, perhaps, allows it no longer */
		t->failed = true;
}

void txn_log(struct conn *c, struct txn *t, uint32_t type, const char *payload, uint32_t len,
	     uint64_t answer, bool changed)
{
	struct txn_entry e = { type, len, answer, changed, NULL };
	char *copy = must_alloc(len + 1);
	bool first;

	memcpy(copy, payload, len + 1);
	e.payload = copy;
	first = changed && t->last_change == 0;
	if (!changed && is_known(t, &e)) {
		free(copy);
		return;
	}
	txn_restore_entry(t, &e);
	account(c, t, (long)(sizeof(e) + len + 1));
	if (first)
		drop_tree(t);
}

/* ---- what it changes ----------------------------------------------------------------------------------- */

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

static void take_root(struct txn *t)
{
	struct node *old = store_root;

	for (uint32_t i = 0; i < t->nr_shares; i++)
		quota_charge(NULL, t->shares[i].id, t->shares[i].nodes, t->shares[i].bytes);
	store_root = tree_get(t->root);
	tree_put(old);
}

/* Make its requests again on the tree of now; was each answered as before? */
static bool redo(struct conn *c, struct txn *t)
{
	tree_put(t->root);
	t->root = tree_get(store_root);
	t->nr_shares = 0;
	for (uint32_t i = 0; i < t->nr_entries; i++)
		if (proto_try(c, t, &t->entries[i]) != t->entries[i].answer)
			return false;
	return true;
}

struct told {
	uint32_t hash;
	bool removed; /* at some time, if only to be made again */
	bool done;
	char *path;
};

static struct told *told_slot(struct told *told, uint32_t size, const char *path)
{
	uint32_t hash = tree_hash(path, strlen(path)), i = hash & (size - 1);

	while (told[i].path && (told[i].hash != hash || strcmp(told[i].path, path) != 0))
		i = (i + 1) & (size - 1);
	if (!told[i].path) {
		told[i].path = must_alloc(strlen(path) + 1);
		strcpy(told[i].path, path);
		told[i].hash = hash;
	}
	return &told[i];
}

/* One event for each path that a change named, in their order; none for what came and went within. */
static void tell(struct conn *c, struct txn *t, struct node *before_root)
{
	struct told *told;
	uint32_t size = 8;

	while (size < 2 * t->nr_entries)
		size *= 2;
	told = must_alloc(size * sizeof(*told));
	memset(told, 0, size * sizeof(*told));
	for (uint32_t n = 0; n < t->nr_entries; n++)
		if (t->entries[n].changed)
			told_slot(told, size, proto_path(c, &t->entries[n]))->removed |=
			    t->entries[n].type == XS_RM;
	for (uint32_t n = 0; n < t->nr_entries; n++) {
		const char *path = t->entries[n].changed ? proto_path(c, &t->entries[n]) : NULL;
		struct told *it = path ? told_slot(told, size, path) : NULL;
		struct node *before, *after;

		if (!it || it->done)
			continue;
		it->done = true;
		before = tree_find(before_root, path);
		after = tree_find(store_root, path);
		if (before || after)
			watch_fire(c->dom, path, before, after, parent_of(store_root, path),
				   it->removed);
	}
	for (uint32_t i = 0; i < size; i++)
		free(told[i].path);
	free(told);
}

static int txn_commit(struct conn *c, struct txn *t)
{
	struct node *before;

	if (t->last_change == 0 && t->base == store_root)
		return 0;
	if (t->failed || ((t->behind || t->base != store_root) && !redo(c, t)))
		return -EAGAIN;
	before = tree_get(store_root);
	take_root(t);
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
