/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of keys: see tree.h. References, the trie of children, then paths. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trie.h"

uint64_t tree_generation, tree_order;
uint64_t tree_seed;

/*
 * Guests are limited before they can exhaust memory; when it ends all the same there is nothing sensible left
 * to answer, and the saved state is whole: ending here loses nothing.
 */
void *must_alloc(size_t size)
{
	void *p = malloc(size);

	if (!p) {
		fprintf(stderr, "kr-stored: out of memory\n");
		abort();
	}
	return p;
}

void *must_realloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		fprintf(stderr, "kr-stored: out of memory\n");
		abort();
	}
	return p;
}

/* ---- references ------------------------------------------------------------------------------- */

struct blob *blob_new(const void *data, size_t len)
{
	struct blob *b = must_alloc(sizeof(*b) + len);

	b->refs = 1;
	b->len = (uint32_t)len;
	memcpy(b->data, data, len);
	return b;
}

struct blob *blob_get(struct blob *b)
{
	b->refs++;
	return b;
}

void blob_put(struct blob *b)
{
	if (b && --b->refs == 0)
		free(b);
}

struct perms *perms_new(const struct perm *entry, size_t n)
{
	struct perms *p = must_alloc(sizeof(*p) + n * sizeof(*entry));

	p->refs = 1;
	p->n = (uint32_t)n;
	memcpy(p->entry, entry, n * sizeof(*entry));
	return p;
}

struct perms *perms_get(struct perms *p)
{
	p->refs++;
	return p;
}

void perms_put(struct perms *p)
{
	if (p && --p->refs == 0)
		free(p);
}

static uint64_t perms_domains(const struct perms *p)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < p->n; i++)
		if (p->entry[i].id != 0)
			mask |= 1ull << (p->entry[i].id % 64);
	return mask;
}

static struct name *name_new(const char *text, size_t len, uint64_t order)
{
	struct name *n = must_alloc(sizeof(*n) + len + 1);

	n->refs = 1;
	n->hash = tree_hash(text, len);
	n->order = order;
	n->len = (uint32_t)len;
	memcpy(n->text, text, len);
	n->text[len] = 0;
	return n;
}

static void name_put(struct name *n)
{
	if (n && --n->refs == 0)
		free(n);
}

/* ---- the trie of children ------------------------------------------------------------------------ */

#define LEVELS 8

uint32_t tree_hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = tree_seed ^ (len * 0x9e3779b97f4a7c15ull);

	while (len > 0) {
		uint64_t part = 0;
		size_t n = len < 8 ? len : 8;

		memcpy(&part, p, n);
		h = (h ^ part) * 0xd6e8feb86659fd93ull;
		h ^= h >> 32;
		p += n;
		len -= n;
	}
	h *= 0xd6e8feb86659fd93ull;
	return (uint32_t)(h >> 32);
}

void tree_init(uint64_t seed)
{
	tree_seed = seed;
	tree_generation = 0;
	tree_order = 0;
}

struct trie *trie_new(unsigned n)
{
	struct trie *t = must_alloc(sizeof(*t) + n * sizeof(t->slot[0]));

	t->refs = 1;
	t->map = 0;
	t->n = n;
	t->mark = 0;
	return t;
}

static void slot_get(uintptr_t slot)
{
	if (is_trie(slot))
		as_trie(slot)->refs++;
	else
		tree_get((struct node *)slot);
}

static void slot_put(uintptr_t slot)
{
	if (is_trie(slot))
		trie_put(as_trie(slot));
	else
		tree_put((struct node *)slot);
}

void trie_put(struct trie *t)
{
	if (!t || --t->refs > 0)
		return;
	for (unsigned i = 0; i < t->n; i++)
		slot_put(t->slot[i]);
	free(t);
}

/* Make *at a trie that only this tree reaches. */
static struct trie *trie_own(struct trie *t)
{
	struct trie *copy;

