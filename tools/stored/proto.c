/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message becomes an operation of <xen/io/xs_wire.h>, whose answer or error is the reply. Watches and transactions are here, nodes in
 * op_node.c, domains in op_domain.c. docs/store.md says where answers differ from Xen's daemon.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

/* ---- watches ---------------------------------------------------------------------------------------------- */

static int op_watch(struct request *r)
{
	bool relative = false;
	int err, depth = -1;
	unsigned n;
	char *s[3], *end;

	n = request_strings(r, s, 3);
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
		err = request_absolute(r, s[0], &relative);
		if (err)
			return err;
	}
	if (strlen(r->path) + strlen(s[1]) + 2 > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	err = watch_add(r->conn, r->path, s[1], depth, relative);
	if (err)
		return err;
	request_done(r);
	conn_event(r->conn, s[0], s[1], r->conn->dom);
	return 0;
}

static int op_unwatch(struct request *r)
{
	bool relative;
	char *s[3];
	int err;

	if (request_strings(r, s, 3) < 2)
		return -EINVAL;
	if (s[0][0] != '@' && request_absolute(r, s[0], &relative))
		return -ENOENT;
	err = watch_remove(r->conn, s[0][0] == '@' ? s[0] : r->path, s[1]);
	return err ? err : request_done(r);
}

static int op_reset_watches(struct request *r)
{
	watch_remove_all(r->conn);
	txn_end_all(r->conn);
	return request_done(r);
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
	return request_reply_string(r, answer);
}

static int op_transaction_end(struct request *r)
{
	char *s[1];
	int err;

	if (request_strings(r, s, 1) != 1 || (strcmp(s[0], "T") != 0 && strcmp(s[0], "F") != 0))
		return -EINVAL;
	if (!r->txn)
		return -ENOENT;
	r->txn = NULL;
	err = txn_end(r->conn, r->m->tx_id, s[0][0] == 'T');
	return err ? err : request_done(r);
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
	r->answer = request_digest(name, strlen(name) + 1) +
		    1; /* a value may be spelt like an error */
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
	if (r->m->type != XS_TRANSACTION_END)
		txn_catch_up(r->conn, r->txn);
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
	return request_absolute(&request, e->payload, &relative) ? NULL : request.path;
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
	request_apply(&store_root, &first, &quota_ledger);
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
