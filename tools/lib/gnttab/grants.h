/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other domains' grants (xen/grant_table.h) in this process: frames that they let us use, by reference. Two back ends: the kernel's device through
 * libxengnttab (linux.c), and hypercalls to libhvcore.a within the same process (tests). Unlike foreign
 * memory this needs no privilege over the other domain, and a mapping keeps its frame until it is undone.
 */
#ifndef TOOLS_GRANTS_H
#define TOOLS_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

struct grants;

struct grants_ops {
	void *(*map)(struct grants *g, uint16_t domid, const uint32_t *ref, unsigned n,
		     bool writable);
	void (*unmap)(struct grants *g, void *p, unsigned n);
	void (*close)(struct grants *g);
};

struct grants {
	const struct grants_ops *ops;
};

/* NULL with errno: there is no such device, or it may not be opened. */
struct grants *grants_open(void);

/* `n` references of `domid`, one frame behind the other: all, or NULL with errno. */
static inline void *grants_map(struct grants *g, uint16_t domid, const uint32_t *ref, unsigned n,
			       bool writable)
{
	return g->ops->map(g, domid, ref, n, writable);
}

/* What grants_map() gave for `n` references. */
static inline void grants_unmap(struct grants *g, void *p, unsigned n)
{
	g->ops->unmap(g, p, n);
}

/* After everything is unmapped. */
static inline void grants_close(struct grants *g)
{
	if (g)
		g->ops->close(g);
}

#endif
