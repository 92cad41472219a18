/* SPDX-License-Identifier: Apache-2.0 */
/* On libxenstore. */
#include "store_write.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/xs_wire.h>

#define TRIES 20 /* of a transaction that others disturb */

void store_below(struct store_write *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->at, sizeof(w->at), format, args);
	va_end(args);
}

static bool write_node(struct store_write *w, const char *path, const char *value,
		       enum store_access access)
{
	const bool owns = access == STORE_GUEST_OWNS || access == STORE_GUEST_OWNS_ALONE;
	struct xs_permissions perms[2] = {
		{ owns ? w->domid : 0, XS_PERM_NONE },
		{ owns ? 0 : w->domid, XS_PERM_READ },
	};
	unsigned n = access == STORE_GUEST_READS || access == STORE_GUEST_OWNS ? 2 : 1;

	return xs_write(w->xs, w->t, path, value, (unsigned)strlen(value)) &&
	       xs_set_permissions(w->xs, w->t, path, perms, n);
}

void store_put(struct store_write *w, enum store_access access, const char *name,
	       const char *format, ...)
{
	char path[2 * STORE_PATH_MAX], value[XENSTORE_PAYLOAD_MAX];
	va_list args;
	int n;

	if (w->failed)
		return;
	va_start(args, format);
	n = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s%s%s", w->at, *name ? "/" : "", name);
	errno = E2BIG;
	w->failed = n >= (int)sizeof(value) || !write_node(w, path, value, access);
}

bool store_transaction(struct xs_handle *xs, uint16_t domid,
		       void (*fill)(struct store_write *w, void *arg), void *arg)
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct store_write w = { .xs = xs, .domid = domid };
		int err;

		w.t = xs_transaction_start(xs);
		if (w.t == XBT_NULL)
			return false;
		fill(&w, arg);
		err = errno;
		if (xs_transaction_end(xs, w.t, w.failed)) {
			errno = err;
			return !w.failed;
		}
		if (errno != EAGAIN)
			return false;
	}
	return false;
}

bool store_get(const struct system *s, char *buf, size_t room, const char *format, ...)
{
	char path[STORE_PATH_MAX], *value;
	unsigned n = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	buf[0] = 0;
	value = s->store ? xs_read(s->store, XBT_NULL, path, &n) : NULL;
	if (!value)
		return false;
	snprintf(buf, room, "%.*s", (int)n, value);
	free(value);
	return true;
}

void store_drop(const struct system *s, const char *format, ...)
{
	char path[STORE_PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	xs_rm(s->store, XBT_NULL, path);
}
