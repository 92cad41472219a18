/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers of the store's wire protocol, over whatever carries the bytes. */
#include "client.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

struct client_kept {
	struct client_kept *next;
	struct client_event event;
};

/* Requests that have not been sent; what is said to them fits a socket's buffer, so that neither side waits for the other. */
struct client_gathered {
	size_t used;
	int err; /* the first that was said */
	uint8_t bytes[4 * MESSAGE_MAX];
};

/* ---- messages ------------------------------------------------------------------------------------------ */

struct answer {
	struct xsd_sockmsg head;
	char text[XENSTORE_PAYLOAD_MAX + 1]; /* head.len bytes and a zero */
};

void client_init(struct store_client *c, const struct client_ops *ops)
{
	*c = (struct store_client){ .ops = ops };
	c->kept_tail = &c->kept;
}

void client_close(struct store_client *c)
{
	struct client_kept *k;

	if (!c)
		return;
	while ((k = c->kept) != NULL) {
		c->kept = k->next;
		free(k);
	}
	free(c->part);
	free(c->gathered);
	c->ops->close(c);
}

int client_fd(struct store_client *c)
{
	return c->ops->fd(c);
}

/* How many bytes the message that c->part begins has; what is not known yet is its head. */
static size_t wanted(const struct store_client *c)
{
	struct xsd_sockmsg head;

	if (c->part_len < sizeof(head))
		return sizeof(head);
	memcpy(&head, c->part, sizeof(head));
	return sizeof(head) + head.len;
}

/* One message: 1; 0: none is there. Never more than it is read, so nothing has to be kept but a part of one. */
static int next_message(struct store_client *c, struct answer *a, bool wait)
{
	if (!c->part && !(c->part = malloc(MESSAGE_MAX)))
		return -ENOMEM;
	while (c->part_len < sizeof(a->head) || c->part_len < wanted(c)) {
		ssize_t n;

		if (wanted(c) > MESSAGE_MAX)
			return -EPROTO;
		n = c->ops->receive(c, c->part + c->part_len, wanted(c) - c->part_len, wait);
		if (n <= 0)
			return (int)n;
		c->part_len += (size_t)n;
	}
	memcpy(&a->head, c->part, sizeof(a->head));
	memcpy(a->text, c->part + sizeof(a->head), a->head.len);
	a->text[a->head.len] = 0;
	c->part_len = 0;
	return 1;
}

/* A path and a token, both ended by zeroes. */
static int take_event(const struct answer *a, struct client_event *e)
{
	size_t path = strlen(a->text) + 1, token;

	if (path >= a->head.len || path > sizeof(e->path))
		return -EPROTO;
	memcpy(e->path, a->text, path);
	token = strlen(a->text + path);
	if (token >= sizeof(e->token))
		token = sizeof(e->token) - 1;
	memcpy(e->token, a->text + path, token);
	e->token[token] = 0;
	return 1;
}

static int keep_event(struct store_client *c, const struct answer *a)
{
	struct client_kept *k = malloc(sizeof(*k));
	int err = k ? take_event(a, &k->event) : -ENOMEM;

	if (err < 0) {
		free(k);
		return err;
	}
	k->next = NULL;
	*c->kept_tail = k;
	c->kept_tail = &k->next;
	return 0;
}

static int error_of(const char *name)
{
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (strcmp(name, xsd_errors[i].errstring) == 0)
			return -xsd_errors[i].errnum;
	return -EPROTO;
}

/* The answer to request `head`; events that come before it are kept. */
static int await(struct store_client *c, const struct xsd_sockmsg *head, struct answer *a)
{
	for (;;) {
		int err = next_message(c, a, true);

		if (err <= 0)
			return err ? err : -EPIPE;
		if (a->head.type != XS_WATCH_EVENT)
			break;
		err = keep_event(c, a);
		if (err)
			return err;
	}
	if (a->head.req_id != head->req_id)
		return -EPROTO;
	if (a->head.type == XS_ERROR)
		return error_of(a->text);
	return a->head.type == head->type ? 0 : -EPROTO;
}

/* What a request carries: strings with their zeroes, then bytes without. */
struct request {
	size_t len;
	bool too_long;
	char payload[XENSTORE_PAYLOAD_MAX];
};

static void add_bytes(struct request *r, const void *bytes, size_t n)
{
	if (n > sizeof(r->payload) - r->len) {
		r->too_long = true;
		return;
	}
	memcpy(r->payload + r->len, bytes, n);
	r->len += n;
}

static void add_string(struct request *r, const char *s)
{
	add_bytes(r, s, strlen(s) + 1);
}

static void add_number(struct request *r, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	add_string(r, text);
}

