/* SPDX-License-Identifier: Apache-2.0 */
/* See ring.h. */
#include "ring.h"
#include <string.h>

static uint32_t load(const XENCONS_RING_IDX *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void store(XENCONS_RING_IDX *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

void ring_attach(struct ring *r, struct xencons_interface *page)
{
	r->page = page;
	r->out_cons = load(&page->out_cons);
	r->in_prod = load(&page->in_prod);
}

/* How many bytes wait; SIZE_MAX: that cannot be. */
static size_t waiting(const struct ring *r)
{
	uint32_t n = load(&r->page->out_prod) - r->out_cons;

	return n <= RING_OUT ? n : SIZE_MAX;
}

bool ring_has_output(const struct ring *r)
{
	return waiting(r) != 0;
}

size_t ring_take(struct ring *r, char *to, size_t size, bool *broken)
{
	size_t n = waiting(r), at = r->out_cons & (RING_OUT - 1), first;

	*broken = n == SIZE_MAX;
	if (*broken) {
		r->out_cons = load(&r->page->out_prod);
		store(&r->page->out_cons, r->out_cons);
		return 0;
	}
	n = n < size ? n : size;
	first = RING_OUT - at < n ? RING_OUT - at : n;
	memcpy(to, r->page->out + at, first);
	memcpy(to + first, r->page->out, n - first);
	r->out_cons += (uint32_t)n;
	store(&r->page->out_cons, r->out_cons);
	return n;
}

size_t ring_room(const struct ring *r)
{
	uint32_t used = r->in_prod - load(&r->page->in_cons);

	return used <= RING_IN ? RING_IN - used : 0;
}

void ring_put(struct ring *r, const char *bytes, size_t n)
{
	size_t at = r->in_prod & (RING_IN - 1), first = RING_IN - at < n ? RING_IN - at : n;

	memcpy(r->page->in + at, bytes, first);
	memcpy(r->page->in, bytes + first, n - first);
	r->in_prod += (uint32_t)n;
	store(&r->page->in_prod, r->in_prod);
}
