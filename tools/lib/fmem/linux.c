/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign memory through Linux's device and libxenforeignmemory. */
#include "fmem.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#define PAGE   4096u
#define GRANTS (PAGE / sizeof(grant_entry_v1_t)) /* a frame of the table has so many */
#define GNTDEV "/dev/xen/gntdev"

struct linux_fmem {
	struct fmem base;
	xenforeignmemory_handle *xen;
	xenforeignmemory_resource_handle *grants; /* of the last grants() */
	void *grants_at;
};

/* Without an array of errors, one frame that is missing fails the call. */
static void *map(struct fmem *m, uint16_t domid, int prot, const uint64_t *gfn, unsigned n, int *err)
{
	xenforeignmemory_handle *xen = ((struct linux_fmem *)m)->xen;
	xen_pfn_t *list = calloc(n, sizeof(*list));
	void *p;

	if (!list)
		return NULL;
	for (unsigned i = 0; i < n; i++)
		list[i] = gfn[i];
	p = xenforeignmemory_map(xen, domid, prot, n, list, err);
	free(list);
	return p;
}

static void *linux_map(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n)
{
	return map(m, domid, PROT_READ | PROT_WRITE, gfn, n, NULL);
}

static void *linux_map_some(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n,
			    int *err)
{
	void *p = map(m, domid, PROT_READ, gfn, n, err);

	/* The kernel's values are negative, those of the library's own words positive. */
	for (unsigned i = 0; p && i < n; i++)
		err[i] = err[i] > 0 ? -err[i] : err[i];
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

/* ---- copying by grants --------------------------------------------------------------------------------- */

/*
 * Frames that are mapped here cost the kernel a hypercall each, to map and to unmap. GNTTABOP_copy needs no mapping, only grants: they are given in the guest's name, for
 * it has not begun to give any.
 */
struct filling {
	xengnttab_handle *device;
	grant_entry_v1_t *table;
	xengnttab_grant_copy_segment_t *list; /* GRANTS of them */
	uint16_t domid;
};

/* Up to GRANTS - GNTTAB_NR_RESERVED_ENTRIES frames of it: how many bytes, or a negative errno value. */
static ssize_t fill_batch(struct filling *x, uint64_t at, const uint8_t *data, size_t n)
{
	uint32_t ref = GNTTAB_NR_RESERVED_ENTRIES, nr = 0;
	size_t done = 0;
	int err;

	for (; ref < GRANTS && done < n; ref++, nr++) {
		size_t offset = (at + done) % PAGE, len = PAGE - offset;
		xengnttab_grant_copy_segment_t *s = &x->list[nr];

		len = len < n - done ? len : n - done;
		x->table[ref] = (grant_entry_v1_t){ GTF_permit_access, 0,
						    (uint32_t)((at + done) / PAGE) };
		*s = (xengnttab_grant_copy_segment_t){ .len = (uint16_t)len,
						       .flags = GNTCOPY_dest_gref };
		s->source.virt = (void *)(uintptr_t)(data + done);
		s->dest.foreign.ref = ref;
		s->dest.foreign.offset = (uint16_t)offset;
		s->dest.foreign.domid = x->domid;
		done += len;
	}
	err = xengnttab_grant_copy(x->device, nr, x->list) < 0 ? -errno : 0;
	for (uint32_t i = 0; i < nr; i++) {
		if (!err && x->list[i].status != GNTST_okay)
			err = -EINVAL;
		x->table[GNTTAB_NR_RESERVED_ENTRIES + i] = (grant_entry_v1_t){ 0 };
	}
	return err ? err : (ssize_t)done;
}

static int fill_all(struct filling *x, uint64_t at, const uint8_t *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t some = fill_batch(x, at + done, data + done, n - done);

		if (some < 0)
			return (int)some;
		done += (size_t)some;
	}
	return 0;
}

static int linux_fill(struct fmem *m, uint16_t domid, uint64_t at, const void *data, size_t n)
{
	struct filling x = { .domid = domid };
	int err = -EOPNOTSUPP;

	if ((at + n) / PAGE > UINT32_MAX || access(GNTDEV, R_OK | W_OK) < 0)
		return err;
	x.device = xengnttab_open(NULL, 0);
	x.list = calloc(GRANTS, sizeof(*x.list));
	x.table = x.device && x.list ? linux_grants(m, domid) : NULL;
	if (x.table) {
		err = fill_all(&x, at, data, n);
		linux_unmap(m, x.table, 1);
	}
	free(x.list);
	if (x.device)
		xengnttab_close(x.device);
	return err;
}

static void linux_close(struct fmem *m)
{
	xenforeignmemory_close(((struct linux_fmem *)m)->xen);
	free(m);
}

static const struct fmem_ops linux_ops = { linux_map,   linux_map_some, linux_grants,
					   linux_unmap, linux_fill,     linux_close };

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