	if (t->refs == 1)
		return t;
	copy = trie_new(t->n);
	copy->map = t->map;
	memcpy(copy->slot, t->slot, t->n * sizeof(t->slot[0]));
	for (unsigned i = 0; i < t->n; i++)
		slot_get(copy->slot[i]);
	t->refs--;
	return copy;
}

static unsigned bits_at(uint32_t hash, unsigned level)
{
	return (hash >> (4 * level)) & 15;
}

static unsigned index_of(uint32_t map, unsigned bit)
{
	return (unsigned)__builtin_popcount(map & ((1u << bit) - 1));
}

static bool is_named(const struct node *node, uint32_t hash, const char *name, size_t len)
{
	return node->name->hash == hash && node->name->len == len &&
	       memcmp(node->name->text, name, len) == 0;
}

static struct node *trie_find(const struct trie *t, uint32_t hash, const char *name, size_t len)
{
	unsigned level, bit;
	uintptr_t slot;

	for (level = 0; t && level < LEVELS; level++) {
		bit = bits_at(hash, level);
		if (!(t->map & (1u << bit)))
			return NULL;
		slot = t->slot[index_of(t->map, bit)];
		if (!is_trie(slot)) {
			struct node *node = (struct node *)slot;

			return is_named(node, hash, name, len) ? node : NULL;
		}
		t = as_trie(slot);
	}
	for (unsigned i = 0; t && i < t->n; i++) {
		struct node *node = (struct node *)t->slot[i];

		if (is_named(node, hash, name, len))
			return node;
	}
	return NULL;
}

/* One slot more at index i; t is our own and may move. */
static struct trie *trie_widen(struct trie *t, unsigned i, uintptr_t slot)
{
	t = must_realloc(t, sizeof(*t) + (t->n + 1) * sizeof(t->slot[0]));
	memmove(&t->slot[i + 1], &t->slot[i], (t->n - i) * sizeof(t->slot[0]));
	t->slot[i] = slot;
	t->n++;
	return t;
}

/* Add a node whose name is not there. Takes over the reference. Returns the trie, now our own. */
static struct trie *trie_add(struct trie *t, unsigned level, struct node *node)
{
	uint32_t hash = node->name->hash;
	unsigned bit, i;
	uintptr_t slot;

	t = t ? trie_own(t) : trie_new(0);
	if (level == LEVELS)
		return trie_widen(t, t->n, (uintptr_t)node);
	bit = bits_at(hash, level);
	i = index_of(t->map, bit);
	if (!(t->map & (1u << bit))) {
		t->map |= 1u << bit;
		return trie_widen(t, i, (uintptr_t)node);
	}
	slot = t->slot[i];
	if (is_trie(slot)) {
		t->slot[i] = trie_slot(trie_add(as_trie(slot), level + 1, node));
	} else { /* two in one slot: both go a level down */
		struct trie *deeper = trie_add(NULL, level + 1, (struct node *)slot);

		t->slot[i] = trie_slot(trie_add(deeper, level + 1, node));
	}
	return t;
}

/* Take out a node that is there. Returns the trie, NULL when it is empty. */
static struct trie *trie_drop(struct trie *t, unsigned level, const struct node *node)
{
	unsigned i, bit = 0;

	t = trie_own(t);
	if (level == LEVELS) {
		for (i = 0; t->slot[i] != (uintptr_t)node; i++)
			continue;
	} else {
		bit = bits_at(node->name->hash, level);
		i = index_of(t->map, bit);
	}
	if (is_trie(t->slot[i])) {
		struct trie *deeper = trie_drop(as_trie(t->slot[i]), level + 1, node);

		if (deeper) {
			t->slot[i] = trie_slot(deeper);
			return t;
		}
	} else {
		tree_put((struct node *)t->slot[i]);
	}
	if (--t->n == 0) {
		free(t);
		return NULL;
	}
	memmove(&t->slot[i], &t->slot[i + 1], (t->n - i) * sizeof(t->slot[0]));
	if (level < LEVELS)
		t->map &= ~(1u << bit);
	return t;
}

