/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches, in a tree of their own: a change visits the watches on its path and, when it removes, those below; never
 * the others. The nodes of that tree stand in one hash table by (parent, name), and are there only while something
 * below is watched. Special watches ("@releaseDomain") hang at its root under their whole name.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

struct wnode {
	struct wnode *parent, *kids, *next, **link; /* next: among the parent's kids */
	struct wnode *chain;                        /* in the hash table */
	struct watch *watches, *last;
	uint32_t hash, len;
	char name[];
};

static struct wnode root_wnode;
static struct wnode **table;
static uint32_t table_size, table_used;
uint64_t watch_order;
struct perms *special_perms[2];
static const char *const special_name[2] = { "@introduceDomain", "@releaseDomain" };

int special_index(const char *path)
{
	for (int i = 0; i < 2; i++)
		if (strcmp(path, special_name[i]) == 0)
			return i;
	return -1;
}

/* ---- the tree of watched paths --------------------------------------------------------------------- */

static uint32_t wnode_hash(const struct wnode *parent, const char *name, size_t len)
{
	return tree_hash(name, len) ^ (uint32_t)((uintptr_t)parent >> 4) * 0x9e3779b1u;
}

static struct wnode *wnode_find(const struct wnode *parent, const char *name, size_t len)
{
	uint32_t hash;
	struct wnode *w;

	if (!parent->kids)
		return NULL;
	hash = wnode_hash(parent, name, len);
	for (w = table[hash & (table_size - 1)]; w; w = w->chain)
		if (w->hash == hash && w->parent == parent && w->len == len &&
		    memcmp(w->name, name, len) == 0)
			return w;
	return NULL;
}

static void table_grow(void)
{
	uint32_t size = table_size ? 2 * table_size : 64;
	struct wnode **bigger = must_alloc(size * sizeof(struct wnode *));

	memset((void *)bigger, 0, size * sizeof(struct wnode *));
	for (uint32_t i = 0; i < table_size; i++)
		while (table[i]) {
			struct wnode *w = table[i];

			table[i] = w->chain;
			w->chain = bigger[w->hash & (size - 1)];
			bigger[w->hash & (size - 1)] = w;
		}
	free((void *)table);
	table = bigger;
	table_size = size;
}

static struct wnode *wnode_make(struct wnode *parent, const char *name, size_t len)
{
	struct wnode *w = wnode_find(parent, name, len);

	if (w)
		return w;
	if (table_used >= table_size)
		table_grow();
	w = must_alloc(sizeof(*w) + len);
	memset(w, 0, sizeof(*w));
	w->parent = parent;
	w->hash = wnode_hash(parent, name, len);
	w->len = (uint32_t)len;
	memcpy(w->name, name, len);
	w->next = parent->kids;
	w->link = &parent->kids;
	if (w->next)
		w->next->link = &w->next;
	parent->kids = w;
	w->chain = table[w->hash & (table_size - 1)];
	table[w->hash & (table_size - 1)] = w;
	table_used++;
	return w;
}

/* Nodes that nothing hangs on any more go. */
static void wnode_tidy(struct wnode *w)
{
	while (w != &root_wnode && !w->watches && !w->kids) {
		struct wnode *parent = w->parent;
		struct wnode **at = &table[w->hash & (table_size - 1)];

		while (*at != w)
			at = &(*at)->chain;
		*at = w->chain;
		*w->link = w->next;
		if (w->next)
			w->next->link = w->link;
		table_used--;
		free(w);
		w = parent;
	}
	if (table_used == 0) {
		free((void *)table);
		table = NULL;
		table_size = 0;
	}
}

/* The next part of a path, as in the tree of keys; a special name is one part. */
static const char *part(const char *p, size_t *len)
{
	if (*p == '/')
		p++;
	else if (*p == '@') {
		*len = strlen(p);
		return p;
	}
	*len = strcspn(p, "/");
	return p;
}