/* Send what is gathered, and hear what is said to each: the first error. */
static int hear(struct store_client *c)
{
	struct client_gathered *g = c->gathered;
	int err = g->used ? c->ops->send(c, g->bytes, g->used) : 0;

	for (size_t at = 0; !err && at < g->used;) {
		struct xsd_sockmsg head;
		struct answer a;

		memcpy(&head, g->bytes + at, sizeof(head));
		at += sizeof(head) + head.len;
		err = await(c, &head, &a);
		if (err && err != -EPROTO && err != -EPIPE) { /* the others have been sent */
			g->err = g->err ? g->err : err;
			err = 0;
		}
	}
	g->used = 0;
	if (err)
		g->err = err;
	return g->err;
}

static int gather(struct store_client *c, const uint8_t *message, size_t n)
{
	struct client_gathered *g = c->gathered;

	if (g->used + n > sizeof(g->bytes) && hear(c))
		return g->err;
	memcpy(g->bytes + g->used, message, n);
	g->used += n;
	return 0;
}

void client_gather(struct store_client *c)
{
	c->gathered = calloc(1, sizeof(*c->gathered)); /* without memory: one by one */
}

int client_flush(struct store_client *c)
{
	int err = c->gathered ? hear(c) : 0;

	free(c->gathered);
	c->gathered = NULL;
	return err;
}

static int ask(struct store_client *c, uint32_t type, client_txn t, const struct request *r,
	       struct answer *a)
{
	struct xsd_sockmsg head = { type, ++c->last_request, t, (uint32_t)r->len };
	uint8_t message[MESSAGE_MAX];
	int err;

	if (r->too_long)
		return -E2BIG;
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), r->payload, r->len);
	if (c->gathered && (type == XS_WRITE || type == XS_SET_PERMS))
		return gather(c, message, sizeof(head) + r->len);
	err = c->gathered ? hear(c) : 0;
	if (err)
		return err;
	err = c->ops->send(c, message, sizeof(head) + r->len);
	return err ? err : await(c, &head, a);
}

/* A request that is a path, whose answer says nothing more. */
static int ask_path(struct store_client *c, uint32_t type, client_txn t, const char *path)
{
	struct request r = { 0 };
	struct answer a;

	add_string(&r, path);
	return ask(c, type, t, &r, &a);
}

/* ---- transactions ---------------------------------------------------------------------------------------- */

int client_begin(struct store_client *c, client_txn *t)
{
	struct request r = { 0 };
	struct answer a;
	int err;

	add_string(&r, "");
	err = ask(c, XS_TRANSACTION_START, 0, &r, &a);
	if (err)
		return err;
	*t = (client_txn)strtoul(a.text, NULL, 10);
	return *t ? 0 : -EPROTO;
}

int client_end(struct store_client *c, client_txn t, bool commit)
{
	return ask_path(c, XS_TRANSACTION_END, t, commit ? "T" : "F");
}

/* ---- nodes ------------------------------------------------------------------------------------------------ */

int client_read(struct store_client *c, client_txn t, const char *path, char *value, size_t room)
{
	struct request r = { 0 };
	struct answer a;
	int err;

	add_string(&r, path);
	err = ask(c, XS_READ, t, &r, &a);
	if (err)
		return err;
	if (a.head.len >= room)
		return -E2BIG;
	memcpy(value, a.text, a.head.len + 1);
	return (int)a.head.len;
}

int client_write(struct store_client *c, client_txn t, const char *path, const void *value, size_t n)
{
	struct request r = { 0 };
	struct answer a;

	add_string(&r, path);
	add_bytes(&r, value, n);
	return ask(c, XS_WRITE, t, &r, &a);
}

int client_make(struct store_client *c, client_txn t, const char *path)
{
	return ask_path(c, XS_MKDIR, t, path);
}

int client_remove(struct store_client *c, client_txn t, const char *path)
{
	return ask_path(c, XS_RM, t, path);
}

/* ---- lists ------------------------------------------------------------------------------------------------- */

void client_names_free(struct client_names *names)
{
	free(names->text);
	*names = (struct client_names){ 0 };
}

static int add_names(struct client_names *names, const char *text, size_t n)
{
	char *more = realloc(names->text, names->size + n + 1);

	if (!more)
		return -ENOMEM;
	names->text = more;
	memcpy(more + names->size, text, n);
	names->size += n;
	more[names->size] = 0;
	for (size_t i = 0; i < n; i++)
		names->n += text[i] == 0;
	return 0;
}

/*
 * More than one answer holds: piece by piece, each beginning with the generation of the list. Another generation: begin again. An empty string is
 * the end. 1: there is more.
 */