/* Where the parent keeps its child node, on a way that is all our own. */
static struct node **trie_place(struct trie **at, const struct node *node)
{
	struct trie *t = *at = trie_own(*at);
	unsigned i, level;

	for (level = 0; level < LEVELS; level++) {
		i = index_of(t->map, bits_at(node->name->hash, level));
		if (!is_trie(t->slot[i]))
			return (struct node **)&t->slot[i];
		t->slot[i] = trie_slot(trie_own(as_trie(t->slot[i])));
		t = as_trie(t->slot[i]);
	}
	for (i = 0; t->slot[i] != (uintptr_t)node; i++)
		continue;
	return (struct node **)&t->slot[i];
}

static int trie_each(struct trie *t, int (*visit)(struct node *, void *), void *context)
{
	int stop = 0;

	for (unsigned i = 0; t && i < t->n && !stop; i++)
		stop = is_trie(t->slot[i]) ? trie_each(as_trie(t->slot[i]), visit, context)
					   : visit((struct node *)t->slot[i], context);
	return stop;
}

/* ---- nodes --------------------------------------------------------------------------------------- */

struct node *tree_make(const char *name, size_t len, uint64_t order, struct blob *value,
		       struct perms *perms)
{
	struct node *node = must_alloc(sizeof(*node));

	memset(node, 0, sizeof(*node));
	node->refs = 1;
	node->generation = node->kids_generation = ++tree_generation;
	node->name = name ? name_new(name, len, order) : NULL;
	node->value = blob_get(value);
	node->perms = perms_get(perms);
	node->domains = perms_domains(perms);
	return node;
}

struct node *tree_get(struct node *root)
{
	root->refs++;
	return root;
}

void tree_put(struct node *root)
{
	if (!root || --root->refs > 0)
		return;
	name_put(root->name);
	blob_put(root->value);
	perms_put(root->perms);
	trie_put(root->kids);
	free(root);
}

/* Make *at a node that only this tree reaches. */
static struct node *node_own(struct node **at)
{
	struct node *node = *at, *copy;

	if (node->refs == 1)
		return node;
	copy = must_alloc(sizeof(*copy));
	*copy = *node;
	copy->refs = 1;
	copy->mark = 0;
	if (copy->name)
		copy->name->refs++;
	blob_get(copy->value);
	perms_get(copy->perms);
	if (copy->kids)
		copy->kids->refs++;
	node->refs--;
	*at = copy;
	return copy;
}

static void adopt(struct node *parent, struct node *kid)
{
	parent->kids = trie_add(parent->kids, 0, kid);
	parent->nr_kids++;
	parent->kids_bytes += kid->name->len + 1;
	parent->domains |= kid->domains;
}

struct node *tree_child(struct node *parent, const char *name, size_t len)
{
	return trie_find(parent->kids, tree_hash(name, len), name, len);
}

int tree_each(struct node *parent, int (*visit)(struct node *, void *), void *context)
{
	return trie_each(parent->kids, visit, context);
}

struct listing {
	struct node **kids;
	size_t n;
};

static int list_one(struct node *kid, void *context)
{
	struct listing *l = context;

	l->kids[l->n++] = kid;
	return 0;
}

static int by_order(const void *a, const void *b)
{
	uint64_t x = (*(struct node *const *)a)->name->order;
	uint64_t y = (*(struct node *const *)b)->name->order;

	return x < y ? -1 : x > y;
}

void tree_list(struct node *parent, struct node **kids)
{
	struct listing l = { kids, 0 };

	tree_each(parent, list_one, &l);
	if (l.n > 1)
		qsort((void *)kids, l.n, sizeof(kids[0]), by_order);
}

