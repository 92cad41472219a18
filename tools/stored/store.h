/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store without its surroundings: connections, domains, transactions, watches, quotas and the protocol.
 *
 * It knows no file descriptor and no clock. What happens to it is told by the functions marked (input); given the
 * same inputs in the same order it does the same again, byte for byte. The journal (journal.h) rests on
 * that: it records the inputs, and after a crash they are played again. What the store must ask of its
 * surroundings goes through struct store_host, whose answers are recorded too.
 *
 * Errors inside are negative errno values that xs_wire.h has a name for. One thread; no locks.
 */
#ifndef STORED_STORE_H
#define STORED_STORE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <xen/io/xs_wire.h>
#include "tree.h"

#define DOMAINS     0x7ff0u /* DOMID_FIRST_RESERVED */
#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
#define PATH_MAX_   (XENSTORE_ABS_PATH_MAX + 1)

/* ---- domains and quotas (quota.c) ------------------------------------------------------------------- */

enum quota {
	QUOTA_NODES,
	QUOTA_WATCHES,
	QUOTA_TRANSACTIONS,
	QUOTA_OUTSTANDING,
	QUOTA_TX_NODES,
	QUOTA_MEMORY,
	QUOTA_NODE_SIZE,
	QUOTA_PATH,
	QUOTA_PERMS,
	QUOTAS
};

struct domain {
	domid id;
	bool introduced;
	bool shutdown;    /* @releaseDomain has told of it */
	bool has_target;  /* acts for target as well (SET_TARGET) */
	bool over_memory; /* says so once, until it is below again */
	char state;       /* the surroundings': what Xen said last */
	domid target;
	uint32_t nodes;
	uint32_t watches;
	uint32_t transactions;
	uint32_t outstanding; /* events that its requests caused and nobody has taken yet */
	uint64_t memory;      /* bytes of its nodes, watches and transactions */
	uint64_t refusals;
	uint64_t gfn;
	uint32_t port;     /* the domain's end of its store event channel */
	struct conn *conn; /* its ring; NULL: not connected */
	struct domain *next;
	struct {
		uint32_t nodes, watches, transactions;
		uint64_t bytes;
	} counted; /* by store_check */
};

extern struct domain *domains; /* all that are known, in no order */

extern uint64_t quota_limit[QUOTAS], quota_soft_memory;
extern const char *const quota_name[QUOTAS];

struct domain *domain_find(unsigned id); /* NULL: nothing is known of it */
struct domain *domain_need(domid id);    /* makes it when needed */
void domain_drop(struct domain *d);      /* forgets one that owns nothing and has no ring */

/* 0, or the error for going beyond a quota, which is logged: whose, which, how full. */
int quota_check(struct domain *d, enum quota which, uint64_t actual);
int quota_set(const char *name, uint64_t limit);                   /* -EINVAL: no such quota */
void quota_charge(void *context, domid id, int nodes, long bytes); /* a tree_charge */
extern struct tree_ledger quota_ledger;                            /* charges domains at once */
void memory_charge(struct domain *d, long bytes);
void quota_fini(void);

/* ---- permissions (perm.c) ---------------------------------------------------------------------------- */

/* What connection c may do: PERM_READ | PERM_WRITE; *owner is set when it owns the node. */
unsigned perm_of(const struct conn *c, const struct perms *p, bool *owner);
/* "w5" and its like; a negative error when s is none. */
int perm_parse(const char *s, struct perm *p);
int perm_print(const struct perm *p, char *s, size_t size); /* its length without the 0 */

/* ---- connections (conn.c) ------------------------------------------------------------------------------ */

/* An event on its way, to be taken off the account of the domain that caused it. */
struct pending {
	uint64_t end; /* position in the output of the byte after it */
	domid cause;
};

/* Where a ring stands: the page's own free-running counters for what we took and put, and our port. */
struct ring_state {
	uint32_t req_cons, rsp_prod;
	uint32_t port; /* ours, by which the peer is notified */
};

