/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign memory through Linux's device and libxenforeignmemory. */
#include "fmem.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xenforeignmemory.h>
#include <xen/xen.h>
#include <xen/memory.h>

struct linux_fmem {
	struct fmem base;
	xenforeignmemory_handle *xen;
	xenforeignmemory_resource_handle *grants; /* of the last grants() */
	void *grants_at;
};

static void *linux_map(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n)
{
	xenforeignmemory_handle *xen = ((struct linux_fmem *)m)->xen;
	xen_pfn_t *list = calloc(n, sizeof(*list));
	void *p;

	if (!list)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		list[i] = gfn[i];
	/* Without an array of errors, one frame that is missing fails the call. */
	p = xenforeignmemory_map(xen, domid, PROT_READ | PROT_WRITE, n, list, NULL);
	free(list);
	return p;
}

static void *linux_grants(struct fmem *m, uint16_t domid)
{
	struct linux_fmem *l = (struct linux_fmem *)m;

	l->grants_at = NULL;
	l->grants = xenforeignmemory_map_resource(l->xen, domid, XENMEM_resource_grant_table,
						  XENMEM_resource_grant_table_id_shared, 0, 1,
						  &l->grants_at, PROT_READ | PROT_WRITE, 0);
	return l->grants_at;
}

static void linux_unmap(struct fmem *m, void *p, unsigned n)
{
	struct linux_fmem *l = (struct linux_fmem *)m;

	if (p && p == l->grants_at) {
		xenforeignmemory_unmap_resource(l->xen, l->grants);
		l->grants_at = NULL;
	} else if (p) {
		xenforeignmemory_unmap(l->xen, p, n);
	}
}

static void linux_close(struct fmem *m)
{
	xenforeignmemory_close(((struct linux_fmem *)m)->xen);
	free(m);
}

static const struct fmem_ops linux_ops = { linux_map, linux_grants, linux_unmap, linux_close };

struct fmem *fmem_open(void)
{
	struct linux_fmem *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->base.ops = &linux_ops;
	m->xen = xenforeignmemory_open(NULL, 0);
	if (!m->xen) {
		free(m);
		return NULL;
	}
	return &m->base;
}