static struct wnode *wnode_for(const char *path, bool make)
{
	struct wnode *w = &root_wnode;
	size_t len;

	for (path = part(path, &len); len > 0 && w; path = part(path + len, &len))
		w = make ? wnode_make(w, path, len) : wnode_find(w, path, len);
	return w;
}

/* ---- setting and removing --------------------------------------------------------------------------- */

static long watch_bytes_of(const char *path, const char *token)
{
	return (long)(sizeof(struct watch) + strlen(path) + strlen(token) + 2);
}

static struct watch *watch_find(struct conn *c, const char *path, const char *token)
{
	struct wnode *at = wnode_for(path, false);
	struct watch *w;

	for (w = at ? at->watches : NULL; w; w = w->next_at)
		if (w->conn == c && strcmp(w->token, token) == 0)
			return w;
	return NULL;
}

void watch_restore(struct conn *c, const char *path, const char *token, uint64_t order,
		   int32_t depth, uint32_t skip)
{
	size_t lp = strlen(path) + 1, lt = strlen(token) + 1;
	struct watch *w = must_alloc(sizeof(*w) + lp + lt), **at;

	memset(w, 0, sizeof(*w));
	memcpy(w->path, path, lp);
	w->token = w->path + lp;
	memcpy(w->token, token, lt);
	w->conn = c;
	w->order = order;
	w->depth = depth;
	w->skip = skip;
	w->at = wnode_for(path, true);
	w->back = w->at->last;
	*(w->back ? &w->back->next_at : &w->at->watches) = w;
	w->at->last = w;
	at = c->watches_tail;
	*at = w;
	w->link_of_conn = at;
	c->watches_tail = &w->next_of_conn;
	domain_need(c->dom)->watches++;
}

int watch_add(struct conn *c, const char *path, const char *token, int depth, bool relative)
{
	struct domain *d = domain_need(c->dom);
	uint32_t skip = 0;
	int err;

	if (watch_find(c, path, token))
		return -EEXIST;
	err = quota_check(d, QUOTA_WATCHES, d->watches + 1ull);
	if (err)
		return err;
	if (relative) {
		char home[32];

		skip = (uint32_t)snprintf(home, sizeof(home), "/local/domain/%u/", c->dom);
	}
	watch_restore(c, path, token, ++watch_order, depth, skip);
	memory_charge(d, watch_bytes_of(path, token));
	return 0;
}

/* Take a watch off both lists. */
static void drop(struct watch *w)
{
	struct domain *d = domain_need(w->conn->dom);

	*(w->back ? &w->back->next_at : &w->at->watches) = w->next_at;
	*(w->next_at ? &w->next_at->back : &w->at->last) = w->back;
	*w->link_of_conn = w->next_of_conn;
	*(w->next_of_conn ? &w->next_of_conn->link_of_conn
			  : &w->conn->watches_tail) = w->link_of_conn;
	wnode_tidy(w->at);
	d->watches--;
	memory_charge(d, -watch_bytes_of(w->path, w->token));
	free(w);
}

int watch_remove(struct conn *c, const char *path, const char *token)
{
	struct watch *w = watch_find(c, path, token);

	if (!w)
		return -ENOENT;
	drop(w);
	return 0;
}

void watch_remove_all(struct conn *c)
{
	struct watch *w, *next;

	for (w = c->watches; w; w = next) {
		next = w->next_of_conn;
		drop(w);
	}
}

/* ---- telling ------------------------------------------------------------------------------------------ */

/* The watches that one event concerns; told in the order in which they were set. */
static struct watch **found;
static size_t nr_found, size_found;

static void find(struct watch *w)
{
	if (nr_found == size_found) {
		size_found = size_found ? 2 * size_found : 16;
		found = must_realloc((void *)found, size_found * sizeof(struct watch *));
	}
	found[nr_found++] = w;
}

static int by_order(const void *a, const void *b)
{
	uint64_t x = (*(struct watch *const *)a)->order, y = (*(struct watch *const *)b)->order;

	return x < y ? -1 : x > y;
}

