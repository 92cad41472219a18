/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: bytes in, messages out.
 *
 * A connection's output is bounded: its own replies by not reading from it while much is queued, events by the
 * account of the domain that causes them, which is not read from while too many of them wait (conn_may_read), and, whoever causes
 * them, by the memory that their receiver may use.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

#define OUTPUT_MAX (16 * 1024) /* queued replies above which a peer is not read from */

struct conn *conns;
uint32_t nr_conns;
void (*conn_leaves)(struct conn *c);
bool conn_let_on;
uint32_t conn_saves;
void (*conn_save)(struct conn *c);
static struct conn *dirty;

/* By id; the surroundings know their connections themselves, this is for the journal. */
#define BUCKETS 1024
static struct conn *buckets[BUCKETS];

struct conn *conn_find(uint32_t id)
{
	struct conn *c = buckets[id % BUCKETS];

	while (c && c->id != id)
		c = c->next_in_bucket;
	return c;
}

struct conn *conn_new(uint32_t id, domid dom, bool is_ring)
{
	struct conn **bucket = &buckets[id % BUCKETS], *c = must_alloc(sizeof(*c));

	memset(c, 0, sizeof(*c));
	c->id = id;
	c->dom = dom;
	c->is_ring = is_ring;
	c->next_txn = 1;
	c->saved = conn_saves;
	c->watches_tail = &c->watches;
	c->next = conns;
	if (conns)
		conns->prev = c;
	conns = c;
	nr_conns++;
	c->next_in_bucket = *bucket;
	*bucket = c;
	return c;
}

static void forget_pending(struct conn *c, uint64_t until)
{
	while (c->pending_at < c->pending_end && c->pending[c->pending_at].end <= until) {
		struct domain *d = domain_find(c->pending[c->pending_at++].cause);

		if (d && d->outstanding-- == quota_limit[QUOTA_OUTSTANDING] + 1)
			conn_let_on = true;
	}
	if (c->pending_at == c->pending_end) {
		free(c->pending);
		c->pending = NULL;
		c->pending_at = c->pending_end = c->pending_size = 0;
	}
}

void conn_forgive(struct conn *c)
{
	conn_touch(c);
	forget_pending(c, UINT64_MAX);
}

void conn_reset(struct conn *c)
{
	conn_touch(c);
	watch_remove_all(c);
	txn_end_all(c);
	forget_pending(c, UINT64_MAX);
	free(c->in);
	free(c->out);
	c->in = c->out = NULL;
	c->in_len = c->in_size = 0;
	c->out_at = c->out_end = c->out_size = 0;
	c->next_txn = 1;
}

void conn_free(struct conn *c)
{
	struct conn **bucket = &buckets[c->id % BUCKETS];

	conn_touch(c);
	if (c->host && conn_leaves)
		conn_leaves(c);
	conn_reset(c);
	if (c->dirty) {
		struct conn **at = &dirty;

		while (*at != c)
			at = &(*at)->next_dirty;
		*at = c->next_dirty;
	}
	while (*bucket != c)
		bucket = &(*bucket)->next_in_bucket;
	*bucket = c->next_in_bucket;
	if (c->prev)
		c->prev->next = c->next;
	else
		conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	nr_conns--;
	free(c);
}

bool conn_may_read(const struct conn *c)
{
	const struct domain *d;

	if (c->dead || conn_queued(c) > OUTPUT_MAX)
		return false;
	if (c->dom == 0)
		return true;
	d = domain_find(c->dom);
	return !d || ((quota_limit[QUOTA_OUTSTANDING] == 0 ||
		       d->outstanding <= quota_limit[QUOTA_OUTSTANDING]) &&
		      (quota_limit[QUOTA_MEMORY] == 0 || d->memory <= quota_limit[QUOTA_MEMORY]));
}

/* ---- output -------------------------------------------------------------------------------------- */

struct conn *conn_next_dirty(void)
{
	struct conn *c = dirty;

	if (c) {
		dirty = c->next_dirty;
		c->dirty = false;
	}
	return c;
}

static void mark_dirty(struct conn *c)
{
	if (!c->dirty) {
		c->dirty = true;
		c->next_dirty = dirty;
		dirty = c;
	}
}

/* Room for n more bytes of output. */
static uint8_t *out_room(struct conn *c, size_t n)
{
	conn_touch(c);
	if (c->out_end + n > c->out_size) {
		if (c->out_at > 0) {
			memmove(c->out, c->out + c->out_at, conn_queued(c));
			c->out_end -= c->out_at;
			c->out_at = 0;
		}
		if (c->out_end + n > c->out_size) {
			c->out_size = c->out_end + (uint32_t)n;
			if (c->out_size > 256) /* grow by half: appending stays linear */
				c->out_size += c->out_size / 2;
			c->out = must_realloc(c->out, c->out_size);
		}
	}
	return c->out + c->out_end;
}

