/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's unit tests share: a store, clients, and requests in a line each. */
#ifndef UNIT_STORED_H
#define UNIT_STORED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "stored/store.h"

/* Surroundings in which every domain below 100 exists and can be connected. */
static inline int test_introduce(domid id, uint64_t gfn, uint32_t port, struct ring_state *start)
{
	memset(start, 0, sizeof(*start));
	return id < 100 ? 0 : -EINVAL;
}

static inline void test_release(domid id) {}

static inline bool test_exists(unsigned id)
{
	return id < 100;
}

static const struct store_host test_host = { test_introduce, test_release, test_exists, NULL };

static inline int store_up(void **state)
{
	store_init(1, &test_host);
	return 0;
}

static inline int store_down(void **state)
{
	while (conn_next_dirty())
		continue;
	store_check();
	store_fini();
	return 0;
}

#define SOCKET 0x10000u

/* A socket of dom0. */
static inline struct conn *dom0(unsigned n)
{
	struct conn *c = conn_find(SOCKET + n);

	return c ? c : conn_new(SOCKET + n, 0, false);
}

/* The ring of a domain, which owns its home. */
static inline struct conn *guest(domid id)
{
	struct domain *d = domain_find(id);
	char home[64];
	struct perm own = { id, PERM_NONE };
	struct perms *perms;
	struct blob *nothing;

	if (d && d->conn)
		return d->conn;
	assert_int_equal(domain_introduce(id, 1, 1), 0);
	snprintf(home, sizeof(home), "/local/domain/%u", id);
	perms = perms_new(&own, 1);
	nothing = blob_new("", 0);
	tree_create(&store_root, home, nothing, perms, &quota_ledger);
	blob_put(nothing);
	perms_put(perms);
	return domain_find(id)->conn;
}

static uint32_t test_tx; /* the transaction of the next requests */

/* One message: its payload in a static buffer, "?" when nothing is there, "E..." of an error. */
static inline const char *next_message(struct conn *c, uint32_t *type)
{
	static char text[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg m;

	if (conn_queued(c) < sizeof(m))
		return "?";
	memcpy(&m, c->out + c->out_at, sizeof(m));
	memcpy(text, c->out + c->out_at + sizeof(m), m.len);
	text[m.len] = 0;
	if (type)
		*type = m.type;
	conn_sent(c, sizeof(m) + m.len);
	return text;
}

static inline void put_request(struct conn *c, uint32_t type, const void *payload, size_t n)
{
	struct xsd_sockmsg m = { type, 7, test_tx, (uint32_t)n };
	uint8_t bytes[MESSAGE_MAX];

	memcpy(bytes, &m, sizeof(m));
	memcpy(bytes + sizeof(m), payload, n);
	conn_input(c, bytes, sizeof(m) + n);
}

/* A request of the strings, ended by NULL, and its reply. Events stay away: see event(). */
static inline const char *ask(struct conn *c, uint32_t type, ...)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	uint32_t got = XS_WATCH_EVENT;
	const char *s, *answer = "?";
	size_t n = 0;
	va_list ap;

	while (conn_queued(c))
		next_message(c, NULL);
	va_start(ap, type);
	while ((s = va_arg(ap, const char *)) != NULL) {
		memcpy(payload + n, s, strlen(s) + 1);
		n += strlen(s) + 1;
	}
	va_end(ap);
	put_request(c, type, payload, type == XS_WRITE ? n - 1 : n);
	while (got == XS_WATCH_EVENT && conn_queued(c))
		answer = next_message(c, &got);
	return answer;
}

/* Events that wait, as "path|token ". */
static inline const char *events(struct conn *c)
{
	static char text[4096];
	uint32_t type;

	text[0] = 0;
	while (conn_queued(c)) {
		const char *path = next_message(c, &type);

		assert_int_equal(type, XS_WATCH_EVENT);
		strcat(strcat(strcat(strcat(text, path), "|"), path + strlen(path) + 1), " ");
	}
	return text;
}

#define is(answer, expected) assert_string_equal(answer, expected)
#define UNIT_TEST(f)         cmocka_unit_test_setup_teardown(f, store_up, store_down)

#endif
