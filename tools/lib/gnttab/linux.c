/* SPDX-License-Identifier: Apache-2.0 */
/* Grants through Linux's device and libxengnttab. */
#include "grants.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xengnttab.h>

struct linux_grants {
	struct grants base;
	xengnttab_handle *xen;
};

static void *linux_map(struct grants *g, uint16_t domid, const uint32_t *ref, unsigned n,
		       bool writable)
{
	xengnttab_handle *xen = ((struct linux_grants *)g)->xen;
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	uint32_t *list;
	void *p;

	if (n == 1)
		return xengnttab_map_grant_ref(xen, domid, *ref, prot);
	list = calloc(n, sizeof(*list)); /* the library's own is not const */
	if (!list)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		list[i] = ref[i];
	p = xengnttab_map_domain_grant_refs(xen, n, domid, list, prot);
	free(list);
	return p;
}

static void linux_unmap(struct grants *g, void *p, unsigned n)
{
	if (p)
		xengnttab_unmap(((struct linux_grants *)g)->xen, p, n);
}

static void linux_close(struct grants *g)
{
	xengnttab_close(((struct linux_grants *)g)->xen);
	free(g);
}

static const struct grants_ops linux_ops = { linux_map, linux_unmap, linux_close };

struct grants *grants_open(void)
{
	struct linux_grants *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->base.ops = &linux_ops;
	g->xen = xengnttab_open(NULL, 0);
	if (!g->xen) {
		free(g);
		return NULL;
	}
	return &g->base;
}
