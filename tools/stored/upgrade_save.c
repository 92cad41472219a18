/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the store's state as bytes, in steps between which the store goes on: what is written is the store of the moment
 * of upgrade_begin(). Trees stay as they were by a reference to their roots, which makes whoever changes them copy; a
 * connection is written before it first changes (conn_touch); the domains' few numbers are written at the beginning.
 *
 * Trees share nodes (a transaction's with the store's): each node and each part of its children's trie is written once,
 * after what is below it, and named by its number, so that what was shared is shared again.
 *
 *	"KRSTATE3", counters, quotas, special permissions, domains, then in any order, each behind its enum state_part:
 *	nodes and tries (children first)   numbered from 1 in their order
 *	roots                              numbered from 0; the first one is the store's
 *	connections                        each with its watches and transactions; those name their roots
 *	the end                            and a sum of all before it: nothing else in a state is there to find damage
 *
 * Integers take 7 bits a byte, the lowest first, but for seeds and digests. A state never leaves the machine.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"
#include "trie.h"
#include "upgrade.h"

const char state_magic[8] = "KRSTATE3";

static struct sink *sink;

/* What is under way: NULL roots when nothing is. */
static struct {
	struct node **roots; /* a reference each */
	uint32_t nr_roots, size_roots, next_root;
	struct step { /* the way down to where we are in a tree */
		uintptr_t object;
		uint32_t next; /* slot of a trie */
	} * way;
	uint32_t depth, size_way;
	struct conn *next_conn; /* one that is to be written, or NULL */
} at;

/* ---- bytes -------------------------------------------------------------------------------------------- */

static void put(const void *p, size_t n)
{
	if (sink->len + n > sink->size && !sink->grow(sink, n))
		return;
	if (n)
		memcpy(sink->bytes + sink->len, p, n);
	sink->len += n;
}

static void put8(uint8_t v)
{
	put(&v, sizeof(v));
}

static void put_raw(uint64_t v)
{
	put(&v, sizeof(v));
}

