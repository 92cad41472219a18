/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations are made of: reading a request's strings, finding nodes, asking for permission, changing the tree, replying. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

/* ---- strings ----------------------------------------------------------------------------------------- */

/* Split the payload at its zeros; 0 when it does not end in one, or there are more than max. */
unsigned request_strings(struct request *r, char **s, unsigned max)
{
	unsigned n = 0;
	char *end = r->payload + r->m->len;

	if (r->m->len == 0 || end[-1] != 0)
		return 0;
	for (char *p = r->payload; p < end; p += strlen(p) + 1) {
		if (n == max)
			return 0;
		s[n++] = p;
	}
	return n;
}

static bool is_path_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '-' || ch == '/' || ch == '_' || ch == '@';
}

static bool well_formed(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > XENSTORE_ABS_PATH_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_path_char(path[i]) || (path[i] == '/' && path[i + 1] == '/'))
			return false;
	return len == 1 || path[len - 1] != '/';
}

/* The part of a path that the quota counts: without "/local/domain/N/". */
static size_t counted(const char *path)
{
	unsigned id;
	int used = 0;

	if (sscanf(path, "/local/domain/%5u/%n", &id, &used) == 1 && used > 0)
		return strlen(path + used);
	return strlen(path);
}

/* Make s an absolute path in r->path. Relative ones begin at the caller's home. */
int request_absolute(struct request *r, const char *s, bool *relative)
{
	int n;

	*relative = s[0] != '/';
	if (s[0] == 0 || strlen(s) > XENSTORE_ABS_PATH_MAX)
		return -EINVAL;
	n = *relative ? snprintf(r->path, sizeof(r->path), "/local/domain/%u/%s", r->conn->dom, s)
		      : snprintf(r->path, sizeof(r->path), "%s", s);
	if (n >= (int)sizeof(r->path) || !well_formed(r->path) || s[0] == '@')
		return -EINVAL;
	if (quota_limit[QUOTA_PATH] && counted(r->path) > quota_limit[QUOTA_PATH])
		return -EINVAL;
	return 0;
}

/* A payload of one path. */
int request_path(struct request *r)
{
	bool relative;
	char *s[1];

	return request_strings(r, s, 1) == 1 ? request_absolute(r, s[0], &relative) : -EINVAL;
}

/* The same in every process: a transaction may be begun in one and ended in another. */
uint64_t request_digest(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h ^ (h >> 29);
}

void request_reply(struct request *r, const void *payload, size_t n)
{
	if (r->txn)
		r->answer = request_digest(payload, n);
	if (!r->trial)
		conn_reply(r->conn, r->m, payload, n);
}

int request_reply_string(struct request *r, const char *s)
{
	request_reply(r, s, strlen(s) + 1);
	return 0;
}

int request_done(struct request *r)
{
	return request_reply_string(r, "OK");
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

struct node **request_tree(struct request *r)
{
	return r->txn ? &r->txn->root : &store_root;
}

struct node *parent_of(struct node *root, const char *path)
{
	char above[PATH_MAX_ + 1];
	size_t len = (size_t)(strrchr(path, '/') - path);

	memcpy(above, path, len ? len : 1);
	above[len ? len : 1] = 0;
	return tree_find(root, above);
}

/*
 * The node at r->path, if the caller may do with it what need says. A missing one is -ENOENT to whom the nearest
 * node above it would allow that, -EACCES to others; *above is that node then.
 */
int request_find(struct request *r, unsigned need, bool own, struct node **node, struct node **above)
{
	unsigned bits;
	size_t used;
	bool owner;

	*node = *above = tree_nearest(*request_tree(r), r->path, &used);
	if (r->path[used] && r->path[1])
		*node = NULL;
	bits = perm_of(r->conn, (*above)->perms, &owner);
	if ((bits & need) != need || (own && *node && !owner))
		return -EACCES;
	return *node ? 0 : -ENOENT;
}

/* Nodes that domain creator makes below `above` belong to it; dom0's to whom the node above belongs. */
static struct perms *inherited(const struct node *above, domid creator)
{
	struct perms *p = perms_new(above->perms->entry, above->perms->n);

	if (creator != 0)
		p->entry[0].id = creator;
	return p;
}

void request_apply(struct node **root, const struct change *ch, struct tree_ledger *ledger)
{
	struct perms *perms;
	struct node *above;
	size_t used;

	switch (ch->kind) {
	case CHANGE_VALUE: tree_set_value(root, ch->path, ch->value, ledger); break;
	case CHANGE_MAKE:
		above = tree_nearest(*root, ch->path, &used);
		perms = inherited(above, ch->owner);
		tree_create(root, ch->path, ch->value, perms, ledger);
		perms_put(perms);
		break;
	case CHANGE_REMOVE: tree_remove(root, ch->path, ledger); break;
	case CHANGE_PERMS: tree_set_perms(root, ch->path, ch->perms, ledger); break;
	}
}

/* Change the tree, and tell of it when there is no commit to wait for. */
void request_change(struct request *r, struct change *ch, struct node *before)
{
	bool removes = ch->kind == CHANGE_REMOVE;

	ch->path = r->path;
	ch->owner = r->conn->dom;
	r->changed = true;
	if (r->txn) {
		struct tree_ledger ledger = txn_ledger(r->txn);

		request_apply(&r->txn->root, ch, &ledger);
		return;
	}
	/* Watches ask for the permissions of before, and for what was below it; a write leaves both. */
	if (before && ch->kind != CHANGE_VALUE)
		tree_get(before);
	request_apply(&store_root, ch, &quota_ledger);
	watch_fire(r->conn->dom, r->path, before, removes ? NULL : tree_find(store_root, r->path),
		   parent_of(store_root, r->path), removes);
	if (before && ch->kind != CHANGE_VALUE)
		tree_put(before);
}

/* A node's size as the quota counts it. */
uint64_t request_size(uint64_t value, uint64_t nr_perms, uint64_t kids_bytes)
{
	return 24 + 8 * nr_perms + value + kids_bytes;
}

/* May the caller make r->path, and what is missing above it, below the node above? */
int request_may_create(struct request *r, struct node *above, size_t value)
{
	struct domain *d = domain_need(r->conn->dom);
	size_t used, len;
	uint64_t missing = 0;
	const char *p;
	int err;

	tree_nearest(*request_tree(r), r->path, &used);
	p = r->path + (used == 1 ? 0 : used);
	len = strcspn(p + 1, "/");
	for (const char *s = p; *s; s++)
		missing += *s == '/';
	err = quota_check(d, QUOTA_NODE_SIZE, request_size(value, above->perms->n, 0));
	if (!err)
		err = quota_check(d, QUOTA_NODE_SIZE,
				  request_size(above->value->len, above->perms->n,
					       above->kids_bytes + len + 1ull));
	if (!err)
		err = quota_check(d, QUOTA_NODES,
				  d->nodes + missing +
				      (uint64_t)(int64_t)(r->txn ? txn_nodes(r->txn, d->id) : 0));
	return err;
}