static int list_piece(struct store_client *c, client_txn t, const char *path,
		      struct client_names *names, char generation[32])
{
	struct request r = { 0 };
	struct answer a;
	size_t head, len;
	int err;

	add_string(&r, path);
	add_number(&r, names->size);
	err = ask(c, XS_DIRECTORY_PART, t, &r, &a);
	if (err)
		return err;
	head = strlen(a.text) + 1;
	if (head >= a.head.len || head > 32)
		return -EPROTO;
	if (names->size && strcmp(generation, a.text) != 0) {
		client_names_free(names);
		return 1;
	}
	memcpy(generation, a.text, head);
	len = a.head.len - head;
	if (a.text[a.head.len - 1])
		return -EPROTO;
	/* The last name is followed by an empty one. */
	if (len == 1 || (len >= 2 && a.text[a.head.len - 2] == 0))
		return add_names(names, a.text + head, len - 1);
	err = add_names(names, a.text + head, len);
	return err ? err : 1;
}

int client_list(struct store_client *c, client_txn t, const char *path, struct client_names *names)
{
	struct request r = { 0 };
	struct answer a;
	char generation[32];
	int err;

	*names = (struct client_names){ 0 };
	add_string(&r, path);
	err = ask(c, XS_DIRECTORY, t, &r, &a);
	if (!err)
		return add_names(names, a.text, a.head.len);
	if (err != -E2BIG)
		return err;
	do
		err = list_piece(c, t, path, names, generation);
	while (err > 0);
	return err;
}

const char *client_next_name(const struct client_names *names, const char *name)
{
	const char *next = name ? name + strlen(name) + 1 : names->text;

	return next && next < names->text + names->size ? next : NULL;
}

/* ---- permissions ------------------------------------------------------------------------------------------ */

int client_permit(struct store_client *c, client_txn t, const char *path,
		  const struct client_permission *list, unsigned n)
{
	struct request r = { 0 };
	struct answer a;

	add_string(&r, path);
	for (unsigned i = 0; i < n; i++) {
		char text[8];

		snprintf(text, sizeof(text), "%c%u", list[i].access, list[i].domid);
		add_string(&r, text);
	}
	return ask(c, XS_SET_PERMS, t, &r, &a);
}

int client_permissions(struct store_client *c, client_txn t, const char *path,
		       struct client_permission *list, unsigned room)
{
	struct request r = { 0 };
	struct answer a;
	int err, n = 0;

	add_string(&r, path);
	err = ask(c, XS_GET_PERMS, t, &r, &a);
	if (err)
		return err;
	for (const char *s = a.text; s < a.text + a.head.len; s += strlen(s) + 1, n++)
		if ((unsigned)n < room)
			list[n] = (struct client_permission){
				(uint16_t)(*s ? strtoul(s + 1, NULL, 10) : 0), *s
			};
	return n;
}

/* ---- watches ----------------------------------------------------------------------------------------------- */

int client_watch(struct store_client *c, const char *path, const char *token)
{
	struct request r = { 0 };
	struct answer a;

	add_string(&r, path);
	add_string(&r, token);
	return ask(c, XS_WATCH, 0, &r, &a);
}

int client_watch_depth(struct store_client *c, const char *path, const char *token, unsigned depth)
{
	struct request r = { 0 };
	struct answer a;

	add_string(&r, path);
	add_string(&r, token);
	add_number(&r, depth);
	return ask(c, XS_WATCH, 0, &r, &a);
}

int client_unwatch(struct store_client *c, const char *path, const char *token)
{
	struct request r = { 0 };
	struct answer a;

	add_string(&r, path);
	add_string(&r, token);
	return ask(c, XS_UNWATCH, 0, &r, &a);
}

int client_event(struct store_client *c, struct client_event *e, bool wait)
{
	struct client_kept *k = c->kept;
	struct answer a;
	int err;

	if (k) {
		*e = k->event;
		c->kept = k->next;
		if (!c->kept)
			c->kept_tail = &c->kept;
		free(k);
		return 1;
	}
	err = next_message(c, &a, wait);
	if (err <= 0)
		return err;
	return a.head.type == XS_WATCH_EVENT ? take_event(&a, e) : -EPROTO;
}

/* ---- domains ------------------------------------------------------------------------------------------------ */

int client_introduce(struct store_client *c, uint16_t domid, uint64_t gfn, uint32_t port)
{
	struct request r = { 0 };
	struct answer a;

	add_number(&r, domid);
	add_number(&r, gfn);
	add_number(&r, port);
	return ask(c, XS_INTRODUCE, 0, &r, &a);
}

int client_release(struct store_client *c, uint16_t domid)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", domid);
	return ask_path(c, XS_RELEASE, 0, text);
}
