/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's state as bytes. Trees share nodes (a transaction's with the store's): each node and each part of its
 * children's trie is written once, after what is below it, and named by its number, so that what was shared is shared again.
 *
 *	"KRSTATE1", counters, quotas, special permissions,
 *	nodes and tries (children first), the root's number,
 *	domains, connections each with its watches and transactions
 *
 * Integers are of the host's order: a state never leaves the machine.
 */
#include <stdlib.h>
#include <string.h>
#include "store.h"
#include "trie.h"
#include "upgrade.h"

static const char magic[8] = "KRSTATE1";

/* ---- writing ------------------------------------------------------------------------------------------ */

static struct {
	uint8_t *bytes;
	size_t len, size;
} sink;

static void put(const void *p, size_t n)
{
	if (sink.len + n > sink.size) {
		sink.size = 2 * (sink.len + n) + 4096;
		sink.bytes = must_realloc(sink.bytes, sink.size);
	}
	if (n)
		memcpy(sink.bytes + sink.len, p, n);
	sink.len += n;
}

static void put8(uint8_t v)
{
	put(&v, sizeof(v));
}

static void put32(uint32_t v)
{
	put(&v, sizeof(v));
}

static void put64(uint64_t v)
{
	put(&v, sizeof(v));
}

static void put_bytes(const void *p, size_t n)
{
	put32((uint32_t)n);
	put(p, n);
}

static void put_string(const char *s)
{
	put_bytes(s, strlen(s) + 1);
}

static void put_perms(const struct perms *p)
{
	put32(p ? p->n : 0);
	for (uint32_t i = 0; p && i < p->n; i++) {
		put32(p->entry[i].id);
		put8(p->entry[i].bits);
	}
}

enum object { OBJECT_END, OBJECT_NODE, OBJECT_TRIE };

/* Nodes and tries are numbered from 1 in each state; their marks count on over all states, so none must be cleared. */
static uint32_t marks, first_mark;

static void put_node(struct node *node);

static void put_trie(struct trie *t)
{
	if (t->mark > first_mark)
		return;
	for (uint32_t i = 0; i < t->n; i++)
		if (is_trie(t->slot[i]))
			put_trie(as_trie(t->slot[i]));
		else
			put_node((struct node *)t->slot[i]);
	t->mark = ++marks;
	put8(OBJECT_TRIE);
	put32(t->map);
	put32(t->n);
	for (uint32_t i = 0; i < t->n; i++)
		put32(is_trie(t->slot[i]) ? as_trie(t->slot[i])->mark - first_mark
					  : ((struct node *)t->slot[i])->mark - first_mark);
}

static void put_node(struct node *node)
{
	if (node->mark > first_mark)
		return;
	if (node->kids)
		put_trie(node->kids);
	node->mark = ++marks;
	put8(OBJECT_NODE);
	put64(node->generation);
	put64(node->kids_generation);
	put64(node->domains);
	put64(node->name ? node->name->order : 0);
	put_bytes(node->name ? node->name->text : "", node->name ? node->name->len : 0);
	put_bytes(node->value->data, node->value->len);
	put_perms(node->perms);
	put32(node->nr_kids);
	put32(node->kids_bytes);
	put32(node->kids ? node->kids->mark - first_mark : 0);
}

static uint32_t number(const struct node *node)
{
	return node->mark - first_mark;
}

static void clear_marks(struct trie *t)
{
	for (uint32_t i = 0; t && i < t->n; i++)
		if (is_trie(t->slot[i])) {
			clear_marks(as_trie(t->slot[i]));
		} else {
			((struct node *)t->slot[i])->mark = 0;
			clear_marks(((struct node *)t->slot[i])->kids);
		}
	if (t)
		t->mark = 0;
}

static void clear_tree(struct node *root)
{
	root->mark = 0;
	clear_marks(root->kids);
}

/* Once in four thousand million nodes. */
static void restart_marks(void)
{
	clear_tree(store_root);
	for (struct conn *c = conns; c; c = c->next)
		for (struct txn *t = c->txns; t; t = t->next) {
			clear_tree(t->base);
			clear_tree(t->root);
		}
	marks = 0;
}

