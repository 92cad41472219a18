/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store keeps about a domain (Xen's docs/misc/xenstore-paths): written in one transaction, so that nobody sees half of it, and
 * only then is the store daemon told that the domain is there. The guest may read its home, and write where the paths say so.
 */
#include "store_write.h"
#include "lib/uuid.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/xen.h>

#define KIB_PER_MIB 1024ull

struct home {
	const struct config *c;
	const struct made *made;
};

/* ---- writing ----------------------------------------------------------------------------------------- */

/* Those that no tool made (adopt.c) have no UUID, and nothing is known of their image. */
static bool has_vm(const struct made *made)
{
	static const uint8_t none[sizeof(made->uuid)];

	return memcmp(made->uuid, none, sizeof(none)) != 0;
}

static void write_home(struct store_write *w, const struct config *c, const struct made *made)
{
	/* Folders that the guest fills. */
	static const char *const own[] = { "control/shutdown",
					   "control/feature-poweroff",
					   "control/feature-reboot",
					   "control/feature-suspend",
					   "control/sysrq",
					   "data",
					   "drivers",
					   "feature",
					   "attr",
					   "error" };
	static const char *const read[] = { "device", "control" };
	char uuid[UUID_TEXT];

	store_below(w, "/local/domain/%u", made->domid);
	store_put(w, STORE_GUEST_READS, "", "%s", "");
	if (has_vm(made))
		store_put(w, STORE_GUEST_READS, "vm", "/vm/%s", uuid_text(made->uuid, uuid));
	store_put(w, STORE_GUEST_READS, "name", "%s", c->name);
	store_put(w, STORE_GUEST_READS, "domid", "%u", made->domid);
	store_put(w, STORE_GUEST_READS, "memory/static-max", "%llu",
		  (unsigned long long)(c->maxmem * KIB_PER_MIB));
	store_put(w, STORE_GUEST_READS, "memory/target", "%llu",
		  (unsigned long long)(c->memory * KIB_PER_MIB));
	if (made->store_port) {
		store_put(w, STORE_GUEST_READS, "store/port", "%u", made->store_port);
		store_put(w, STORE_GUEST_READS, "store/ring-ref", "%llu",
			  (unsigned long long)made->store_gfn);
	}
	for (unsigned i = 0; i < 2; i++)
		store_put(w, STORE_GUEST_READS, read[i], "%s", "");
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		store_put(w, STORE_GUEST_OWNS_ALONE, own[i], "%s", "");
	for (uint32_t i = 0; i < c->maxvcpus; i++) {
		char name[40];

		snprintf(name, sizeof(name), "cpu/%u/availability", i);
		store_put(w, STORE_GUEST_READS, name, "%s", i < c->vcpus ? "online" : "offline");
	}
}

static void write_console(struct store_write *w, const struct made *made)
{
	uint16_t domid = made->domid;

	store_below(w, "/local/domain/%u/console", domid);
	store_put(w, STORE_GUEST_READS, "backend", "/local/domain/0/backend/console/%u/0", domid);
	store_put(w, STORE_GUEST_READS, "backend-id", "0");
	store_put(w, STORE_GUEST_READS, "limit", "%u", 1u << 20);
	store_put(w, STORE_GUEST_READS, "type", "xenconsoled");
	store_put(w, STORE_GUEST_READS, "output", "pty");
	store_put(w, STORE_GUEST_READS, "tty", "%s", "");
	store_put(w, STORE_GUEST_READS, "port", "%u", made->console_port);
	store_put(w, STORE_GUEST_READS, "ring-ref", "%llu", (unsigned long long)made->console_gfn);
	store_below(w, "/local/domain/0/backend/console/%u/0", domid);
	store_put(w, STORE_GUEST_READS, "frontend", "/local/domain/%u/console", domid);
	store_put(w, STORE_GUEST_READS, "frontend-id", "%u", domid);
	store_put(w, STORE_GUEST_READS, "online", "1");
	store_put(w, STORE_GUEST_READS, "state", "1");
	store_put(w, STORE_GUEST_READS, "protocol", "vt100");
}

static void write_vm(struct store_write *w, const struct config *c, const struct made *made)
{
	char uuid[UUID_TEXT];

	uuid_text(made->uuid, uuid);
	store_below(w, "/vm/%s", uuid);
	store_put(w, STORE_GUEST_READS, "uuid", "%s", uuid);
	store_put(w, STORE_GUEST_READS, "name", "%s", c->name);
	store_put(w, STORE_TOOLS, "image/kernel", "%s", c->kernel);
	store_put(w, STORE_TOOLS, "image/cmdline", "%s", c->cmdline);
	store_put(w, STORE_TOOLS, "start_time", "%lld", (long long)time(NULL));
	/* Where Xen's own tools look for a domain's kind. */
	store_below(w, "/libxl/%u", made->domid);
	store_put(w, STORE_TOOLS, "type", "pvh");
}

static void write_all(struct store_write *w, void *arg)
{
	const struct home *h = arg;

	write_home(w, h->c, h->made);
	if (h->made->console_port)
		write_console(w, h->made);
	if (has_vm(h->made))
		write_vm(w, h->c, h->made);
}

bool store_add(const struct system *s, const struct config *c, const struct made *made,
	       struct fault *f)
{
	struct home home = { c, made };
	int err;

	if (!store_transaction(s->store, made->domid, write_all, &home))
		return fault_set(f, F_STORE, "writing to the store about domain %u: %s",
				 made->domid, strerror(errno));
	if (!made->store_port)
		return true;
	err = client_introduce(s->store, made->domid, made->store_gfn, made->store_port);
	return !err || fault_set(f, F_STORE, "the store daemon does not take domain %u: %s",
				 made->domid, strerror(-err));
}

/* ---- reading ----------------------------------------------------------------------------------------- */

const char *store_name(const struct system *s, uint16_t domid, char *buf, size_t room)
{
	store_get(s, buf, room, "/local/domain/%u/name", domid);
	return buf;
}

/* The lowest domain of this name; false: none. */
static bool by_name(const struct system *s, const char *name, uint16_t *domid)
{
	struct client_names list = { 0 };
	const char *one = NULL;
	bool found = false;
	char other[STORE_PATH_MAX];

	if (client_list(s->store, 0, "/local/domain", &list) == 0)
		while (!found && (one = client_next_name(&list, one)) != NULL) {
			*domid = (uint16_t)atoi(one);
			found = strcmp(store_name(s, *domid, other, sizeof(other)), name) == 0;
		}
	client_names_free(&list);
	return found;
}

bool store_is_number(const char *who)
{
	return *who && who[strspn(who, "0123456789")] == 0;
}

bool store_find(const struct system *s, const char *who, uint16_t *domid, struct fault *f)
{
	if (store_is_number(who)) {
		struct hcall_domain d;
		unsigned long n = strtoul(who, NULL, 10);

		if (n < DOMID_FIRST_RESERVED && hcall_domains(s->hcall, (unsigned)n, &d, 1) == 1 &&
		    d.id == n) {
			*domid = (uint16_t)n;
			return true;
		}
		return fault_set(f, F_NO_SUCH_DOMAIN, "there is no domain with the number %s", who);
	}
	if (by_name(s, who, domid))
		return true;
	return fault_set(f, F_NO_SUCH_DOMAIN, "there is no domain with the name %s", who);
}

bool store_name_free(const struct system *s, const char *name, struct fault *f)
{
	uint16_t domid;

	if (!by_name(s, name, &domid))
		return true;
	return fault_set(f, F_NAME_TAKEN, "the name %s is domain %u's", name, domid);
}

/* ---- the end ------------------------------------------------------------------------------------------ */

void store_remove(const struct system *s, uint16_t domid)
{
	char vm[STORE_PATH_MAX];

	if (store_get(s, vm, sizeof(vm), "/local/domain/%u/vm", domid) &&
	    strncmp(vm, "/vm/", 4) == 0 && vm[4])
		store_drop(s, "%s", vm);
	/* It may know already: Xen told it. */
	(void)!client_release(s->store, domid);
	store_drop(s, "/local/domain/0/backend/console/%u", domid);
	store_drop(s, "/local/domain/%u", domid);
	store_drop(s, "/libxl/%u", domid);
}

bool store_ask(const struct system *s, uint16_t domid, const char *what, struct fault *f)
{
	char path[STORE_PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
	err = client_write(s->store, 0, path, what, strlen(what));
	return !err || fault_set(f, F_STORE, "%s: %s", path, strerror(-err));
}