long tree_bytes(const struct node *node)
{
	return (long)(sizeof(*node) + node->value->len + node->perms->n * sizeof(struct perm) +
		      (node->name ? sizeof(struct name) + node->name->len + 1 : 0));
}

static void charge(struct tree_ledger *l, const struct node *node, int sign)
{
	if (l)
		l->charge(l->context, node->perms->entry[0].id, sign, sign * tree_bytes(node));
}

struct node *tree_new(struct tree_ledger *ledger)
{
	struct perm owner = { 0, PERM_NONE };
	struct perms *perms = perms_new(&owner, 1);
	struct blob *nothing = blob_new("", 0);
	struct node *root = tree_make(NULL, 0, 0, nothing, perms);

	charge(ledger, root, 1);
	perms_put(perms);
	blob_put(nothing);
	return root;
}

/* ---- paths --------------------------------------------------------------------------------------- */

/* The next part of a path: at *p, *len long; false at the end. p starts at the leading '/'. */
static bool next_part(const char **p, size_t *len)
{
	const char *start = *p;

	if (*start == '/')
		start++;
	*len = strcspn(start, "/");
	*p = start;
	return *len > 0;
}

struct node *tree_nearest(struct node *root, const char *path, size_t *used)
{
	const char *p = path;
	struct node *node = root;
	size_t len;

	*used = 1;
	while (next_part(&p, &len)) {
		struct node *kid = tree_child(node, p, len);

		if (!kid)
			break;
		node = kid;
		p += len;
		*used = (size_t)(p - path);
	}
	return node;
}

struct node *tree_find(struct node *root, const char *path)
{
	size_t used;
	struct node *node = tree_nearest(root, path, &used);

	return path[used] == 0 || path[1] == 0 ? node : NULL;
}

/* Make the way to path, as far as it exists, our own; mask joins each node's domains on it. */
static struct node *own_way(struct node **root, const char *path, uint64_t mask, const char **rest)
{
	struct node *node = node_own(root);
	const char *p = path;
	size_t len;

	node->domains |= mask;
	while (next_part(&p, &len)) {
		struct node *kid = tree_child(node, p, len);

		if (!kid)
			break;
		node = node_own(trie_place(&node->kids, kid));
		node->domains |= mask;
		p += len;
	}
	*rest = p;
	return node;
}

void tree_set_value(struct node **root, const char *path, struct blob *value,
		    struct tree_ledger *ledger)
{
	const char *rest;
	struct node *node = own_way(root, path, 0, &rest);

	charge(ledger, node, -1);
	blob_get(value);
	blob_put(node->value);
	node->value = value;
	node->generation = ++tree_generation;
	charge(ledger, node, 1);
}

void tree_create(struct node **root, const char *path, struct blob *value, struct perms *perms,
		 struct tree_ledger *ledger)
{
	struct blob *nothing = blob_new("", 0);
	struct node *node, *kid;
	const char *rest;
	size_t len;

	node = own_way(root, path, perms_domains(perms), &rest);
	while (next_part(&rest, &len)) {
		kid = tree_make(rest, len, ++tree_order, rest[len] ? nothing : value, perms);
		charge(ledger, kid, 1);
		adopt(node, kid);
		node->generation = node->kids_generation = ++tree_generation;
		node = kid;
		rest += len;
	}
	blob_put(nothing);
}

void tree_set_perms(struct node **root, const char *path, struct perms *perms,
		    struct tree_ledger *ledger)
{
	const char *rest;
	struct node *node = own_way(root, path, perms_domains(perms), &rest);

	charge(ledger, node, -1);
	perms_get(perms);
	perms_put(node->perms);
	node->perms = perms;
	node->generation = ++tree_generation;
	charge(ledger, node, 1);
}

static int uncharge(struct node *node, void *context)
{
	charge(context, node, -1);
	return tree_each(node, uncharge, context);
}

