/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the store's state: upgrade_save.c says what it looks like. */
#include <stdlib.h>
#include <string.h>
#include "store.h"
#include "trie.h"
#include "upgrade.h"

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

static uint64_t take_raw(void)
{
	uint64_t v = 0;
	const void *p = take(sizeof(v));

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static uint8_t take8(void)
{
	const uint8_t *p = take(1);

	return p ? *p : 0;
}

static uint64_t take_int(void)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = take8();

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	source.bad = true;
	return 0;
}

static uint32_t take32(void)
{
	uint64_t v = take_int();

	source.bad |= v > UINT32_MAX;
	return (uint32_t)v;
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
	uint32_t n = take_count(2);
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

/* Of the trie or node that is being read: what is so many before it. */
static uintptr_t below(void)
{
	return by_number(nr_loaded + 1 - take32());
}

static void take_trie(void)
{
	uint32_t map = take32(), n = take_count(1);
	struct trie *t;

	if (source.bad)
		return;
	t = trie_new(n);
	t->map = map;
	for (t->n = 0; t->n < n && !source.bad; t->n += !source.bad)
		t->slot[t->n] = below();
	keep_loaded(trie_slot(t));
}

static void take_node(void)
{
	uint64_t generation = take_int(), kids_generation = take_int(), domains = take_int(),
		 order = take_int();
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
		trie = kids ? by_number(nr_loaded + 1 - kids) : 0;
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

/* By number, each with a reference of ours; and the transactions whose roots may stand behind them. */
static struct node **roots;
static uint32_t nr_roots, size_roots;
static struct rooted {
	struct txn *txn;
	uint32_t base, root;
} * rooted;
static uint32_t nr_rooted, size_rooted;

static void take_root(void)
{
	struct node *root = node_by_number(take32());

	if (!root)
		return;
	if (nr_roots == size_roots) {
		size_roots = size_roots ? 2 * size_roots : 16;
		roots = must_realloc((void *)roots, size_roots * sizeof(struct node *));
	}
	roots[nr_roots++] = root;
}

static void take_roots_of(struct txn *t)
{
	if (nr_rooted == size_rooted) {
		size_rooted = size_rooted ? 2 * size_rooted : 16;
		rooted = must_realloc(rooted, size_rooted * sizeof(*rooted));
	}
	rooted[nr_rooted].txn = t;
	rooted[nr_rooted].base = take32();
	rooted[nr_rooted++].root = take32();
}

static void give_roots(void)
{
	for (uint32_t i = 0; i < nr_rooted && !source.bad; i++) {
		source.bad |= rooted[i].base >= nr_roots || rooted[i].root >= nr_roots;
		if (source.bad)
			return;
		rooted[i].txn->base = tree_get(roots[rooted[i].base]);
		rooted[i].txn->root = tree_get(roots[rooted[i].root]);
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
	while (nr_roots > 0)
		tree_put(roots[--nr_roots]);
	free((void *)roots);
	free(rooted);
	roots = NULL;
	rooted = NULL;
	nr_rooted = size_roots = size_rooted = 0;
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
	d->memory = take_int();
	d->refusals = take_int();
	d->gfn = take_int();
	d->port = take32();
}

static void take_entry(struct txn *t)
{
	struct txn_entry e = { .type = take32() };
	const char *payload;

	e.answer = take_raw();
	e.changed = take8();
	payload = take_bytes(&e.len);
	e.payload = must_alloc(e.len + 1);
	memcpy(e.payload, payload, e.len);
	e.payload[e.len] = 0;
	txn_restore_entry(t, &e);
}

static void take_txn(struct conn *c)
{
	struct txn *t = must_alloc(sizeof(*t)), **last = &c->txns;
	uint64_t memory;
	uint32_t n;

	memset(t, 0, sizeof(*t));
	t->id = take32();
	take_roots_of(t);
	t->behind = take8();
	t->failed = take8();
	memory = take_int();
	while (*last)
		last = &(*last)->next;
	*last = t;
	domain_need(c->dom)->transactions++;
	nr_txns++;
	n = take_count(11);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_entry(t);
	n = take_count(3);
	t->shares = n ? must_alloc(n * sizeof(*t->shares)) : NULL;
	for (t->nr_shares = 0; t->nr_shares < n; t->nr_shares++) {
		struct txn_share *share = &t->shares[t->nr_shares];

		share->id = (domid)take32();
		share->nodes = (int)take32();
		share->bytes = (long)take_int();
	}
	t->memory = memory;
	source.bad |= t->behind && t->last_change == 0;
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
	c->out_done = take_int();
	n = take_count(2);
	c->pending = n ? must_alloc(n * sizeof(*c->pending)) : NULL;
	c->pending_end = c->pending_size = n;
	for (uint32_t i = 0; i < n; i++) {
		c->pending[i].end = take_int();
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
	n = take_count(7);
	for (uint32_t i = 0; i < n && !source.bad; i++) {
		const char *path = take_string(), *token = take_string();
		uint64_t order = take_int();
		int32_t depth = (int32_t)take32() - 1;

		watch_restore(c, path, token, order, depth, take32());
	}
	c->next_txn = take32();
	n = take_count(8);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_txn(c);
	if (is_ring && dom != 0)
		domain_need((domid)dom)->conn = c;
}

static void take_parts(void)
{
	while (!source.bad)
		switch (take8()) {
		case STATE_END: return;
		case STATE_NODE: take_node(); break;
		case STATE_TRIE: take_trie(); break;
		case STATE_ROOT: take_root(); break;
		case STATE_CONN: take_conn(); break;
		default: source.bad = true;
		}
}

static void take_everything(void)
{
	uint32_t n;

	tree_generation = take_int();
	tree_order = take_int();
	watch_order = take_int();
	source.bad |= take32() != QUOTAS;
	for (unsigned q = 0; q < QUOTAS && !source.bad; q++)
		quota_limit[q] = take_int();
	quota_soft_memory = take_int();
	for (int i = 0; i < 2; i++) {
		struct perms *p = take_perms();

		source.bad |= !p;
		if (p) {
			perms_put(special_perms[i]);
			special_perms[i] = p;
		}
	}
	n = take_count(11);
	for (uint32_t i = 0; i < n && !source.bad; i++)
		take_domain();
	take_parts();
	give_roots();
	source.bad |= nr_roots == 0;
	if (source.bad)
		return;
	tree_put(store_root);
	store_root = tree_get(roots[0]);
}

static bool is_whole(const uint8_t *state, size_t len)
{
	uint64_t sum;

	if (len < sizeof(state_magic) + sizeof(sum) ||
	    memcmp(state, state_magic, sizeof(state_magic)) != 0)
		return false;
	len -= sizeof(sum);
	memcpy(&sum, state + len, sizeof(sum));
	return state_sum(0, state, len) == sum;
}

bool upgrade_load(const void *state, size_t len)
{
	const uint8_t *counters;

	if (!is_whole(state, len))
		return false;
	source.at = (const uint8_t *)state + sizeof(state_magic);
	source.end = (const uint8_t *)state + len - sizeof(uint64_t);
	source.bad = false;
	tree_seed = take_raw();
	counters = source.at;
	take_everything();
	forget_loaded();
	if (source.bad)
		return false;
	/* Making nodes counted; what was read counts more. */
	source.at = counters;
	tree_generation = take_int();
	return true;
}
