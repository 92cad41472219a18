/* SPDX-License-Identifier: Apache-2.0 */
/* Recount everything that is counted: CONTROL check, the tests and the fuzzer end here when an account is wrong. */
#include <stdlib.h>
#include <string.h>
#include "store.h"

static struct {
	uint32_t nodes;
	uint32_t watches;
	uint32_t transactions;
	uint64_t bytes;
} * counted;

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

	counted[owner].nodes++;
	counted[owner].bytes += (uint64_t)tree_bytes(node);
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

void store_check(void)
{
	uint32_t n = 0;

	counted = calloc(DOMAINS, sizeof(*counted));
	check_node(store_root, NULL);
	for (struct conn *c = conns; c; c = c->next, n++) {
		claim(conn_find(c->id) == c, "a connection by its number", c->dom);
		for (struct watch *w = c->watches; w; w = w->next_of_conn) {
			counted[c->dom].watches++;
			counted[c->dom].bytes += sizeof(*w) + strlen(w->path) + strlen(w->token) + 2;
		}
		for (struct txn *t = c->txns; t; t = t->next) {
			counted[c->dom].transactions++;
			counted[c->dom].bytes += t->memory;
		}
	}
	claim(n == nr_conns, "the number of connections", 0);
	for (unsigned i = 0; i < DOMAINS; i++) {
		struct domain *d = domain_find(i);

		claim((d ? d->nodes : 0) == counted[i].nodes, "nodes", i);
		claim((d ? d->watches : 0) == counted[i].watches, "watches", i);
		claim((d ? d->transactions : 0) == counted[i].transactions, "transactions", i);
		claim((d ? d->memory : 0) == counted[i].bytes, "memory", i);
	}
	watch_check();
	free(counted);
}
