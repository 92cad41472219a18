/* SPDX-License-Identifier: Apache-2.0 */
/* One request while it is carried out. Errors are negative errno values that xs_wire.h has a name for. */
#ifndef STORED_REQUEST_H
#define STORED_REQUEST_H

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

/* ---- what operations are made of (request.c) ------------------------------------------------------------ */

/* Split the payload at its zeros into at most `max` strings: how many; 0 when it does not end in one, or there are more. */
unsigned request_strings(struct request *r, char **s, unsigned max);
/* r->path becomes the path `s`, below the caller's home if it is *relative. -EINVAL: no path, or too long. */
int request_absolute(struct request *r, const char *s, bool *relative);
/* The same for a payload that is one path. */
int request_path(struct request *r);

/* The answer, unless the request is only tried again; in a transaction its digest is kept. */
void request_reply(struct request *r, const void *payload, size_t n);
int request_reply_string(struct request *r, const char *s); /* 0 */
int request_done(struct request *r);                        /* "OK": 0 */
/* Of an answer; the same in every process: a transaction may be begun in one and ended in another. */
uint64_t request_digest(const void *bytes, size_t n);

/* The tree that the request is about: the store's, or its transaction's. */
struct node **request_tree(struct request *r);
/*
 * The node at r->path, if the caller may do with it what `need` (PERM_*) says, and owns it if `own`. A missing one is -ENOENT to whom
 * the nearest node above it would allow that, -EACCES to others; *above is that node then, else the node itself.
 */
int request_find(struct request *r, unsigned need, bool own, struct node **node,
		 struct node **above);
/* A node's size as the quota counts it. */
uint64_t request_size(uint64_t value, uint64_t nr_perms, uint64_t kids_bytes);
/* May the caller's quotas bear r->path, with `value` bytes, and what is missing above it, below the node `above`? 0 or what is refused. */
int request_may_create(struct request *r, struct node *above, size_t value);
/* Change the tree at r->path, where `before` was (NULL: nothing); watches are told when there is no commit to wait for. */
void request_change(struct request *r, struct change *ch, struct node *before);

/* One change of the tree at *root, charged to `ledger`; nobody is told. */
void request_apply(struct node **root, const struct change *ch, struct tree_ledger *ledger);

/* ---- operations: 0, or the error that is answered ---------------------------------------------------------- */

/* op_node.c */
int op_read(struct request *r);
int op_directory(struct request *r);
int op_directory_part(struct request *r);
int op_get_perms(struct request *r);
int op_write(struct request *r);
int op_mkdir(struct request *r);
int op_rm(struct request *r);
int op_set_perms(struct request *r);

/* op_domain.c */
int op_introduce(struct request *r);
int op_release(struct request *r);
int op_resume(struct request *r);
int op_set_target(struct request *r);
int op_get_domain_path(struct request *r);
int op_is_introduced(struct request *r);
int op_control(struct request *r);

#endif
