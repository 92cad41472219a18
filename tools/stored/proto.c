/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of <xen/io/xs_wire.h>, one function each. A function reads its strings, finds the nodes and asks for
 * permission, then changes; its answer or error is the reply. docs/store.md says where answers differ
 * from Xen's daemon.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

struct request {
	struct conn *conn;
	const struct xsd_sockmsg *m;
	char *payload; /* m->len bytes and a 0 */
	struct txn *txn;
	bool trial;      /* done again for a commit: nobody is told */
	bool changed;    /* the tree, or that of the transaction */
	uint64_t answer; /* digest of the answer */
	char path[PATH_MAX_ + 1];
};

/* ---- strings ----------------------------------------------------------------------------------------- */

/* Split the payload at its zeros; 0 when it does not end in one, or there are more than max. */
static unsigned strings(struct request *r, char **s, unsigned max)
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
static int absolute(struct request *r, const char *s, bool *relative)
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
static int only_path(struct request *r)
{
	bool relative;
	char *s[1];

	return strings(r, s, 1) == 1 ? absolute(r, s[0], &relative) : -EINVAL;
}

/* The same in every process: a transaction may be begun in one and ended in another. */
static uint64_t digest(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h ^ (h >> 29);
}

static void reply(struct request *r, const void *payload, size_t n)
{
	if (r->txn)
		r->answer = digest(payload, n);
	if (!r->trial)
		conn_reply(r->conn, r->m, payload, n);
}

static int reply_string(struct request *r, const char *s)
{
	reply(r, s, strlen(s) + 1);
	return 0;
}