static void put_nodes(void)
{
	if (marks > UINT32_MAX / 2)
		restart_marks();
	first_mark = marks;
	put_node(store_root);
	for (struct conn *c = conns; c; c = c->next)
		for (struct txn *t = c->txns; t; t = t->next) {
			put_node(t->base);
			put_node(t->root);
		}
	put8(OBJECT_END);
	put32(number(store_root));
}

static void put_domain(const struct domain *d)
{
	put32(d->id);
	put8(d->introduced);
	put8(d->shutdown);
	put8(d->has_target);
	put32(d->target);
	put32(d->nodes);
	put32(d->outstanding);
	put64(d->memory);
	put64(d->refusals);
	put64(d->gfn);
	put32(d->port);
}

static void put_txn(const struct txn *t)
{
	put32(t->id);
	put32(number(t->base));
	put32(number(t->root));
	put64(t->memory);
	put32(t->nr_entries);
	for (uint32_t i = 0; i < t->nr_entries; i++) {
		const struct txn_entry *e = &t->entries[i];

		put32(e->type);
		put64(e->answer);
		put8(e->changed);
		put_bytes(e->payload, e->len);
	}
	put32(t->nr_shares);
	for (uint32_t i = 0; i < t->nr_shares; i++) {
		put32(t->shares[i].id);
		put32((uint32_t)t->shares[i].nodes);
		put64((uint64_t)t->shares[i].bytes);
	}
}

static void put_conn(const struct conn *c)
{
	uint32_t n = 0;

	put32(c->id);
	put32(c->dom);
	put8(c->is_ring);
	put8(c->dead);
	put8(c->error);
	put32(c->ring.req_cons);
	put32(c->ring.rsp_prod);
	put32(c->ring.port);
	put_bytes(c->in ? (const char *)c->in : "", c->in_len);
	put_bytes(c->out ? (const char *)c->out + c->out_at : "", conn_queued(c));
	put64(c->out_done);
	put32(c->pending_end - c->pending_at);
	for (uint32_t i = c->pending_at; i < c->pending_end; i++) {
		put64(c->pending[i].end);
		put32(c->pending[i].cause);
	}
	for (const struct watch *w = c->watches; w; w = w->next_of_conn)
		n++;
	put32(n);
	for (const struct watch *w = c->watches; w; w = w->next_of_conn) {
		put_string(w->path);
		put_string(w->token);
		put64(w->order);
		put32((uint32_t)w->depth);
		put32(w->skip);
	}
	put32(c->next_txn);
	n = 0;
	for (const struct txn *t = c->txns; t; t = t->next)
		n++;
	put32(n);
	for (const struct txn *t = c->txns; t; t = t->next)
		put_txn(t);
}

