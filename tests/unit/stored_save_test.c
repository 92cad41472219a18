/* SPDX-License-Identifier: Apache-2.0 */
/* A state that is saved in steps is the store of the moment when that began, whatever happens between the steps. */
#include "stored.h"
#include "stored/upgrade.h"

static uint32_t dice;

static uint32_t pick(uint32_t n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % n;
}

/* ---- the store as text --------------------------------------------------------------------------------- */

static void print_tree(FILE *f, const struct node *node, unsigned depth)
{
	struct node **kids = malloc((node->nr_kids + 1) * sizeof(struct node *));

	fprintf(f, "%*s%s %llu %llu %llx %.*s n%u", depth, "", node->name ? node->name->text : "/",
		(unsigned long long)node->generation, (unsigned long long)node->kids_generation,
		(unsigned long long)node->domains, (int)node->value->len, node->value->data,
		node->kids_bytes);
	for (uint32_t i = 0; i < node->perms->n; i++)
		fprintf(f, " %u:%u", node->perms->entry[i].id, node->perms->entry[i].bits);
	fprintf(f, "\n");
	tree_list((struct node *)(uintptr_t)node, kids);
	for (uint32_t i = 0; i < node->nr_kids; i++)
		print_tree(f, kids[i], depth + 1);
	free(kids);
}

static void print_conn(FILE *f, const struct conn *c)
{
	fprintf(f, "connection %x of %u: %u in, next transaction %u\n", c->id, c->dom, c->in_len,
		c->next_txn);
	if (c->out)
		fwrite(c->out + c->out_at, 1, conn_queued(c), f);
	for (uint32_t i = c->pending_at; i < c->pending_end; i++)
		fprintf(f, "by %u until %llu\n", c->pending[i].cause,
			(unsigned long long)c->pending[i].end);
	for (const struct watch *w = c->watches; w; w = w->next_of_conn)
		fprintf(f, "watch %s %s %d %u %llu\n", w->path, w->token, w->depth, w->skip,
			(unsigned long long)w->order);
	for (const struct txn *t = c->txns; t; t = t->next) {
		fprintf(f, "transaction %u: %llu bytes\n", t->id, (unsigned long long)t->memory);
		for (uint32_t i = 0; i < t->nr_entries; i++)
			fprintf(f, "%u %.*s %llx %d\n", t->entries[i].type, (int)t->entries[i].len,
				t->entries[i].payload, (unsigned long long)t->entries[i].answer,
				t->entries[i].changed);
		print_tree(f, t->base, 0);
		print_tree(f, t->root, 0);
	}
}

static char *text_of_store(void)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	print_tree(f, store_root, 0);
	for (unsigned id = 0; id < 100; id++) {
		const struct domain *d = domain_find(id);

		if (d)
			fprintf(f, "domain %u: %d %u nodes %u watches %u transactions %llu bytes\n",
				id, d->introduced, d->nodes, d->watches, d->transactions,
				(unsigned long long)d->memory);
		if (conn_find(id))
			print_conn(f, conn_find(id));
		if (conn_find(SOCKET + id))
			print_conn(f, conn_find(SOCKET + id));
	}
	fprintf(f, "%llu %llu %llu\n", (unsigned long long)tree_generation,
		(unsigned long long)tree_order, (unsigned long long)watch_order);
	fclose(f);
	return text;
}

/* ---- what happens meanwhile ----------------------------------------------------------------------------- */

static const char *some_path(struct conn *c)
{
	static char path[64];

	snprintf(path, sizeof(path), c->dom && pick(2) ? "%c/%u" : "/%c/%u/%u", 'a' + (char)pick(4),
		 pick(40), pick(3));
	return path;
}

static uint32_t some_transaction(const struct conn *c)
{
	const struct txn *t = c->txns;

	for (uint32_t n = pick(4); t && n > 0; n--)
		t = t->next;
	return t && pick(2) ? t->id : 0;
}

static void something_happens(void)
{
	struct conn *c = pick(2) ? dom0(pick(4)) : guest((domid)(1 + pick(4)));

	test_tx = some_transaction(c);
	switch (pick(12)) {
	case 0: test_tx = 0, put_request(c, XS_TRANSACTION_START, "", 1); break;
	case 1: put_request(c, XS_TRANSACTION_END, pick(3) ? "T" : "F", 2); break;
	case 2: test_tx = 0, ask(c, XS_WATCH, some_path(c), pick(2) ? "t" : "u", NULL); break;
	case 3: test_tx = 0, ask(c, XS_UNWATCH, some_path(c), "t", NULL); break;
	case 4: ask(c, XS_RM, some_path(c), NULL); break;
	case 5: put_request(c, XS_DIRECTORY, "/a", 3); break;
	case 6:
		if (pick(8) == 0)
			conn_free(c->dom ? dom0(5) : c);
		else
			conn_forgive(c);
		break;
	case 7:
		if (pick(8) == 0)
			domain_gone(c->dom);
		break;
	case 8: conn_input(c, "\2\0", pick(3)), conn_reset(c); break;
	default: ask(c, XS_WRITE, some_path(c), "value", NULL);
	}
	test_tx = 0;
	while (conn_next_dirty())
		continue;
}

static bool grow(struct sink *sink, size_t n)
{
	sink->size = 2 * (sink->len + n);
	sink->bytes = must_realloc(sink->bytes, sink->size);
	return true;
}

static void a_state_is_of_the_moment_when_its_saving_began(void **state)
{
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct sink sink = { .grow = grow };
		char *before, *now, *after;
		unsigned steps = 0;

		dice = seed;
		for (unsigned n = 0; n < 300; n++)
			something_happens();
		before = text_of_store();
		upgrade_begin(&sink);
		while (!upgrade_step(100 + pick(400))) {
			something_happens();
			steps++;
		}
		upgrade_end();
		assert_in_range(steps, 3, 1000);
		store_check();
		now = text_of_store();
		assert_string_not_equal(now, before);
		store_fini();
		store_init(seed, &test_host);
		assert_true(upgrade_load(sink.bytes, sink.len));
		store_check();
		after = text_of_store();
		assert_string_equal(after, before);
		free(before);
		free(now);
		free(after);
		free(sink.bytes);
	}
}

static bool grow_once(struct sink *sink, size_t n)
{
	if (!sink->bytes)
		return grow(sink, 500 + n);
	sink->failed = true;
	return false;
}

static void without_space_a_save_is_given_up_and_another_begun(void **state)
{
	struct sink sink = { .grow = grow_once };
	char *before, *after;
	size_t len;
	void *saved;

	dice = 7;
	for (unsigned n = 0; n < 300; n++)
		something_happens();
	upgrade_begin(&sink);
	while (!sink.failed) {
		assert_false(upgrade_step(100));
		something_happens();
	}
	upgrade_end();
	free(sink.bytes);
	something_happens();
	before = text_of_store();
	saved = upgrade_save(&len);
	store_fini();
	store_init(3, &test_host);
	assert_true(upgrade_load(saved, len));
	after = text_of_store();
	assert_string_equal(after, before);
	free(before);
	free(after);
	free(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(a_state_is_of_the_moment_when_its_saving_began),
		UNIT_TEST(without_space_a_save_is_given_up_and_another_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