struct conn {
	uint32_t id;
	domid dom; /* 0 for every socket */
	bool is_ring;
	bool dead; /* broke the protocol, or its peer is gone; closed when the input is done with */
	uint8_t error; /* XENSTORE_ERROR_* for a dead ring */

	struct ring_state ring; /* what the page of a ring must say */

	uint8_t *in; /* part of a message */
	uint32_t in_len, in_size;

	uint8_t *out; /* what is to be sent: out[out_at .. out_end) */
	uint32_t out_at, out_end, out_size;
	uint64_t out_done; /* bytes sent since the connection began */
	struct pending *pending;
	uint32_t pending_at, pending_end, pending_size;

	struct watch *watches, **watches_tail;
	struct txn *txns;
	uint32_t next_txn;

	struct conn *next, *prev; /* all connections */
	struct conn *next_in_bucket;
	void *host;     /* the surroundings' */
	uint32_t saved; /* the last save of the state (upgrade_save.c) that it is in, or came after */
	bool dirty;     /* on the list of those with fresh output */
	struct conn *next_dirty;
};

extern struct conn *conns;
extern uint32_t nr_conns;

/* A state being saved must have a connection as it was when that began: before it changes it is written. */
extern uint32_t conn_saves; /* saves that were begun */
extern void (*conn_save)(struct conn *c);
static inline void conn_touch(struct conn *c)
{
	if (c->saved != conn_saves)
		conn_save(c);
}

/* Told of a connection that is about to be freed and still has ->host. */
extern void (*conn_leaves)(struct conn *c);
/* Somebody whom conn_may_read() held up may go on; whoever acts on it clears it. */
extern bool conn_let_on;

struct conn *conn_find(uint32_t id);
struct conn *conn_new(uint32_t id, domid dom, bool is_ring); /* (input) */
void conn_free(struct conn *c);  /* (input) watches and transactions go with it */
void conn_reset(struct conn *c); /* (input) nothing read or queued, no watches or transactions */
/* (input) Bytes from the peer; every whole message in them is carried out. */
void conn_input(struct conn *c, const void *bytes, size_t n);
/* (input) The peer has taken nothing for long: whoever caused its events is no longer held up for it. */
void conn_forgive(struct conn *c);
void conn_sent(struct conn *c, size_t n); /* (input) the first n bytes of the output are out */
static inline uint32_t conn_queued(const struct conn *c)
{
	return c->out_end - c->out_at;
}
bool conn_may_read(const struct conn *c); /* or must its peer wait until it has taken something? */
void conn_reply(struct conn *c, const struct xsd_sockmsg *request, const void *payload, size_t n);
void conn_event(struct conn *c, const char *path, const char *token, domid cause);
struct conn *conn_next_dirty(void); /* takes the next one off the list of those with fresh output */

/* ---- watches (watch.c) ---------------------------------------------------------------------------------- */

struct watch {
	struct conn *conn;
	struct wnode *at;
	uint64_t order;
	int32_t depth; /* -1: any */
	uint32_t skip; /* how much of a path to leave out: the watch was set on a relative path */
	char *token;   /* behind path, in one allocation */
	struct watch *next_at, *back; /* on the same path, the oldest first */
	struct watch *next_of_conn, **link_of_conn;
	char path[]; /* absolute */
};

int watch_add(struct conn *c, const char *path, const char *token, int depth, bool relative);
int watch_remove(struct conn *c, const char *path, const char *token);
/* One of a saved state: nothing is checked or charged for memory. */
void watch_restore(struct conn *c, const char *path, const char *token, uint64_t order,
		   int32_t depth, uint32_t skip);
void watch_remove_all(struct conn *c);
/*
 * Tell of a change at path: before and after are its node then and now, NULL where there was none; parent is the
 * one above it. Told is whoever may read one of them. removed: it was taken out (it may be there again), which those below are told too.
 */
void watch_fire(domid cause, const char *path, struct node *before, struct node *after,
		struct node *parent, bool removed);
/* "@introduceDomain" or "@releaseDomain". */
void watch_fire_special(const char *name, domid id);
extern struct perms *special_perms[2]; /* who besides dom0 hears of them */
int special_index(const char *path);   /* 0, 1, or -1 */
extern uint64_t watch_order;
void watch_check(void); /* aborts when an invariant is broken */