static bool readable(const struct conn *c, const struct node *node)
{
	bool owner;

	return node && (perm_of(c, node->perms, &owner) & PERM_READ);
}

static void tell_found(domid cause, const char *path, struct node *before, struct node *after,
		       struct node *parent)
{
	if (nr_found > 1)
		qsort((void *)found, nr_found, sizeof(struct watch *), by_order);
	for (size_t i = 0; i < nr_found; i++) {
		struct watch *w = found[i];

		if (w->conn->dom == 0 || readable(w->conn, before) || readable(w->conn, after) ||
		    readable(w->conn, parent))
			conn_event(w->conn, path + w->skip, w->token, cause);
	}
	nr_found = 0;
}

/* Watched nodes below one that was removed, and are not there again: each is told of its own path. */
static void tell_below(domid cause, char *path, size_t len, struct wnode *at, struct node *before,
		       struct node *after)
{
	struct wnode *kid;

	for (kid = at->kids; kid; kid = kid->next) {
		struct node *gone = tree_child(before, kid->name, kid->len), *again;

		if (!gone)
			continue;
		again = after ? tree_child(after, kid->name, kid->len) : NULL;
		path[len] = '/';
		memcpy(path + len + 1, kid->name, kid->len);
		path[len + 1 + kid->len] = 0;
		tell_below(cause, path, len + 1 + kid->len, kid, gone, again);
		path[len + 1 + kid->len] = 0;
		for (struct watch *w = again ? NULL : kid->watches; w; w = w->next_at)
			find(w);
		tell_found(cause, path, gone, NULL, before);
	}
}

void watch_fire(domid cause, const char *path, struct node *before, struct node *after,
		struct node *parent, bool removed)
{
	struct wnode *at = &root_wnode;
	const char *p = path;
	size_t len, above = 0, levels = 0;

	if (removed && before) {
		static char below[PATH_MAX_ + 1];

		at = wnode_for(path, false);
		strcpy(below, path);
		if (at)
			tell_below(cause, below, strlen(path), at, before, after);
		at = &root_wnode;
	}
	for (const char *s = path; *s; s++)
		levels += *s == '/' && s[1];
	for (;; above++) {
		for (struct watch *w = at->watches; w; w = w->next_at)
			if (w->depth < 0 || levels - above <= (size_t)w->depth)
				find(w);
		p = part(p, &len);
		if (len == 0)
			break;
		at = wnode_find(at, p, len);
		if (!at)
			break;
		p += len;
	}
	tell_found(cause, path, before, after, parent);
}

void watch_fire_special(const char *name, domid id)
{
	struct perms *perms = special_perms[special_index(name)];
	char one[64];
	struct wnode *at = wnode_find(&root_wnode, name, strlen(name));
	bool owner;

	snprintf(one, sizeof(one), "%s/%u", name, id);
	for (struct watch *w = at ? at->watches : NULL; w; w = w->next_at)
		if (perm_of(w->conn, perms, &owner) & PERM_READ)
			conn_event(w->conn, w->depth == 1 ? one : name, w->token, 0);
	at = wnode_find(&root_wnode, one, strlen(one));
	for (struct watch *w = at ? at->watches : NULL; w; w = w->next_at)
		if (perm_of(w->conn, perms, &owner) & PERM_READ)
			conn_event(w->conn, one, w->token, 0);
}

static uint32_t check_node(const struct wnode *w)
{
	uint32_t n = 0;

	for (const struct wnode *kid = w->kids; kid; kid = kid->next) {
		assert(kid->parent == w && (kid->kids || kid->watches));
		assert(wnode_find(w, kid->name, kid->len) == kid);
		n += 1 + check_node(kid);
	}
	return n;
}

void watch_check(void)
{
	uint32_t n = check_node(&root_wnode);

	assert(n == table_used);
	(void)n;
}
