/* SPDX-License-Identifier: Apache-2.0 */
/* Over the store client. */
#include "store_write.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#define TRIES 20 /* of a transaction that others disturb */

void store_below(struct store_write *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->at, sizeof(w->at), format, args);
	va_end(args);
}

static int write_node(struct store_write *w, const char *path, const char *value,
		      enum store_access access)
{
	const bool owns = access == STORE_GUEST_OWNS || access == STORE_GUEST_OWNS_ALONE;
	const struct client_permission perms[2] = {
		{ owns ? w->domid : 0, 'n' },
		{ owns ? 0 : w->domid, 'r' },
	};
	unsigned n = access == STORE_GUEST_READS || access == STORE_GUEST_OWNS ? 2 : 1;
	int err = client_write(w->client, w->t, path, value, strlen(value));

	return err ? err : client_permit(w->client, w->t, path, perms, n);
}

void store_put(struct store_write *w, enum store_access access, const char *name,
	       const char *format, ...)
{
	char path[2 * STORE_PATH_MAX], value[XENSTORE_PAYLOAD_MAX];
	va_list args;
	int n;

	if (w->err)
		return;
	va_start(args, format);
	n = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s%s%s", w->at, *name ? "/" : "", name);
	w->err = n >= (int)sizeof(value) ? -E2BIG : write_node(w, path, value, access);
}

bool store_transaction(struct store_client *client, uint16_t domid,
		       void (*fill)(struct store_write *w, void *arg), void *arg)
{
	int err = -EAGAIN;

	for (unsigned i = 0; i < TRIES && err == -EAGAIN; i++) {
		struct store_write w = { .client = client, .domid = domid };

		err = client_begin(client, &w.t);
		if (err)
			break;
		client_gather(client);
		fill(&w, arg);
		err = client_flush(client);
		if (!w.err)
			w.err = err;
		err = client_end(client, w.t, !w.err);
		if (!err)
			err = w.err;
	}
	errno = -err;
	return !err;
}

bool store_get(const struct system *s, char *buf, size_t room, const char *format, ...)
{
	char path[STORE_PATH_MAX], value[XENSTORE_PAYLOAD_MAX + 1];
	va_list args;
	int n = -EPIPE;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	buf[0] = 0;
	if (s->store)
		n = client_read(s->store, 0, path, value, sizeof(value));
	if (n >= 0)
		snprintf(buf, room, "%.*s", n, value);
	return n >= 0;
}

void store_drop(const struct system *s, const char *format, ...)
{
	char path[STORE_PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	/* What cannot be removed is not there. */
	(void)!client_remove(s->store, 0, path);
}

void store_children(const struct system *s, struct client_names *names, const char *format, ...)
{
	char path[STORE_PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	*names = (struct client_names){ 0 };
	(void)!client_list(s->store, 0, path, names);
}

void store_set(const struct system *s, const char *value, const char *format, ...)
{
	char path[STORE_PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	(void)!client_write(s->store, 0, path, value, strlen(value));
}