void *upgrade_save(size_t *len)
{
	void *bytes;
	uint32_t n = 0;

	put(magic, sizeof(magic));
	put64(tree_seed);
	put64(tree_generation);
	put64(tree_order);
	put64(watch_order);
	put32(QUOTAS);
	for (unsigned q = 0; q < QUOTAS; q++)
		put64(quota_limit[q]);
	put64(quota_soft_memory);
	for (int i = 0; i < 2; i++)
		put_perms(special_perms[i]);
	put_nodes();
	for (struct domain *d = domains; d; d = d->next)
		n++;
	put32(n);
	for (struct domain *d = domains; d; d = d->next)
		put_domain(d);
	put32(nr_conns);
	for (struct conn *c = conns; c; c = c->next)
		put_conn(c);
	bytes = sink.bytes;
	*len = sink.len;
	memset(&sink, 0, sizeof(sink));
	return bytes;
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static struct {
	const uint8_t *at, *end;
	bool bad;
} source;

static const void *take(size_t n)
{
	const uint8_t *p = source.at;

	if (n > (size_t)(source.end - source.at)) {
		source.bad = true;
		return NULL;
	}
	source.at += n;
	return p;
}

static uint64_t take_int(size_t n)
{
	uint64_t v = 0;
	const void *p = take(n);

	if (p)
		memcpy(&v, p, n);
	return v;
}

static uint8_t take8(void)
{
	return (uint8_t)take_int(1);
}

static uint32_t take32(void)
{
	uint32_t v = 0;
	const void *p = take(sizeof(v));

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t take64(void)
{
	return take_int(8);
}

static const char *take_bytes(uint32_t *n)
{
	const char *p;

	*n = take32();
	p = take(*n);
	if (!p)
		*n = 0;
	return p ? p : "";
}

static const char *take_string(void)
{
	uint32_t n;
	const char *s = take_bytes(&n);

	if (n == 0 || s[n - 1] != 0 || n > PATH_MAX_ + XENSTORE_PAYLOAD_MAX) {
		source.bad = true;
		return "";
	}
	return s;
}

/* How many of something that takes at least `least` bytes each. */
static uint32_t take_count(size_t least)
{
	uint32_t n = take32();

	if (n > (size_t)(source.end - source.at) / least) {
		source.bad = true;
		return 0;
	}
	return n;
}

static struct perms *take_perms(void)
{
	uint32_t n = take_count(5);
	struct perm *entry = must_alloc((n + 1) * sizeof(*entry));
	struct perms *p;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = take32();

		source.bad |= id >= DOMAINS;
		entry[i] = (struct perm){ (domid)(id % DOMAINS), take8() };
	}
	p = n ? perms_new(entry, n) : NULL;
	free(entry);
	return p;
}

/* By number: as in a trie's slot, each with a reference of ours. */
static uintptr_t *loaded;
static uint32_t nr_loaded, size_loaded;

static void keep_loaded(uintptr_t object)
{
	if (nr_loaded == size_loaded) {
		size_loaded = size_loaded ? 2 * size_loaded : 256;
		loaded = must_realloc(loaded, size_loaded * sizeof(*loaded));
	}
	loaded[nr_loaded++] = object;
}

/* Another reference to an object; 0 when there is none. */
static uintptr_t by_number(uint32_t n)
{
	uintptr_t object;

	if (n == 0 || n > nr_loaded) {
		source.bad = true;
		return 0;
	}
	object = loaded[n - 1];
	if (is_trie(object))
		as_trie(object)->refs++;
	else
		tree_get((struct node *)object);
	return object;
}

static struct node *node_by_number(uint32_t n)
{
	uintptr_t object = by_number(n);

	if (object && is_trie(object)) {
		trie_put(as_trie(object));
		source.bad = true;
		return NULL;
	}
	return (struct node *)object;
}

static void take_trie(void)
{
	uint32_t map = take32(), n = take_count(4);
	struct trie *t;

	if (source.bad)
		return;
	t = trie_new(n);
	t->map = map;
	for (t->n = 0; t->n < n && !source.bad; t->n += !source.bad)
		t->slot[t->n] = by_number(take32());
	keep_loaded(trie_slot(t));
}

static void take_node(void)
{
	uint64_t generation = take64(), kids_generation = take64(), domains = take64(),
		 order = take64();
	uint32_t len, value_len, kids;
	const char *name = take_bytes(&len), *value = take_bytes(&value_len);
	struct perms *perms = take_perms();
	struct blob *blob = blob_new(value, value_len);
	struct node *node;
	uintptr_t trie;

	source.bad |= !perms;
	if (!source.bad) {
		node = tree_make(len ? name : NULL, len, order, blob, perms);
		node->generation = generation;
		node->kids_generation = kids_generation;
		node->domains = domains;
		node->nr_kids = take32();
		node->kids_bytes = take32();
		kids = take32();
		trie = kids ? by_number(kids) : 0;
		if (trie && is_trie(trie))
			node->kids = as_trie(trie);
		else if (trie)
			tree_put((struct node *)trie);
		source.bad |= kids && !node->kids;
		keep_loaded((uintptr_t)node);
	}
	perms_put(perms);
	blob_put(blob);
}

static void take_objects(void)
{
	while (!source.bad)
		switch (take8()) {
		case OBJECT_END: return;
		case OBJECT_NODE: take_node(); break;
		case OBJECT_TRIE: take_trie(); break;
		default: source.bad = true;
		}
}

static void forget_loaded(void)
{
	while (nr_loaded > 0) {
		uintptr_t object = loaded[--nr_loaded];

		if (is_trie(object))
			trie_put(as_trie(object));
		else
			tree_put((struct node *)object);
	}
	free(loaded);
	loaded = NULL;
	size_loaded = 0;
}

static void take_domain(void)
{
	uint32_t id = take32();
	struct domain *d = domain_need((domid)(id % DOMAINS));

	source.bad |= id >= DOMAINS;
	d->introduced = take8();
	d->shutdown = take8();
	d->has_target = take8();
	d->target = (domid)take32();
	d->nodes = take32();
	d->outstanding = take32();
	d->memory = take64();
	d->refusals = take64();
	d->gfn = take64();
	d->port = take32();
}

static void take_entry(struct txn *t)
{
	struct txn_entry e = { .type = take32() };
	const char *payload;

	e.answer = take64();
	e.changed = take8();
	payload = take_bytes(&e.len);
	e.payload = must_alloc(e.len + 1);
	memcpy(e.payload, payload, e.len);
	e.payload[e.len] = 0;
	txn_restore_entry(t, &e);
}

static void take_txn(struct conn *c)
{
	struct txn *t = must_alloc(sizeof(*t));
	uint64_t memory;
	uint32_t n;

	memset(t, 0, sizeof(*t));
	t->id = take32();
	t->base = node_by_number(take32());
	t->root = node_by_number(take32());
	memory = take64();
	t->next = c->txns;
	c->txns = t;
	domain_need(c->dom)->transactions++;
	n = take_count(17);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_entry(t);
	n = take_count(16);
	t->shares = n ? must_alloc(n * sizeof(*t->shares)) : NULL;
	for (t->nr_shares = 0; t->nr_shares < n; t->nr_shares++) {
		struct txn_share *share = &t->shares[t->nr_shares];

		share->id = (domid)take32();
		share->nodes = (int)take32();
		share->bytes = (long)take64();
	}
	t->memory = memory;
}

static void take_queues(struct conn *c)
{
	const char *p;
	uint32_t n;

	p = take_bytes(&n);
	if (n) {
		c->in = must_alloc(n);
		memcpy(c->in, p, n);
		c->in_len = c->in_size = n;
	}
	p = take_bytes(&n);
	if (n) {
		c->out = must_alloc(n);
		memcpy(c->out, p, n);
		c->out_end = c->out_size = n;
	}
	c->out_done = take64();
	n = take_count(12);
	c->pending = n ? must_alloc(n * sizeof(*c->pending)) : NULL;
	c->pending_end = c->pending_size = n;
	for (uint32_t i = 0; i < n; i++) {
		c->pending[i].end = take64();
		c->pending[i].cause = (domid)take32();
	}
}

static void take_conn(void)
{
	uint32_t id = take32(), dom = take32(), n;
	bool is_ring = take8();
	struct conn *c;

	source.bad |= dom >= DOMAINS || conn_find(id);
	if (source.bad)
		return;
	c = conn_new(id, (domid)dom, is_ring);
	c->dead = take8();
	c->error = take8();
	c->ring.req_cons = take32();
	c->ring.rsp_prod = take32();
	c->ring.port = take32();
	take_queues(c);
	n = take_count(26);
	for (uint32_t i = 0; i < n && !source.bad; i++) {
		const char *path = take_string(), *token = take_string();
		uint64_t order = take64();
		int32_t depth = (int32_t)take32();

		watch_restore(c, path, token, order, depth, take32());
	}
	c->next_txn = take32();
	n = take_count(28);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_txn(c);
	if (is_ring && dom != 0)
		domain_need((domid)dom)->conn = c;
}

static void take_everything(void)
{
	uint32_t n;

	tree_generation = take64();
	tree_order = take64();
	watch_order = take64();
	source.bad |= take32() != QUOTAS;
	for (unsigned q = 0; q < QUOTAS && !source.bad; q++)
		quota_limit[q] = take64();
	quota_soft_memory = take64();
	for (int i = 0; i < 2; i++) {
		struct perms *p = take_perms();

		source.bad |= !p;
		if (p) {
			perms_put(special_perms[i]);
			special_perms[i] = p;
		}
	}
	take_objects();
	if (source.bad)
		return;
	tree_put(store_root);
	store_root = node_by_number(take32());
	n = take_count(44);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_domain();
	n = take_count(50);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_conn();
}

bool upgrade_load(const void *state, size_t len)
{
	uint64_t generation;
	const char *p;

	source.at = state;
	source.end = source.at + len;
	source.bad = false;
	p = take(sizeof(magic));
	if (!p || memcmp(p, magic, sizeof(magic)) != 0)
		return false;
	tree_seed = take64();
	p = (const char *)source.at;
	take_everything();
	forget_loaded();
	if (source.bad || !store_root)
		return false;
	/* Making nodes counted; what was read counts more. */
	memcpy(&generation, p, sizeof(generation));
	tree_generation = generation;
	return true;
}
