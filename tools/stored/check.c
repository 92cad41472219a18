/* SPDX-License-Identifier: Apache-2.0 */
/* Recount everything that is counted: CONTROL check, the tests and the fuzzer end here when an account is wrong. */
#include <stdlib.h>
#include <string.h>
#include "store.h"

static void claim(bool holds, const char *what, unsigned id)
{
	if (!holds) {
		fprintf(stderr, "kr-stored: broken: %s (domain %u)\n", what, id);
		abort();
	}
}

struct sum {
	struct node *parent;
	uint32_t n, bytes;
};

static int check_node(struct node *node, void *context)
{
	struct sum *above = context, mine = { node, 0, 0 };
	domid owner = node->perms->entry[0].id;
	struct domain *d = domain_find(owner);

	claim(d != NULL, "an owner", owner);
	d->counted.nodes++;
	d->counted.bytes += (uint64_t)tree_bytes(node);
	for (uint32_t i = 0; i < node->perms->n; i++)
		claim(node->perms->entry[i].id == 0 ||
			  (node->domains & (1ull << (node->perms->entry[i].id % 64))),
		      "a node's domains", node->perms->entry[i].id);
	tree_each(node, check_node, &mine);
	claim(mine.n == node->nr_kids && mine.bytes == node->kids_bytes, "children", owner);
	if (above) {
		claim((node->domains & ~above->parent->domains) == 0, "domains above", owner);
		claim(tree_child(above->parent, node->name->text, node->name->len) == node,
		      "a child by its name", owner);
		above->n++;
		above->bytes += node->name->len + 1;
	}
	return 0;
}

static void check_conn(struct conn *c)
{
	struct domain *d = domain_find(c->dom);

	claim(conn_find(c->id) == c, "a connection by its number", c->dom);
	claim(d != NULL, "a connection's domain", c->dom);
	for (struct watch *w = c->watches; w; w = w->next_of_conn) {
		d->counted.watches++;
		d->counted.bytes += sizeof(*w) + strlen(w->path) + strlen(w->token) + 2;
	}
	for (struct txn *t = c->txns; t; t = t->next) {
		d->counted.transactions++;
		d->counted.bytes += t->memory;
	}
}

void store_check(void)
{
	uint32_t n = 0;

	for (struct domain *d = domains; d; d = d->next)
		memset(&d->counted, 0, sizeof(d->counted));
	check_node(store_root, NULL);
	for (struct conn *c = conns; c; c = c->next, n++)
		check_conn(c);
	claim(n == nr_conns, "the number of connections", 0);
	for (struct domain *d = domains; d; d = d->next) {
		claim(d->nodes == d->counted.nodes, "nodes", d->id);
		claim(d->watches == d->counted.watches, "watches", d->id);
		claim(d->transactions == d->counted.transactions, "transactions", d->id);
		claim(d->memory == d->counted.bytes, "memory", d->id);
	}
	watch_check();
}