static void put_int(uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	while (v >= 0x80) {
		bytes[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	bytes[n++] = (uint8_t)v;
	put(bytes, n);
}

static void put_bytes(const void *p, size_t n)
{
	put_int(n);
	put(p, n);
}

static void put_string(const char *s)
{
	put_bytes(s, strlen(s) + 1);
}

static void put_perms(const struct perms *p)
{
	put_int(p ? p->n : 0);
	for (uint32_t i = 0; p && i < p->n; i++) {
		put_int(p->entry[i].id);
		put8(p->entry[i].bits);
	}
}

/* ---- trees -------------------------------------------------------------------------------------------- */

/* Nodes and tries are numbered from 1 in each state; their marks count on over all states, so none must be cleared. */
static uint32_t marks, first_mark;

static uint32_t mark_of(uintptr_t object)
{
	assert(object); /* no slot is empty */
	return is_trie(object) ? as_trie(object)->mark : ((struct node *)object)->mark;
}

static bool is_written(uintptr_t object)
{
	return mark_of(object) > first_mark;
}

/* What is below a trie comes shortly before it, as a rule: how far before is a small number. */
static void write_trie(struct trie *t)
{
	t->mark = ++marks;
	put8(STATE_TRIE);
	put_int(t->map);
	put_int(t->n);
	for (uint32_t i = 0; i < t->n; i++)
		put_int(t->mark - mark_of(t->slot[i]));
}

static void write_node(struct node *node)
{
	node->mark = ++marks;
	put8(STATE_NODE);
	put_int(node->generation);
	put_int(node->kids_generation);
	put_int(node->domains);
	put_int(node->name ? node->name->order : 0);
	put_bytes(node->name ? node->name->text : "", node->name ? node->name->len : 0);
	put_bytes(node->value->data, node->value->len);
	put_perms(node->perms);
	put_int(node->nr_kids);
	put_int(node->kids_bytes);
	put_int(node->kids ? node->mark - node->kids->mark : 0);
}

static void go_down(uintptr_t object)
{
	if (at.depth == at.size_way) {
		at.size_way = at.size_way ? 2 * at.size_way : 32;
		at.way = must_realloc(at.way, at.size_way * sizeof(*at.way));
	}
	at.way[at.depth++] = (struct step){ object, 0 };
}

/* One step of the walk: to something below that is not written yet, or this, and up. */
static void walk(void)
{
	struct step *here = &at.way[at.depth - 1];
	uintptr_t below = 0;

	if (is_trie(here->object)) {
		struct trie *t = as_trie(here->object);

		while (here->next < t->n && !below) {
			below = t->slot[here->next++];
			if (is_written(below))
				below = 0;
		}
		if (!below)
			write_trie(t);
	} else {
		struct node *node = (struct node *)here->object;

		if (node->kids && !is_written(trie_slot(node->kids)))
			below = trie_slot(node->kids);
		else
			write_node(node);
	}
	if (below)
		go_down(below);
	else
		at.depth--;
}

static void next_root(void)
{
	struct node *root = at.roots[at.next_root];

	if (!is_written((uintptr_t)root)) {
		go_down((uintptr_t)root);
		return;
	}
	put8(STATE_ROOT);
	put_int(root->mark - first_mark);
	at.next_root++;
}

/* The number of a root, which stays as it is until the state is written. */
static uint32_t add_root(struct node *root)
{
	if (at.nr_roots > 0 && root == at.roots[0])
		return 0;
	if (at.nr_roots > 1 && root == at.roots[at.nr_roots - 1])
		return at.nr_roots - 1;
	if (at.nr_roots == at.size_roots) {
		at.size_roots = at.size_roots ? 2 * at.size_roots : 8;
		at.roots = must_realloc((void *)at.roots, at.size_roots * sizeof(struct node *));
	}
	at.roots[at.nr_roots] = tree_get(root);
	return at.nr_roots++;
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

/* Once in two thousand million nodes. */
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

/* ---- domains and connections ---------------------------------------------------------------------------- */

static void put_domain(const struct domain *d)
{
	put_int(d->id);
	put8(d->introduced);
	put8(d->shutdown);
	put8(d->has_target);
	put_int(d->target);
	put_int(d->nodes);
	put_int(d->outstanding);
	put_int(d->memory);
	put_int(d->refusals);
	put_int(d->gfn);
	put_int(d->port);
}

static void put_txn(const struct txn *t)
{
	put_int(t->id);
	put_int(add_root(t->base));
	put_int(add_root(t->root));
	put8(t->behind);
	put8(t->failed);
	put_int(t->memory);
	put_int(t->nr_entries);
	for (uint32_t i = 0; i < t->nr_entries; i++) {
		const struct txn_entry *e = &t->entries[i];

		put_int(e->type);
		put_raw(e->answer);
		put8(e->changed);
		put_bytes(e->payload, e->len);
	}
	put_int(t->nr_shares);
	for (uint32_t i = 0; i < t->nr_shares; i++) {
		put_int(t->shares[i].id);
		put_int((uint32_t)t->shares[i].nodes);
		put_int((uint64_t)t->shares[i].bytes);
	}
}

/* One that is not saved yet cannot go before it is. */
static void next_unsaved(struct conn *c)
{
	while (c && c->saved == conn_saves)
		c = c->next;
	at.next_conn = c;
}

static void put_conn(struct conn *c)
{
	uint32_t n = 0;

	c->saved = conn_saves;
	if (at.next_conn == c)
		next_unsaved(c->next);
	put8(STATE_CONN);
	put_int(c->id);
	put_int(c->dom);
	put8(c->is_ring);
	put8(c->dead);
	put8(c->error);
	put_int(c->ring.req_cons);
	put_int(c->ring.rsp_prod);
	put_int(c->ring.port);
	put_bytes(c->in ? (const char *)c->in : "", c->in_len);
	put_bytes(c->out ? (const char *)c->out + c->out_at : "", conn_queued(c));
	put_int(c->out_done);
	put_int(c->pending_end - c->pending_at);
	for (uint32_t i = c->pending_at; i < c->pending_end; i++) {
		put_int(c->pending[i].end);
		put_int(c->pending[i].cause);
	}
	for (const struct watch *w = c->watches; w; w = w->next_of_conn)
		n++;
	put_int(n);
	for (const struct watch *w = c->watches; w; w = w->next_of_conn) {
		put_string(w->path);
		put_string(w->token);
		put_int(w->order);
		put_int((uint32_t)(w->depth + 1));
		put_int(w->skip);
	}
	put_int(c->next_txn);
	n = 0;
	for (const struct txn *t = c->txns; t; t = t->next)
		n++;
	put_int(n);
	for (const struct txn *t = c->txns; t; t = t->next)
		put_txn(t);
}

/* ---- the sum -------------------------------------------------------------------------------------------- */

static uint64_t sum;  /* of the first bytes of the sink... */
static size_t summed; /* ...which are so many */

uint64_t state_sum(uint64_t so_far, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, p + i, n - i < sizeof(word) ? n - i : sizeof(word));
		so_far = (so_far ^ word) * 0xd6e8feb86659fd93ull;
		so_far ^= so_far >> 32;
	}
	return so_far;
}

static void sum_up_to(size_t n)
{
	sum = state_sum(sum, sink->bytes + summed, n - summed);
	summed = n;
}

/* ---- steps ---------------------------------------------------------------------------------------------- */

void upgrade_begin(struct sink *to)
{
	uint32_t n = 0;

	sink = to;
	sum = summed = 0;
	if (marks > UINT32_MAX / 2)
		restart_marks();
	first_mark = marks;
	conn_saves++;
	conn_save = put_conn;
	at.next_conn = conns;
	put(state_magic, sizeof(state_magic));
	put_raw(tree_seed);
	put_int(tree_generation);
	put_int(tree_order);
	put_int(watch_order);
	put_int(QUOTAS);
	for (unsigned q = 0; q < QUOTAS; q++)
		put_int(quota_limit[q]);
	put_int(quota_soft_memory);
	for (int i = 0; i < 2; i++)
		put_perms(special_perms[i]);
	for (struct domain *d = domains; d; d = d->next)
		n++;
	put_int(n);
	for (struct domain *d = domains; d; d = d->next)
		put_domain(d);
	add_root(store_root);
}

void upgrade_end(void)
{
	for (struct conn *c = at.next_conn; c; c = c->next)
		c->saved = conn_saves;
	for (uint32_t i = 0; i < at.nr_roots; i++)
		tree_put(at.roots[i]);
	free((void *)at.roots);
	free(at.way);
	memset(&at, 0, sizeof(at));
	sink = NULL;
}

bool upgrade_step(size_t bytes)
{
	size_t enough = sink->len + bytes;

	while (sink->len < enough && !sink->failed) {
		if (at.depth > 0) {
			walk();
		} else if (at.next_root < at.nr_roots) {
			next_root();
		} else if (at.next_conn) {
			put_conn(at.next_conn);
		} else {
			put8(STATE_END);
			sum_up_to(sink->len);
			put_raw(sum);
			return !sink->failed;
		}
	}
	sum_up_to(sink->len / sizeof(sum) * sizeof(sum));
	return false;
}

static bool grow(struct sink *to, size_t n)
{
	to->size = 2 * (to->len + n) + 4096;
	to->bytes = must_realloc(to->bytes, to->size);
	return true;
}

void *upgrade_save(size_t *len)
{
	struct sink all = { .grow = grow };

	upgrade_begin(&all);
	while (!upgrade_step(SIZE_MAX / 2))
		continue;
	upgrade_end();
	*len = all.len;
	return all.bytes;
}
