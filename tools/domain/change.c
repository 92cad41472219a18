/* SPDX-License-Identifier: Apache-2.0 */
/* See change.h. What a guest is asked for stands in its part of the store; what it is allowed, in the hypervisor. */
#include "change.h"
#include "build/fill.h"
#include "keys.h"
#include "lib/hcall/domctl.h"
#include "store_write.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARED_KIB 8 /* the pages of store and console */

static bool refused_by_store(uint16_t domid, struct fault *f)
{
	return fault_set(f, F_STORE, "writing to the store about domain %u: %s", domid,
			 strerror(errno));
}

/* ---- name -------------------------------------------------------------------------------------------- */

struct renaming {
	const char *name, *vm;
	uint16_t domid;
};

static void write_name(struct store_write *w, void *arg)
{
	const struct renaming *r = arg;

	store_below(w, "/local/domain/%u", r->domid);
	store_put(w, STORE_GUEST_READS, "name", "%s", r->name);
	if (!*r->vm)
		return;
	store_below(w, "%s", r->vm);
	store_put(w, STORE_GUEST_READS, "name", "%s", r->name);
}

/* As name= of a configuration file. */
static bool sound_name(const char *name, struct fault *f)
{
	struct value v = { .at = { "", 0, 0 }, .kind = VALUE_STRING, .text = name };
	const struct pair p = { .at = v.at, .key = "name", .value = &v };
	struct config c = { 0 };

	return config_take_name(&c, &p, f);
}

bool domain_rename(const struct system *s, uint16_t domid, const char *name, struct fault *f)
{
	char vm[STORE_PATH_MAX], own[CONFIG_NAME_MAX + 1];
	struct renaming r = { name, vm, domid };

	if (!sound_name(name, f))
		return false;
	if (strcmp(store_name(s, domid, own, sizeof(own)), name) == 0)
		return true;
	if (!store_name_free(s, name, f))
		return false;
	store_get(s, vm, sizeof(vm), "/local/domain/%u/vm", domid);
	return store_transaction(s->store, domid, write_name, &r) || refused_by_store(domid, f);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

struct number {
	const char *node;
	uint64_t value;
	uint16_t domid;
};

static void write_number(struct store_write *w, void *arg)
{
	const struct number *n = arg;

	store_below(w, "/local/domain/%u", n->domid);
	store_put(w, STORE_GUEST_READS, n->node, "%" PRIu64, n->value);
}

/* The most that the domain was created for; UINT64_MAX: nothing is known. */
static uint64_t static_max(const struct system *s, uint16_t domid)
{
	char text[32];

	if (!store_get(s, text, sizeof(text), "/local/domain/%u/memory/static-max", domid))
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

static bool set_limit(const struct system *s, uint16_t domid, uint64_t kib, struct fault *f)
{
	int err = hcall_max_mem(s->hcall, domid, kib + SHARED_KIB);

	return err == 0 || hypervisor_fault(s->hcall, err, "the limit of its memory", f);
}

bool domain_set_target(const struct system *s, uint16_t domid, uint64_t kib, struct fault *f)
{
	struct number n = { "memory/target", kib, domid };

	if (kib > static_max(s, domid))
		return fault_set(f, F_MEMORY_LARGE,
				 "domain %u: %" PRIu64 " MiB are more than the %" PRIu64
				 " MiB that it can have at most (maxmem)",
				 domid, kib / 1024, static_max(s, domid) / 1024);
	if (!set_limit(s, domid, kib, f))
		return false;
	return store_transaction(s->store, domid, write_number, &n) || refused_by_store(domid, f);
}

bool domain_set_maxmem(const struct system *s, uint16_t domid, uint64_t kib, struct fault *f)
{
	struct number n = { "memory/static-max", kib, domid };

	if (!set_limit(s, domid, kib, f))
		return false;
	return store_transaction(s->store, domid, write_number, &n) || refused_by_store(domid, f);
}

/* ---- vCPUs ------------------------------------------------------------------------------------------- */

struct online {
	uint32_t n, of;
	uint16_t domid;
};

static void write_online(struct store_write *w, void *arg)
{
	const struct online *o = arg;

	store_below(w, "/local/domain/%u/cpu", o->domid);
	for (uint32_t i = 0; i < o->of; i++) {
		char name[40];

		snprintf(name, sizeof(name), "%u/availability", i);
		store_put(w, STORE_GUEST_READS, name, "%s", i < o->n ? "online" : "offline");
	}
}

bool domain_set_vcpus(const struct system *s, uint16_t domid, uint32_t n, struct fault *f)
{
	struct xen_domctl_getdomaininfo info;
	struct online o = { .n = n, .domid = domid };
	int err = hcall_info(s->hcall, domid, &info);

	if (err)
		return hypervisor_fault(s->hcall, err, "its vCPUs", f);
	o.of = info.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : info.max_vcpu_id + 1;
	if (n < 1 || n > o.of)
		return fault_set(f, F_VCPUS, "domain %u: %u vCPUs: it can have 1 to %u (maxvcpus)",
				 domid, n, o.of);
	return store_transaction(s->store, domid, write_online, &o) || refused_by_store(domid, f);
}
