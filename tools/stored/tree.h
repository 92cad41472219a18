/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of keys: persistent, so that a snapshot is one more reference to the root.
 *
 * A node that only one tree can reach is changed in place; one that a snapshot shares is copied first, and
 * so are the nodes above it. What a change costs is the length of its path, whatever the tree's size
 * and however many snapshots there are. Children hang in a hash trie of 16 ways, which is shared and copied in
 * the same manner.
 *
 *	root --> node { name, value, perms, kids } --> trie --> trie --> node ...
 *
 * Names, values and permission lists never change once made and are shared by reference.
 * One thread; no locks.
 */
#ifndef STORED_TREE_H
#define STORED_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t domid;

/* Bytes that never change. */
struct blob {
	uint32_t refs;
	uint32_t len;
	char data[];
};

enum perm_bits { PERM_NONE = 0, PERM_READ = 1, PERM_WRITE = 2 };

struct perm {
	domid id;
	uint8_t bits; /* enum perm_bits */
};

/* Who may do what with a node. The first entry is its owner; its bits are for whoever is not named. */
struct perms {
	uint32_t refs;
	uint32_t n; /* at least 1 */
	struct perm entry[];
};

struct name {
	uint32_t refs;
	uint32_t hash;
	uint64_t order; /* of creation: DIRECTORY lists the oldest child first */
	uint32_t len;
	char text[]; /* len bytes and a 0 */
};

struct trie; /* of children; NULL is an empty one */

struct node {
	uint32_t refs;
	uint32_t nr_kids;
	uint32_t kids_bytes; /* of all children's names, each with its 0: what DIRECTORY answers */
	uint32_t mark;       /* the saved state's number for this node (upgrade_save.c) */
	uint64_t generation; /* unique; new when value, permissions or the set of children change */
	uint64_t kids_generation; /* the same for the set of children alone */
	uint64_t domains; /* bit d % 64 for each domain but 0 that a permission in this subtree names; may
			     have more bits than that, never fewer */
	struct name *name; /* NULL: the root */
	struct blob *value;
	struct perms *perms;
	struct trie *kids;
};

/* A change of what domains own, told as it happens: nodes and bytes more (or less) for domain id. */
typedef void (*tree_charge)(void *context, domid id, int nodes, long bytes);

struct tree_ledger {
	tree_charge charge;
	void *context;
};

/* Seeds the hash of names; call once, before any tree. A saved tree needs the seed that it was made with. */
extern uint64_t tree_seed;
void tree_init(uint64_t seed);

struct blob *blob_new(const void *data, size_t len); /* one reference, the caller's */
struct blob *blob_get(struct blob *b);
void blob_put(struct blob *b);
struct perms *perms_new(const struct perm *entry, size_t n);
struct perms *perms_get(struct perms *p);
void perms_put(struct perms *p);

/* A tree of one node, owned by domain 0. The caller has the reference. */
struct node *tree_new(struct tree_ledger *ledger);
struct node *tree_get(struct node *root);
void tree_put(struct node *root);

/* The node at an absolute, well-formed path; NULL when there is none. Not a reference. */
struct node *tree_find(struct node *root, const char *path);
/* The nearest that exists of path and its parents; *used: how much of path names it ("/" is 1). */
struct node *tree_nearest(struct node *root, const char *path, size_t *used);
struct node *tree_child(struct node *parent, const char *name, size_t len);

/* Changes to *root, which may become another node. Whether they are allowed was asked before. */

/* A new value for a node that exists. */
void tree_set_value(struct node **root, const char *path, struct blob *value,
		    struct tree_ledger *ledger);
/* Make a node that does not exist, with what is missing above it (without values), all with perms. */
void tree_create(struct node **root, const char *path, struct blob *value, struct perms *perms,
		 struct tree_ledger *ledger);
/* New permissions for a node that exists. */
void tree_set_perms(struct node **root, const char *path, struct perms *perms,
		    struct tree_ledger *ledger);
/* Take out the node at path, which exists and is not the root, and all below it. */
void tree_remove(struct node **root, const char *path, struct tree_ledger *ledger);

/* All children, oldest first, into an array of root->nr_kids. */
void tree_list(struct node *parent, struct node **kids);
/* The same in no order; stops when visit does not return 0, and returns that. */
int tree_each(struct node *parent, int (*visit)(struct node *kid, void *context), void *context);

/* What a domain is charged for this node alone. */
long tree_bytes(const struct node *node);

/*
 * A domain is gone: take out what it owns with all below, and every permission that names it, visiting only what
 * node->domains says may. gone() is told the path of each topmost node that is about to be taken out.
 */
void tree_forget(struct node **root, domid id, struct tree_ledger *ledger,
		 void (*gone)(void *context, const char *path, struct node *node), void *context);

/* For the loader of a saved state: a node and its children by hand. */
struct node *tree_make(const char *name, size_t len, uint64_t order, struct blob *value,
		       struct perms *perms);
/* The counters behind generations and orders, for the saved state. */
extern uint64_t tree_generation, tree_order;

uint32_t tree_hash(const void *data, size_t len);
/* Memory that the daemon cannot go on without. */
void *must_alloc(size_t size);
void *must_realloc(void *p, size_t size);

#endif
