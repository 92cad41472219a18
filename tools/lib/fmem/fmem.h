/* SPDX-License-Identifier: Apache-2.0 */
/* Other domains' memory in this process. Two back ends, as for hypercalls: libxenforeignmemory (linux.c), or a simulated machine's. */
#ifndef TOOLS_FMEM_H
#define TOOLS_FMEM_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

struct fmem;

struct fmem_ops {
	void *(*map)(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n);
	void *(*map_some)(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n, int *err);
	void *(*grants)(struct fmem *m, uint16_t domid); /* its first grant frame */
	void (*unmap)(struct fmem *m, void *p, unsigned n);
	/* NULL: it cannot. */
	int (*fill)(struct fmem *m, uint16_t domid, uint64_t at, const void *data, size_t n);
	void (*close)(struct fmem *m);
};

struct fmem {
	const struct fmem_ops *ops;
};

/* NULL with errno: no such device, or not permitted. */
struct fmem *fmem_open(void);

/* `n` frames, one behind the other, readable and writable; NULL with errno if one of them cannot be mapped. */
static inline void *fmem_map(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n)
{
	return m->ops->map(m, domid, gfn, n);
}

/*
 * The same to read only, of frames that need not all be there: err[i] is 0, or the negative errno value of a frame that could not be mapped, whose place must not
 * be touched. NULL with errno: nothing was mapped, err[] says nothing.
 */
static inline void *fmem_map_some(struct fmem *m, uint16_t domid, const uint64_t *gfn, unsigned n,
				  int *err)
{
	return m->ops->map_some(m, domid, gfn, n, err);
}

static inline void *fmem_grants(struct fmem *m, uint16_t domid)
{
	return m->ops->grants(m, domid);
}

/* What fmem_map() or fmem_map_some() gave for `n` frames; fmem_grants() counts as one. */
static inline void fmem_unmap(struct fmem *m, void *p, unsigned n)
{
	m->ops->unmap(m, p, n);
}

/*
 * Copy `n` bytes to guest address `at` of a domain that has not run yet and has granted nothing: without mapping its frames here, which costs several times
 * as much. Pages of a mapped file need not be in memory. 0; or a negative errno value: -EOPNOTSUPP, nothing was done, use fmem_map(); -EFAULT, the file that `data` is of
 * became shorter, -EINVAL, a frame is missing, and part of it may have been copied.
 */
static inline int fmem_fill(struct fmem *m, uint16_t domid, uint64_t at, const void *data, size_t n)
{
	return m->ops->fill ? m->ops->fill(m, domid, at, data, n) : -EOPNOTSUPP;
}

static inline void fmem_close(struct fmem *m)
{
	if (m)
		m->ops->close(m);
}

#endif
