/* SPDX-License-Identifier: Apache-2.0 */
/* Writing nodes of the store, several in one transaction: the first failure stays and makes the others nothing. */
#ifndef TOOLS_DOMAIN_STORE_WRITE_H
#define TOOLS_DOMAIN_STORE_WRITE_H

#include "create.h"

#define STORE_PATH_MAX 256

/* Who may do what with a node, beside the tools in domain 0, which may do all. */
enum store_access { STORE_TOOLS, STORE_GUEST_READS, STORE_GUEST_OWNS, STORE_GUEST_OWNS_ALONE };

struct store_write {
	struct store_client *client;
	client_txn t;
	uint16_t domid; /* the guest of the permissions */
	int err;        /* the first failure, a negative errno value */
	char at[STORE_PATH_MAX];
};

/* What store_put() writes is below this path. */
void store_below(struct store_write *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A node below w->at ("": that itself) with its text and permissions. */
void store_put(struct store_write *w, enum store_access access, const char *name,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Run `fill` in a transaction, again when somebody else disturbs it. False: errno. */
MUST_USE bool store_transaction(struct store_client *client, uint16_t domid,
				void (*fill)(struct store_write *w, void *arg), void *arg);

/* A node's text into `buf`; false, and "": there is none. */
bool store_get(const struct system *s, char *buf, size_t room, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The names below a node, none if there is no such node; for client_next_name(), and then client_names_free(). */
void store_children(const struct system *s, struct client_names *names, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Write a node that has its permissions already, or is the tools' alone. */
void store_set(const struct system *s, const char *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Remove a node with all below it, if it is there. */
void store_drop(const struct system *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