static void out_message(struct conn *c, const struct xsd_sockmsg *m, const void *payload)
{
	uint8_t *at = out_room(c, sizeof(*m) + m->len);

	memcpy(at, m, sizeof(*m));
	memcpy(at + sizeof(*m), payload, m->len);
	c->out_end += sizeof(*m) + m->len;
	mark_dirty(c);
}

void conn_reply(struct conn *c, const struct xsd_sockmsg *request, const void *payload, size_t n)
{
	struct xsd_sockmsg m = *request;

	m.len = (uint32_t)n;
	out_message(c, &m, payload);
}

void conn_event(struct conn *c, const char *path, const char *token, domid cause)
{
	size_t lp = strlen(path) + 1, lt = strlen(token) + 1;
	struct xsd_sockmsg m = { .type = XS_WATCH_EVENT, .len = (uint32_t)(lp + lt) };
	struct domain *d = domain_need(c->dom);
	uint8_t *at;

	if (c->dead || m.len > XENSTORE_PAYLOAD_MAX)
		return;
	if (quota_check(d, QUOTA_MEMORY, d->memory + conn_queued(c) + sizeof(m) + m.len))
		return; /* nobody waits for a guest that takes nothing, and nobody keeps everything for it */
	at = out_room(c, sizeof(m) + m.len);
	memcpy(at, &m, sizeof(m));
	memcpy(at + sizeof(m), path, lp);
	memcpy(at + sizeof(m) + lp, token, lt);
	c->out_end += sizeof(m) + m.len;
	mark_dirty(c);
	/* dom0 may flood itself; its own events are a domain's own affair too. */
	if (cause == 0 || cause == c->dom)
		return;
	d = domain_find(cause);
	if (!d)
		return;
	d->outstanding++;
	if (c->pending_end == c->pending_size) {
		c->pending_size = c->pending_size ? 2 * c->pending_size : 8;
		c->pending = must_realloc(c->pending, c->pending_size * sizeof(c->pending[0]));
	}
	c->pending[c->pending_end++] = (struct pending){ c->out_done + conn_queued(c), cause };
}

void conn_sent(struct conn *c, size_t n)
{
	conn_touch(c);
	c->out_at += (uint32_t)n;
	c->out_done += n;
	c->ring.rsp_prod += (uint32_t)n;
	if (c->pending)
		forget_pending(c, c->out_done);
	if (c->out_at == c->out_end) {
		/* Most connections are silent most of the time: nothing is kept for them. */
		free(c->out);
		c->out = NULL;
		c->out_at = c->out_end = c->out_size = 0;
	}
}

/* ---- input ---------------------------------------------------------------------------------------- */

/* Carry out the message at bytes when all of it is there; how long it was, 0 when it is not whole. */
static size_t one_message(struct conn *c, const uint8_t *bytes, size_t n)
{
	static char payload[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg m;

	if (n < sizeof(m))
		return 0;
	memcpy(&m, bytes, sizeof(m));
	if (m.len > XENSTORE_PAYLOAD_MAX) {
		log_line("%s of domain %u sent a message of %u bytes: disconnected",
			 c->is_ring ? "ring" : "socket", c->dom, m.len);
		c->dead = true;
		c->error = XENSTORE_ERROR_PROTO;
		return 0;
	}
	if (n < sizeof(m) + m.len)
		return 0;
	memcpy(payload, bytes + sizeof(m), m.len);
	payload[m.len] = 0;
	proto_message(c, &m, payload);
	return sizeof(m) + m.len;
}

static void keep(struct conn *c, const uint8_t *bytes, size_t n)
{
	if (c->in_len + n > c->in_size) {
		c->in_size = (uint32_t)(c->in_len + n);
		c->in = must_realloc(c->in, c->in_size);
	}
	memcpy(c->in + c->in_len, bytes, n);
	c->in_len += (uint32_t)n;
}

/* How many bytes the message that c->in begins lacks at least. */
static size_t lacking(const struct conn *c)
{
	struct xsd_sockmsg m;

	if (c->in_len < sizeof(m))
		return sizeof(m) - c->in_len;
	memcpy(&m, c->in, sizeof(m));
	return m.len > XENSTORE_PAYLOAD_MAX ? 0 : sizeof(m) + m.len - c->in_len;
}

void conn_input(struct conn *c, const void *data, size_t n)
{
	const uint8_t *bytes = data;
	size_t used;

	conn_touch(c);
	c->ring.req_cons += (uint32_t)n;
	while (c->in_len > 0 && !c->dead) { /* complete what came in parts */
		size_t part = lacking(c) < n ? lacking(c) : n;

		keep(c, bytes, part);
		bytes += part;
		n -= part;
		used = one_message(c, c->in, c->in_len);
		if (used || c->dead) {
			free(c->in);
			c->in = NULL;
			c->in_len = c->in_size = 0;
		} else if (n == 0) {
			return;
		}
	}
	while (!c->dead && (used = one_message(c, bytes, n)) > 0) {
		bytes += used;
		n -= used;
	}
	if (c->dead)
		conn_reset(c);
	else if (n > 0)
		keep(c, bytes, n);
}