static void take_out(struct node *parent, struct node *kid, struct tree_ledger *ledger)
{
	if (ledger)
		uncharge(kid, ledger);
	parent->nr_kids--;
	parent->kids_bytes -= kid->name->len + 1;
	parent->kids = trie_drop(parent->kids, 0, kid);
	parent->generation = parent->kids_generation = ++tree_generation;
}

void tree_remove(struct node **root, const char *path, struct tree_ledger *ledger)
{
	const char *leaf = strrchr(path, '/') + 1;
	size_t len = (size_t)(leaf - path);
	char *parent_path = must_alloc(len + 1);
	struct node *parent, *kid;
	const char *rest;

	memcpy(parent_path, path, len);
	parent_path[len > 1 ? len - 1 : len] = 0;
	parent = own_way(root, parent_path, 0, &rest);
	free(parent_path);
	kid = tree_child(parent, leaf, strlen(leaf));
	take_out(parent, kid, ledger);
}

/* ---- a domain that is gone ------------------------------------------------------------------------- */

struct forget {
	domid id;
	uint64_t bit;
	struct tree_ledger *ledger;
	void (*gone)(void *, const char *, struct node *);
	void *context;
	char path[4096]; /* of the node under visit */
	size_t len;
};

static bool names(const struct perms *p, domid id)
{
	for (uint32_t i = 1; i < p->n; i++)
		if (p->entry[i].id == id)
			return true;
	return false;
}

static struct perms *perms_without(const struct perms *p, domid id)
{
	struct perms *fewer = perms_new(p->entry, p->n);

	fewer->n = 0;
	for (uint32_t i = 0; i < p->n; i++)
		if (i == 0 || p->entry[i].id != id)
			fewer->entry[fewer->n++] = p->entry[i];
	return fewer;
}

struct kids {
	struct node **node;
	size_t n;
	uint64_t bit, rest;
};

/* Children that may hold what is looked for; the others only lend their domains. */
static int pick(struct node *kid, void *context)
{
	struct kids *k = context;

	if (kid->domains & k->bit) {
		k->node = must_realloc((void *)k->node, (k->n + 1) * sizeof(struct node *));
		k->node[k->n++] = kid;
	} else {
		k->rest |= kid->domains;
	}
	return 0;
}

static void forget_below(struct node *node, struct forget *f)
{
	struct kids kids = { NULL, 0, f->bit, 0 };
	size_t len = f->len;

	if (names(node->perms, f->id)) {
		struct perms *fewer = perms_without(node->perms, f->id);

		charge(f->ledger, node, -1);
		perms_put(node->perms);
		node->perms = fewer;
		node->generation = ++tree_generation;
		charge(f->ledger, node, 1);
	}
	tree_each(node, pick, &kids);
	node->domains = perms_domains(node->perms) | kids.rest;
	for (size_t i = 0; i < kids.n; i++) {
		struct node *kid = kids.node[i];

		f->path[len] = '/';
		memcpy(&f->path[len + 1], kid->name->text, kid->name->len + 1);
		f->len = len + 1 + kid->name->len;
		if (kid->perms->entry[0].id == f->id) {
			f->gone(f->context, f->path, kid);
			take_out(node, kid, f->ledger);
		} else {
			kid = node_own(trie_place(&node->kids, kid));
			forget_below(kid, f);
			node->domains |= kid->domains;
		}
	}
	f->len = len;
	f->path[len] = 0;
	free((void *)kids.node);
}

void tree_forget(struct node **root, domid id, struct tree_ledger *ledger,
		 void (*gone)(void *context, const char *path, struct node *node), void *context)
{
	struct forget *f = must_alloc(sizeof(*f));

	f->id = id;
	f->bit = 1ull << (id % 64);
	f->ledger = ledger;
	f->gone = gone;
	f->context = context;
	f->len = 0;
	f->path[0] = 0;
	if ((*root)->domains & f->bit)
		forget_below(node_own(root), f);
	free(f);
}