/* ---- transactions (txn.c) ---------------------------------------------------------------------------------- */

/* A request of a transaction and a digest of the answer that it got. */
struct txn_entry {
	uint32_t type, len;
	uint64_t answer;
	bool changed; /* the tree */
	char *payload;
};

struct txn_share {
	domid id;
	int nodes;
	long bytes;
};

struct txn {
	uint32_t id;
	struct node *base, *root;
	bool behind; /* its one change is not in root */
	bool failed; /* what it was answered is not so any more: it ends with EAGAIN */
	struct txn_entry *entries;
	uint32_t nr_entries, last_change; /* entries up to the last one that changed something */
	struct txn_share *shares;         /* what it changes of what domains own */
	uint32_t nr_shares;
	uint64_t memory; /* charged to its domain */
	struct txn *next;
};

extern uint32_t nr_txns; /* of all connections */
int txn_start(struct conn *c, uint32_t *id);
int txn_end(struct conn *c, uint32_t id, bool commit);
struct txn *txn_find(struct conn *c, uint32_t id);
void txn_end_all(struct conn *c);
/* May another request be part of it? 0 or an error. */
int txn_may_grow(struct conn *c, const struct txn *t);
/* Before a request of the transaction is carried out: its tree has all that it changed. */
void txn_catch_up(struct conn *c, struct txn *t);
void txn_log(struct conn *c, struct txn *t, uint32_t type, const char *payload, uint32_t len,
	     uint64_t answer, bool changed);
struct tree_ledger txn_ledger(struct txn *t);
int txn_nodes(const struct txn *t, domid id);
/* One of a saved state: nothing is checked or charged. */
void txn_restore_entry(struct txn *t, const struct txn_entry *e);

/* A change of the tree. */
enum change_kind { CHANGE_VALUE, CHANGE_MAKE, CHANGE_REMOVE, CHANGE_PERMS };

struct change {
	enum change_kind kind;
	domid owner; /* of nodes that are made */
	const char *path;
	struct blob *value;
	struct perms *perms;
};

/* ---- the whole (proto.c, domain.c) ---------------------------------------------------------------------------- */

/* What the store asks of its surroundings. */
struct store_host {
	/* Connect to a domain's ring: 0 or a negative error. */
	int (*introduce)(domid id, uint64_t gfn, uint32_t port, struct ring_state *start);
	void (*release)(domid id);
	bool (*domain_exists)(unsigned id);
	/* CONTROL commands that are not the store's: -ENOSYS when unknown; *answer is malloc'ed. */
	int (*control)(struct conn *c, char **argv, unsigned argc, char **answer);
};

extern struct node *store_root;
extern const struct store_host *store_host;
extern void (*store_log)(const char *line); /* NULL: silence */

void store_init(uint64_t seed, const struct store_host *host);
void store_fini(void);  /* for tests: everything is freed */
void store_check(void); /* recounts everything; aborts when an account is wrong */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* For what keeps a server from serving: on standard error too, and the process ends with 1. */
_Noreturn void log_end(const char *format, ...) __attribute__((format(printf, 1, 2)));

void proto_message(struct conn *c, const struct xsd_sockmsg *m,
		   char *payload); /* payload[m->len] is 0 */
/* Run a transaction's request on t->root and nowhere else: the digest of its answer. */
uint64_t proto_try(struct conn *c, struct txn *t, struct txn_entry *e);
/* The absolute path that a request is about, in a static buffer; NULL when it is not well formed. */
const char *proto_path(struct conn *c, const struct txn_entry *e);

bool domain_known(domid id); /* is it introduced, or at least there? */
int domain_introduce(domid id, uint64_t gfn, uint32_t port);
int domain_release(struct domain *d);
/* (input) Xen says that these domains are gone or have shut down. */
void domain_gone(domid id);
void domain_shut_down(domid id);
struct node *parent_of(struct node *root, const char *path);

#endif
