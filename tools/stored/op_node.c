/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on nodes, one function each. A function reads its strings, finds the nodes and asks for permission, then changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

/* ---- reading ------------------------------------------------------------------------------------------- */

int op_read(struct request *r)
{
	struct node *node, *above;
	int err = request_path(r);

	if (!err)
		err = request_find(r, PERM_READ, false, &node, &above);
	if (!err)
		request_reply(r, node->value->data, node->value->len);
	return err;
}

/* All children's names, each with its 0, oldest first. The caller frees it. */
static char *list(struct node *node)
{
	struct node **kids = must_alloc((node->nr_kids + 1) * sizeof(*kids));
	char *text = must_alloc(node->kids_bytes + 1), *p = text;

	tree_list(node, kids);
	for (uint32_t i = 0; i < node->nr_kids; i++) {
		memcpy(p, kids[i]->name->text, kids[i]->name->len + 1);
		p += kids[i]->name->len + 1;
	}
	free((void *)kids);
	return text;
}

int op_directory(struct request *r)
{
	struct node *node, *above;
	int err = request_path(r);
	char *text;

	if (!err)
		err = request_find(r, PERM_READ, false, &node, &above);
	if (err)
		return err;
	if (node->kids_bytes > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	text = list(node);
	request_reply(r, text, node->kids_bytes);
	free(text);
	return 0;
}

/* A generation is not what a transaction depends on: within it nobody else changes the list. */
static void reply_part(struct request *r, const char *answer, size_t n)
{
	size_t skip = strlen(answer);

	request_reply(r, answer, n);
	if (r->txn)
		r->answer = request_digest(answer + skip, n - skip);
}

/* As much of the list from the offset as fits, whole names; one 0 more says that it is the end. */
int op_directory_part(struct request *r)
{
	char answer[XENSTORE_PAYLOAD_MAX], *s[2], *text;
	struct node *node, *above;
	unsigned long offset;
	bool relative;
	size_t n, fits;
	int err;

	if (request_strings(r, s, 2) != 2)
		return -EINVAL;
	err = request_absolute(r, s[0], &relative);
	if (!err)
		err = request_find(r, PERM_READ, false, &node, &above);
	if (err)
		return err;
	offset = strtoul(s[1], NULL, 10);
	n = (size_t)snprintf(answer, sizeof(answer), "%llu", (unsigned long long)node->generation) +
	    1;
	if (offset >= node->kids_bytes) {
		answer[n++] = 0;
		reply_part(r, answer, n);
		return 0;
	}
	text = list(node);
	fits = node->kids_bytes - offset;
	if (n + fits + 1 > sizeof(answer))
		for (fits = sizeof(answer) - n; fits > 0 && text[offset + fits - 1]; fits--)
			continue;
	memcpy(answer + n, text + offset, fits);
	n += fits;
	if (offset + fits == node->kids_bytes && n < sizeof(answer))
		answer[n++] = 0;
	free(text);
	reply_part(r, answer, n);
	return 0;
}

int op_get_perms(struct request *r)
{
	char answer[XENSTORE_PAYLOAD_MAX];
	struct node *node, *above;
	size_t n = 0;
	int err = request_path(r);

	if (!err)
		err = request_find(r, PERM_READ, false, &node, &above);
	if (err)
		return err;
	for (uint32_t i = 0; i < node->perms->n && n + 8 < sizeof(answer); i++)
		n += (size_t)perm_print(&node->perms->entry[i], answer + n, sizeof(answer) - n) + 1;
	request_reply(r, answer, n);
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------------------------- */

int op_write(struct request *r)
{
	char *zero = memchr(r->payload, 0, r->m->len);
	struct change ch = { .kind = CHANGE_VALUE };
	struct node *node = NULL, *above = NULL;
	bool relative;
	size_t len;
	int err;

	if (!zero)
		return -EINVAL;
	len = r->m->len - (size_t)(zero + 1 - r->payload);
	err = request_absolute(r, r->payload, &relative);
	if (!err)
		err = request_find(r, PERM_WRITE, false, &node, &above);
	if (err == -ENOENT) {
		ch.kind = CHANGE_MAKE;
		err = request_may_create(r, above, len);
	} else if (!err) {
		err = quota_check(domain_need(r->conn->dom), QUOTA_NODE_SIZE,
				  request_size(len, node->perms->n, node->kids_bytes));
	}
	if (err)
		return err;
	ch.value = blob_new(zero + 1, len);
	request_done(r);
	request_change(r, &ch, node);
	blob_put(ch.value);
	return 0;
}

int op_mkdir(struct request *r)
{
	struct change ch = { .kind = CHANGE_MAKE };
	struct node *node, *above = NULL;
	int err = request_path(r);

	if (err)
		return err;
	err = request_find(r, PERM_WRITE, false, &node, &above);
	if (!err)
		return request_done(r);
	if (err == -ENOENT)
		err = request_may_create(r, above, 0);
	if (err)
		return err;
	ch.value = blob_new("", 0);
	request_done(r);
	request_change(r, &ch, NULL);
	blob_put(ch.value);
	return 0;
}

int op_rm(struct request *r)
{
	struct change ch = { .kind = CHANGE_REMOVE };
	struct node *node, *above;
	size_t used;
	int err = request_path(r);

	if (!err)
		err = request_find(r, PERM_WRITE, false, &node, &above);
	if (err == -ENOENT) {
		tree_nearest(*request_tree(r), r->path, &used);
		/* Fine, if only the leaf is missing. */
		return strrchr(r->path, '/') == r->path + (used == 1 ? 0 : used) ? request_done(r)
										 : -ENOENT;
	}
	if (!err && r->path[1] == 0)
		err = -EINVAL;
	if (err)
		return err;
	request_done(r);
	request_change(r, &ch, node);
	return 0;
}

#define PERMS_MAX 512

static int set_special_perms(struct request *r, const char *name, const struct perm *entry,
			     unsigned n)
{
	int i = special_index(name);

	if (i < 0)
		return -EINVAL;
	if (r->conn->dom != 0)
		return -EACCES;
	perms_put(special_perms[i]);
	special_perms[i] = perms_new(entry, n);
	return request_done(r);
}

int op_set_perms(struct request *r)
{
	struct change ch = { .kind = CHANGE_PERMS };
	struct perm entry[PERMS_MAX];
	struct node *node, *above;
	char *s[PERMS_MAX + 1];
	unsigned n, i;
	bool relative;
	int err;

	n = request_strings(r, s, PERMS_MAX + 1);
	if (n < 2)
		return -EINVAL;
	n--;
	for (i = 0; i < n; i++)
		if (perm_parse(s[i + 1], &entry[i]))
			return -EINVAL;
	err = quota_check(domain_need(r->conn->dom), QUOTA_PERMS, n);
	if (err)
		return err;
	if (s[0][0] == '@')
		return set_special_perms(r, s[0], entry, n);
	err = request_absolute(r, s[0], &relative);
	if (!err)
		err = request_find(r, PERM_WRITE, true, &node, &above);
	if (err)
		return err;
	if (r->conn->dom != 0 && entry[0].id != node->perms->entry[0].id)
		return -EPERM;
	if (entry[0].id != node->perms->entry[0].id && !domain_known(entry[0].id))
		return -ENOENT;
	ch.perms = perms_new(entry, n);
	request_done(r);
	request_change(r, &ch, node);
	perms_put(ch.perms);
	return 0;
}
