/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the store daemon: the requests of xen/io/xs_wire.h, one at a time, with their answers. Two back ends carry the bytes: the daemon's
 * socket or the kernel's device (linux.c), and a store within the same process (tests). Watch events that arrive
 * before an answer are kept, in order, until client_event() is called.
 *
 * Calls return 0 or more, or a negative errno value: the daemon's own (-ENOENT, -EACCES, -EAGAIN, ...), -EPIPE when it is gone, -EPROTO when
 * what it says is no answer, -ENOMEM, -E2BIG when something does not fit. After -EPIPE and -EPROTO the connection is of no more use.
 * A client is used by one thread at a time. Paths and values are those of docs/misc/xenstore.txt of Xen.
 */
#ifndef TOOLS_STORE_CLIENT_H
#define TOOLS_STORE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef MUST_USE
#define MUST_USE __attribute__((warn_unused_result))
#endif

struct store_client;

/* What a back end does. */
struct client_ops {
	/* All `n` bytes: 0, or a negative errno value. */
	int (*send)(struct store_client *c, const void *bytes, size_t n);
	/* Between 1 and `n` bytes; 0: none are there (only without `wait`). -EPIPE: there will be none. */
	ssize_t (*receive)(struct store_client *c, void *bytes, size_t n, bool wait);
	int (*fd)(struct store_client *c);
	void (*close)(struct store_client *c);
};

struct store_client {
	const struct client_ops *ops;
	uint32_t last_request;
	struct client_kept *kept, **kept_tail; /* events not asked for yet */
	uint8_t *part;                         /* a message of which not all has arrived */
	size_t part_len;
	struct client_gathered *gathered; /* while gathering */
};

/* The daemon of this system; NULL with errno. client_init() is for back ends. */
struct store_client *client_open(void);
void client_init(struct store_client *c, const struct client_ops *ops);
void client_close(struct store_client *c);
/* Becomes readable when an event or an answer arrives: for poll(). Look with client_event() before sleeping, for one may be kept. */
int client_fd(struct store_client *c);

/* A transaction; 0 stands for none in every call below. */
typedef uint32_t client_txn;
MUST_USE int client_begin(struct store_client *c, client_txn *t);
/* Make it happen, or drop it. -EAGAIN: somebody else changed what it had read; nothing happened, do it again. */
MUST_USE int client_end(struct store_client *c, client_txn t, bool commit);

/* A node's value into `value`, ended by a zero byte that is not counted: its length. -E2BIG: `room` is too small. */
MUST_USE int client_read(struct store_client *c, client_txn t, const char *path, char *value,
			 size_t room);
/* Makes the node, and those above it, when it is not there. */
MUST_USE int client_write(struct store_client *c, client_txn t, const char *path, const void *value,
			  size_t n);
MUST_USE int client_make(struct store_client *c, client_txn t, const char *path);
/*
 * What is written from here to client_flush() (client_write, client_permit) is sent together: each returns 0, or an error of those before it, and what the daemon says to
 * all of them comes with client_flush(): 0, or the first error. Whatever else is asked meanwhile sends them first.
 */
void client_gather(struct store_client *c);
MUST_USE int client_flush(struct store_client *c);
/* A node with all below it; -ENOENT only when the node above it is missing too. */
MUST_USE int client_remove(struct store_client *c, client_txn t, const char *path);

/* Names of nodes, each ended by a zero byte. However many there are. */
struct client_names {
	char *text; /* NULL: none */
	size_t size;
	unsigned n;
};
/* The nodes below `path`. What *names holds is given back with client_names_free(), also after a failure. */
MUST_USE int client_list(struct store_client *c, client_txn t, const char *path,
			 struct client_names *names);
/* The name behind `name`, the first one for NULL; NULL: there is no more. */
const char *client_next_name(const struct client_names *names, const char *name);
void client_names_free(struct client_names *names);

/* `domid` may read or write, as `access` says: one of n, r, w, b. The first of a list owns the node, and its access is everybody's. */
struct client_permission {
	uint16_t domid;
	char access;
};
MUST_USE int client_permit(struct store_client *c, client_txn t, const char *path,
			   const struct client_permission *list, unsigned n);
/* Up to `room` of a node's: how many it has. */
MUST_USE int client_permissions(struct store_client *c, client_txn t, const char *path,
				struct client_permission *list, unsigned room);

/* Events for `path` and all below it carry `token`. One comes at once. -EEXIST: there is one with both. */
MUST_USE int client_watch(struct store_client *c, const char *path, const char *token);
/* The same, `depth` levels below it at most; only of daemons that say they can (kr-stored does). -EINVAL of others. */
MUST_USE int client_watch_depth(struct store_client *c, const char *path, const char *token,
				unsigned depth);
MUST_USE int client_unwatch(struct store_client *c, const char *path, const char *token);

struct client_event {
	char path[3072 + 1], token[1024]; /* a longer token is cut */
};
/* The next event: 1; 0: none is there (only without `wait`). */
MUST_USE int client_event(struct store_client *c, struct client_event *e, bool wait);

/* For toolstacks: the domain's ring is at frame `gfn`, its event channel is `port`; and it is gone. */
MUST_USE int client_introduce(struct store_client *c, uint16_t domid, uint64_t gfn, uint32_t port);
MUST_USE int client_release(struct store_client *c, uint16_t domid);

#endif
