/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains as the store sees them: introduced by the toolstack, connected by their ring, gone when Xen says so. What
 * a domain that is gone owned is taken out of the tree, and no permission names it any more: its number may come back.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

struct node *store_root;
const struct store_host *store_host;
void (*store_log)(const char *line);

void log_line(const char *format, ...)
{
	char line[512];
	va_list ap;

	if (!store_log)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	store_log(line);
}

_Noreturn void log_end(const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fprintf(stderr, "kr-stored: %s\n", line);
	log_line("%s", line);
	exit(1);
}

bool domain_known(domid id)
{
	struct domain *d = domain_find(id);

	return id == 0 || (d && d->introduced) || store_host->domain_exists(id);
}

/* The ring of a domain is the connection of its number; sockets have numbers above all domains'. */
int domain_introduce(domid id, uint64_t gfn, uint32_t port)
{
	struct ring_state start = { 0, 0, 0 };
	struct domain *d;
	int err;

	if (id != 0) {
		err = store_host->introduce(id, gfn, port, &start);
		if (err)
			return err;
		d = domain_need(id);
		d->introduced = true;
		d->gfn = gfn;
		d->port = port;
		if (!d->conn) {
			d->conn = conn_new(id, id, true);
			d->conn->ring = start;
		}
		conn_touch(d->conn);
		d->conn->ring.port = start.port;
	}
	watch_fire_special("@introduceDomain", id);
	return 0;
}

static void gone(void *context, const char *path, struct node *node)
{
	watch_fire(0, path, node, NULL, parent_of(store_root, path), true);
}

/* Nobody acts for a domain that is gone. */
static void aim_away_from(domid id)
{
	for (struct domain *d = domains; d; d = d->next)
		if (d->has_target && d->target == id)
			d->has_target = false;
}

static void take_leave(struct domain *d)
{
	domid id = d->id;

	d->introduced = false;
	if (d->conn) {
		struct conn *c = d->conn;

		d->conn = NULL;
		conn_free(c);
	}
	store_host->release(id);
	tree_forget(&store_root, id, &quota_ledger, gone, NULL);
	d->has_target = d->shutdown = false;
	aim_away_from(id);
	domain_drop(d);
	watch_fire_special("@releaseDomain", id);
}

int domain_release(struct domain *d)
{
	take_leave(d);
	return 0;
}

void domain_gone(domid id)
{
	struct domain *d = domain_find(id);

	if (d && d->introduced && id != 0)
		take_leave(d);
}

void domain_shut_down(domid id)
{
	struct domain *d = domain_find(id);

	if (!d || !d->introduced || d->shutdown || id == 0)
		return;
	d->shutdown = true;
	watch_fire_special("@releaseDomain", id);
}