static int ok(struct request *r)
{
	return reply_string(r, "OK");
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

static struct node **tree_of(struct request *r)
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
static int find(struct request *r, unsigned need, bool own, struct node **node, struct node **above)
{
	unsigned bits;
	size_t used;
	bool owner;

	*node = *above = tree_nearest(*tree_of(r), r->path, &used);
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

static void apply(struct node **root, const struct change *ch, struct tree_ledger *ledger)
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
static void change(struct request *r, struct change *ch, struct node *before)
{
	bool removes = ch->kind == CHANGE_REMOVE;

	ch->path = r->path;
	ch->owner = r->conn->dom;
	r->changed = true;
	if (r->txn) {
		struct tree_ledger ledger = txn_ledger(r->txn);

		apply(&r->txn->root, ch, &ledger);
		return;
	}
	/* Watches ask for the permissions of before, and for what was below it; a write leaves both. */
	if (before && ch->kind != CHANGE_VALUE)
		tree_get(before);
	apply(&store_root, ch, &quota_ledger);
	watch_fire(r->conn->dom, r->path, before, removes ? NULL : tree_find(store_root, r->path),
		   parent_of(store_root, r->path), removes);
	if (before && ch->kind != CHANGE_VALUE)
		tree_put(before);
}

/* A node's size as the quota counts it. */
static uint64_t size_with(uint64_t value, uint64_t nr_perms, uint64_t kids_bytes)
{
	return 24 + 8 * nr_perms + value + kids_bytes;
}

/* May the caller make r->path, and what is missing above it, below the node above? */
static int may_create(struct request *r, struct node *above, size_t value)
{
	struct domain *d = domain_need(r->conn->dom);
	size_t used, len;
	uint64_t missing = 0;
	const char *p;
	int err;

	tree_nearest(*tree_of(r), r->path, &used);
	p = r->path + (used == 1 ? 0 : used);
	len = strcspn(p + 1, "/");
	for (const char *s = p; *s; s++)
		missing += *s == '/';
	err = quota_check(d, QUOTA_NODE_SIZE, size_with(value, above->perms->n, 0));
	if (!err)
		err = quota_check(d, QUOTA_NODE_SIZE,
				  size_with(above->value->len, above->perms->n,
					    above->kids_bytes + len + 1ull));
	if (!err)
		err = quota_check(d, QUOTA_NODES,
				  d->nodes + missing +
				      (uint64_t)(int64_t)(r->txn ? txn_nodes(r->txn, d->id) : 0));
	return err;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static int op_read(struct request *r)
{
	struct node *node, *above;
	int err = only_path(r);

	if (!err)
		err = find(r, PERM_READ, false, &node, &above);
	if (!err)
		reply(r, node->value->data, node->value->len);
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

static int op_directory(struct request *r)
{
	struct node *node, *above;
	int err = only_path(r);
	char *text;

	if (!err)
		err = find(r, PERM_READ, false, &node, &above);
	if (err)
		return err;
	if (node->kids_bytes > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	text = list(node);
	reply(r, text, node->kids_bytes);
	free(text);
	return 0;
}

/* A generation is not what a transaction depends on: within it nobody else changes the list. */
static void reply_part(struct request *r, const char *answer, size_t n)
{
	size_t skip = strlen(answer);

	reply(r, answer, n);
	if (r->txn)
		r->answer = digest(answer + skip, n - skip);
}

/* As much of the list from the offset as fits, whole names; one 0 more says that it is the end. */
static int op_directory_part(struct request *r)
{
	char answer[XENSTORE_PAYLOAD_MAX], *s[2], *text;
	struct node *node, *above;
	unsigned long offset;
	bool relative;
	size_t n, fits;
	int err;

	if (strings(r, s, 2) != 2)
		return -EINVAL;
	err = absolute(r, s[0], &relative);
	if (!err)
		err = find(r, PERM_READ, false, &node, &above);
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

static int op_get_perms(struct request *r)
{
	char answer[XENSTORE_PAYLOAD_MAX];
	struct node *node, *above;
	size_t n = 0;
	int err = only_path(r);

	if (!err)
		err = find(r, PERM_READ, false, &node, &above);
	if (err)
		return err;
	for (uint32_t i = 0; i < node->perms->n && n + 8 < sizeof(answer); i++)
		n += (size_t)perm_print(&node->perms->entry[i], answer + n, sizeof(answer) - n) + 1;
	reply(r, answer, n);
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------------------------- */

static int op_write(struct request *r)
{
	char *zero = memchr(r->payload, 0, r->m->len);
	struct change ch = { .kind = CHANGE_VALUE };
	struct node *node, *above;
	bool relative;
	size_t len;
	int err;

	if (!zero)
		return -EINVAL;
	len = r->m->len - (size_t)(zero + 1 - r->payload);
	err = absolute(r, r->payload, &relative);
	if (!err)
		err = find(r, PERM_WRITE, false, &node, &above);
	if (err == -ENOENT) {
		ch.kind = CHANGE_MAKE;
		err = may_create(r, above, len);
	} else if (!err) {
		err = quota_check(domain_need(r->conn->dom), QUOTA_NODE_SIZE,
				  size_with(len, node->perms->n, node->kids_bytes));
	}
	if (err)
		return err;
	ch.value = blob_new(zero + 1, len);
	ok(r);
	change(r, &ch, node);
	blob_put(ch.value);
	return 0;
}

static int op_mkdir(struct request *r)
{
	struct change ch = { .kind = CHANGE_MAKE };
	struct node *node, *above;
	int err = only_path(r);

	if (err)
		return err;
	err = find(r, PERM_WRITE, false, &node, &above);
	if (!err)
		return ok(r);
	if (err == -ENOENT)
		err = may_create(r, above, 0);
	if (err)
		return err;
	ch.value = blob_new("", 0);
	ok(r);
	change(r, &ch, NULL);
	blob_put(ch.value);
	return 0;
}

static int op_rm(struct request *r)
{
	struct change ch = { .kind = CHANGE_REMOVE };
	struct node *node, *above;
	size_t used;
	int err = only_path(r);

	if (!err)
		err = find(r, PERM_WRITE, false, &node, &above);
	if (err == -ENOENT) {
		tree_nearest(*tree_of(r), r->path, &used);
		/* Fine, if only the leaf is missing. */
		return strrchr(r->path, '/') == r->path + (used == 1 ? 0 : used) ? ok(r) : -ENOENT;
	}
	if (!err && r->path[1] == 0)
		err = -EINVAL;
	if (err)
		return err;
	ok(r);
	change(r, &ch, node);
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
	return ok(r);
}

static int op_set_perms(struct request *r)
{
	struct change ch = { .kind = CHANGE_PERMS };
	struct perm entry[PERMS_MAX];
	struct node *node, *above;
	char *s[PERMS_MAX + 1];
	unsigned n, i;
	bool relative;
	int err;

	n = strings(r, s, PERMS_MAX + 1);
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
	err = absolute(r, s[0], &relative);
	if (!err)
		err = find(r, PERM_WRITE, true, &node, &above);
	if (err)
		return err;
	if (r->conn->dom != 0 && entry[0].id != node->perms->entry[0].id)
		return -EPERM;
	if (entry[0].id != node->perms->entry[0].id && !domain_known(entry[0].id))
		return -ENOENT;
	ch.perms = perms_new(entry, n);
	ok(r);
	change(r, &ch, node);
	perms_put(ch.perms);
	return 0;
}

/* ---- watches ---------------------------------------------------------------------------------------------- */

static int op_watch(struct request *r)
{
	bool relative = false;
	int err, depth = -1;
	unsigned n;
	char *s[3], *end;

	n = strings(r, s, 3);
	if (n < 2)
		return -EINVAL;
	if (n == 3) {
		unsigned long d = strtoul(s[2], &end, 10);

		if (s[2][0] < '0' || s[2][0] > '9' || *end || d > XENSTORE_ABS_PATH_MAX)
			return -EINVAL;
		depth = (int)d;
	}
	if (s[0][0] == '@') {
		if (strlen(s[0]) >= XENSTORE_REL_PATH_MAX)
			return -EINVAL;
		strcpy(r->path, s[0]);
	} else {
		err = absolute(r, s[0], &relative);
		if (err)
			return err;
	}
	if (strlen(r->path) + strlen(s[1]) + 2 > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	err = watch_add(r->conn, r->path, s[1], depth, relative);
	if (err)
		return err;
	ok(r);
	conn_event(r->conn, s[0], s[1], r->conn->dom);
	return 0;
}

static int op_unwatch(struct request *r)
{
	bool relative;
	char *s[3];
	int err;

	if (strings(r, s, 3) < 2)
		return -EINVAL;
	if (s[0][0] != '@' && absolute(r, s[0], &relative))
		return -ENOENT;
	err = watch_remove(r->conn, s[0][0] == '@' ? s[0] : r->path, s[1]);
	return err ? err : ok(r);
}

static int op_reset_watches(struct request *r)
{
	watch_remove_all(r->conn);
	txn_end_all(r->conn);
	return ok(r);
}

/* ---- transactions -------------------------------------------------------------------------------------------- */

static int op_transaction_start(struct request *r)
{
	char answer[16];
	uint32_t id;
	int err;

	if (r->txn)
		return -EBUSY;
	err = txn_start(r->conn, &id);
	if (err)
		return err;
	snprintf(answer, sizeof(answer), "%u", id);
	return reply_string(r, answer);
}

static int op_transaction_end(struct request *r)
{
	char *s[1];
	int err;

	if (strings(r, s, 1) != 1 || (strcmp(s[0], "T") != 0 && strcmp(s[0], "F") != 0))
		return -EINVAL;
	if (!r->txn)
		return -ENOENT;
	r->txn = NULL;
	err = txn_end(r->conn, r->m->tx_id, s[0][0] == 'T');
	return err ? err : ok(r);
}

/* ---- domains --------------------------------------------------------------------------------------------------- */

/* A request of dom0's of at least n strings; the first is a domain's number. */
static int toolstack(struct request *r, char **s, unsigned max, unsigned n, unsigned long *id)
{
	if (r->conn->dom != 0)
		return -EACCES;
	if (strings(r, s, max) < n)
		return -EINVAL;
	*id = strtoul(s[0], NULL, 10);
	return 0;
}

/* The same about one domain that is introduced. */
static int about(struct request *r, struct domain **d)
{
	unsigned long id;
	char *s[1];
	int err = toolstack(r, s, 1, 1, &id);

	if (err)
		return err;
	if (id == 0)
		return -EINVAL;
	*d = id < DOMAINS ? domain_find((unsigned)id) : NULL;
	return *d && (*d)->introduced ? 0 : -ENOENT;
}

static int op_introduce(struct request *r)
{
	unsigned long id, port;
	char *s[8];
	int err = toolstack(r, s, 8, 3, &id);

	if (err)
		return err;
	port = strtoul(s[2], NULL, 10);
	if (port == 0 || port > UINT32_MAX || id >= DOMAINS)
		return -EINVAL;
	if (!domain_known((domid)id))
		return -EINVAL;
	err = domain_introduce((domid)id, strtoull(s[1], NULL, 10), (uint32_t)port);
	return err ? err : ok(r);
}

static int op_release(struct request *r)
{
	struct domain *d;
	int err = about(r, &d);

	if (!err)
		err = domain_release(d);
	return err ? err : ok(r);
}

static int op_resume(struct request *r)
{
	struct domain *d;
	int err = about(r, &d);

	if (err)
		return err;
	d->shutdown = false;
	return ok(r);
}

static int op_set_target(struct request *r)
{
	struct domain *d, *target;
	unsigned long id, other;
	char *s[8];
	int err = toolstack(r, s, 8, 2, &id);

	if (err)
		return err;
	other = strtoul(s[1], NULL, 10);
	if (id == 0)
		return -EINVAL;
	d = id < DOMAINS ? domain_find((unsigned)id) : NULL;
	target = other < DOMAINS ? domain_find((unsigned)other) : NULL;
	if (!d || !d->introduced || (other != 0 && (!target || !target->introduced)))
		return -ENOENT;
	d->has_target = true;
	d->target = (domid)other;
	return ok(r);
}

static int op_get_domain_path(struct request *r)
{
	char answer[48], *s[1];

	if (strings(r, s, 1) != 1)
		return -EINVAL;
	snprintf(answer, sizeof(answer), "/local/domain/%u", (unsigned)strtol(s[0], NULL, 10));
	return reply_string(r, answer);
}

static int op_is_introduced(struct request *r)
{
	unsigned long id;
	struct domain *d;
	char *s[1];
	int err = toolstack(r, s, 1, 1, &id);

	if (err)
		return err;
	d = id < DOMAINS ? domain_find((unsigned)id) : NULL;
	return reply_string(r, id == 0 || (d && d->introduced) ? "T" : "F");
}

/* ---- control ------------------------------------------------------------------------------------------------------- */

static int control_quota(char **s, unsigned n, char *answer, size_t size)
{
	struct domain *d;
	size_t at;

	if (n == 4 && strcmp(s[1], "set") == 0) {
		snprintf(answer, size, "OK");
		return quota_set(s[2], strtoull(s[3], NULL, 10));
	}
	if (n == 1) {
		at = (size_t)snprintf(answer, size, "Quota settings:\n");
		for (unsigned q = 0; q < QUOTAS; q++)
			at += (size_t)snprintf(answer + at, size - at, "%-17s: %8llu\n",
					       quota_name[q], (unsigned long long)quota_limit[q]);
		return 0;
	}
	if (n != 2)
		return -EINVAL;
	d = domain_find((unsigned)strtoul(s[1], NULL, 10));
	if (!d)
		return -ENOENT;
	snprintf(answer, size,
		 "Domain %u:\nnodes           : %8u\nwatches         : %8u\ntransactions    : %8u\n"
		 "outstanding     : %8u\nmemory          : %8llu\nrefusals        : %8llu\n",
		 d->id, d->nodes, d->watches, d->transactions, d->outstanding,
		 (unsigned long long)d->memory, (unsigned long long)d->refusals);
	return 0;
}

static int control_quota_soft(char **s, unsigned n, char *answer, size_t size)
{
	if (n == 4 && strcmp(s[1], "set") == 0 && strcmp(s[2], "memory") == 0) {
		quota_soft_memory = strtoull(s[3], NULL, 10);
		snprintf(answer, size, "OK");
		return 0;
	}
	if (n != 1)
		return -EINVAL;
	snprintf(answer, size, "Quota settings:\n%-17s: %8llu\n", "memory",
		 (unsigned long long)quota_soft_memory);
	return 0;
}

static int op_control(struct request *r)
{
	char answer[2048] = "OK", *s[16], *theirs = NULL;
	unsigned n;
	int err;

	if (r->conn->dom != 0)
		return -EACCES;
	n = strings(r, s, 16);
	if (n == 0)
		return -EINVAL;
	if (strcmp(s[0], "quota") == 0) {
		err = control_quota(s, n, answer, sizeof(answer));
	} else if (strcmp(s[0], "quota-soft") == 0) {
		err = control_quota_soft(s, n, answer, sizeof(answer));
	} else if (strcmp(s[0], "check") == 0) {
		store_check();
		err = 0;
	} else if (strcmp(s[0], "help") == 0) {
		snprintf(
		    answer, sizeof(answer),
		    "check\t\nhelp\t\nlive-update\t[-f <file>|-c <cmdline>|-s|-a]\nlog\ton|off\n"
		    "memreport\t\nprint\t<string>\nquota\t[set <name> <val>|<domid>]\n"
		    "quota-soft\t[set <name> <val>]\n");
		err = 0;
	} else {
		err = store_host->control ? store_host->control(r->conn, s, n, &theirs) : -ENOSYS;
		err = err == -ENOSYS ? -EINVAL : err;
	}
	if (!err)
		reply_string(r, theirs ? theirs : answer);
	free(theirs);
	return err;
}

/* ---- dispatch -------------------------------------------------------------------------------------------------------- */

static int dispatch(struct request *r)
{
	switch (r->m->type) {
	case XS_CONTROL: return op_control(r);
	case XS_DIRECTORY: return op_directory(r);
	case XS_READ: return op_read(r);
	case XS_GET_PERMS: return op_get_perms(r);
	case XS_WATCH: return op_watch(r);
	case XS_UNWATCH: return op_unwatch(r);
	case XS_TRANSACTION_START: return op_transaction_start(r);
	case XS_TRANSACTION_END: return op_transaction_end(r);
	case XS_INTRODUCE: return op_introduce(r);
	case XS_RELEASE: return op_release(r);
	case XS_GET_DOMAIN_PATH: return op_get_domain_path(r);
	case XS_WRITE: return op_write(r);
	case XS_MKDIR: return op_mkdir(r);
	case XS_RM: return op_rm(r);
	case XS_SET_PERMS: return op_set_perms(r);
	case XS_IS_DOMAIN_INTRODUCED: return op_is_introduced(r);
	case XS_RESUME: return op_resume(r);
	case XS_SET_TARGET: return op_set_target(r);
	case XS_RESET_WATCHES: return op_reset_watches(r);
	case XS_DIRECTORY_PART: return op_directory_part(r);
	default: return -ENOSYS;
	}
}

static const char *error_name(int err)
{
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (xsd_errors[i].errnum == -err)
			return xsd_errors[i].errstring;
	return "EINVAL";
}

/* Requests that a transaction's outcome rests on. */
static bool is_logged(const struct request *r)
{
	switch (r->m->type) {
	case XS_DIRECTORY:
	case XS_DIRECTORY_PART:
	case XS_READ:
	case XS_GET_PERMS:
	case XS_WRITE:
	case XS_MKDIR:
	case XS_RM:
	case XS_SET_PERMS: return r->payload[0] != '@';
	default: return false;
	}
}

static int run(struct request *r)
{
	struct xsd_sockmsg error;
	const char *name;
	int err = dispatch(r);

	if (!err)
		return 0;
	name = error_name(err);
	error = *r->m;
	error.type = XS_ERROR;
	r->answer = digest(name, strlen(name) + 1) + 1; /* a value may be spelt like an error */
	if (!r->trial)
		conn_reply(r->conn, &error, name, strlen(name) + 1);
	return err;
}

static int join_txn(struct request *r)
{
	if (!r->m->tx_id || r->m->type == XS_WATCH || r->m->type == XS_UNWATCH)
		return 0;
	r->txn = txn_find(r->conn, r->m->tx_id);
	if (!r->txn)
		return -ENOENT;
	return is_logged(r) ? txn_may_grow(r->conn, r->txn) : 0;
}

void proto_message(struct conn *c, const struct xsd_sockmsg *m, char *payload)
{
	static struct request request; /* its path is long */
	struct request *r = &request;
	struct xsd_sockmsg error = *m;
	const char *name;
	int err;

	r->conn = c;
	r->m = m;
	r->payload = payload;
	r->txn = NULL;
	r->trial = r->changed = false;
	err = join_txn(r);
	if (err) {
		name = error_name(err);
		error.type = XS_ERROR;
		conn_reply(c, &error, name, strlen(name) + 1);
		return;
	}
	run(r);
	if (r->txn && is_logged(r))
		txn_log(c, r->txn, m->type, payload, m->len, r->answer, r->changed);
}

uint64_t proto_try(struct conn *c, struct txn *t, struct txn_entry *e)
{
	static struct request request;
	struct request *r = &request;
	const struct xsd_sockmsg m = { .type = e->type, .tx_id = t->id, .len = e->len };

	r->conn = c;
	r->m = &m;
	r->payload = e->payload;
	r->txn = t;
	r->trial = true;
	r->changed = false;
	run(r);
	e->changed = r->changed;
	r->m = NULL;
	return r->answer;
}

const char *proto_path(struct conn *c, const struct txn_entry *e)
{
	static struct request request;
	bool relative;

	request.conn = c;
	return absolute(&request, e->payload, &relative) ? NULL : request.path;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

void store_init(uint64_t seed, const struct store_host *host)
{
	struct perm dom0 = { 0, PERM_NONE };
	struct change first = { .kind = CHANGE_MAKE, .path = "/tool/xenstored" };

	tree_init(seed);
	domain_need(0)->introduced = true;
	store_host = host;
	watch_order = 0;
	for (int i = 0; i < 2; i++)
		special_perms[i] = perms_new(&dom0, 1);
	store_root = tree_new(&quota_ledger);
	first.value = blob_new("", 0);
	apply(&store_root, &first, &quota_ledger);
	blob_put(first.value);
}

void store_fini(void)
{
	while (conns)
		conn_free(conns);
	tree_put(store_root);
	store_root = NULL;
	for (int i = 0; i < 2; i++) {
		perms_put(special_perms[i]);
		special_perms[i] = NULL;
	}
	quota_fini();
}
