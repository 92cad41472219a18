/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulated devices of a domain, sorted by address, and the search for the one that an access is
 * for. The table is filled before the domain runs and never changes while it does, so there is no lock.
 * Called by domain builders (io_register) and by the exit path (io_access).
 */
#include <hv/io.h>

#include <hv/domain.h>

int io_register(struct domain *d, struct io_device *dev)
{
	struct io_table *t = &d->io;
	uint64_t base = dev->base.a, last = base + dev->size - 1;
	uint32_t at = 0;

	if (!dev->size || last < base)
		return refuse(R_BAD_IO_RANGE, base, 0, dev->size);
	if (t->nr == IO_MAX_DEVICES)
		return refuse(R_IO_TABLE_FULL, d->id, IO_MAX_DEVICES, t->nr);
	while (at < t->nr && t->dev[at]->base.a < base)
		at++;
	if (at < t->nr && t->dev[at]->base.a <= last)
		return refuse(R_IO_OVERLAP, base, 0, t->dev[at]->base.a);
	if (at && base - t->dev[at - 1]->base.a < t->dev[at - 1]->size)
		return refuse(R_IO_OVERLAP, base, 0, t->dev[at - 1]->base.a);
	for (uint32_t i = t->nr; i > at; i--)
		t->dev[i] = t->dev[i - 1];
	t->dev[at] = dev;
	t->nr++;
	return 0;
}

enum io_result io_access(struct vcpu *v, struct io_access *a)
{
	const struct io_table *t = &v->domain->io;
	const uint64_t addr = a->addr.a;
	size_t low = 0, high = t->nr;
	struct io_device *dev;
	uint64_t offset;

	/* The last device that begins at or below the address. */
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->dev[mid]->base.a <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return IO_NOBODY;
	dev = t->dev[low - 1];
	offset = addr - dev->base.a;
	/* All of the access must lie inside: one that leaves the window is nobody's. */
	if (offset >= dev->size || dev->size - offset < a->size)
		return IO_NOBODY;
	return dev->ops->access(dev, v, a);
}
