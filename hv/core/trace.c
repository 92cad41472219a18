/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace rings in Xen's format, one a CPU, allocated when tracing is first switched on and kept. Its CPU
 * writes a ring, anybody reads it; the ring's lock (rank TRACE) is between them, and costs nothing while tracing is
 * off. Offsets run from 0 to twice the size (xen/trace.h), so that full and empty differ. A record never
 * wraps: when it does not fit in what is left at the end, a filler record takes that place.
 */
#include <hv/trace.h>

#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/frame.h>
#include <hv/string.h>

#define MAX_FRAMES 1024u
#define WORD       ((uint32_t)sizeof(uint32_t))

uint32_t trace_mask;

static uint32_t record_size(const uint32_t *head)
{
	uint32_t words = 1 + TRC_HD_EXTRA(*head);

	return (TRC_HD_INCLUDES_CYCLE_COUNT(*head) ? words + 2 : words) * WORD;
}

static uint32_t *record_at(const struct trace_ring *r, uint32_t offset)
{
	char *records = (char *)(r->buf + 1);

	return (uint32_t *)(void *)(records + (offset >= r->size ? offset - r->size : offset));
}

static uint32_t advance(const struct trace_ring *r, uint32_t offset, uint32_t by)
{
	offset += by;
	return offset >= 2 * r->size ? offset - 2 * r->size : offset;
}

static uint32_t used(const struct trace_ring *r)
{
	uint32_t prod = r->buf->prod, cons = r->buf->cons;

	return prod >= cons ? prod - cons : prod + 2 * r->size - cons;
}

/* Bytes from `offset` to the end of the memory. */
static uint32_t to_end(const struct trace_ring *r, uint32_t offset)
{
	return offset >= r->size ? 2 * r->size - offset : r->size - offset;
}

static void drop_oldest(struct trace_ring *r)
{
	const uint32_t *head = record_at(r, r->buf->cons);

	if (TRC_HD_TO_EVENT(*head) != TRC_TRACE_WRAP_BUFFER)
		r->lost++;
	r->buf->cons = advance(r, r->buf->cons, record_size(head));
}

static void make_room(struct trace_ring *r, uint32_t bytes)
{
	while (r->size - used(r) < bytes)
		drop_oldest(r);
}

/* A record without time that fills what is left at the end; at most eight words by one of them. */
static void fill_end(struct trace_ring *r, uint32_t bytes)
{
	while (bytes) {
		uint32_t words = MIN(bytes / WORD, (uint32_t)TRACE_EXTRA_MAX + 1);

		*record_at(r, r->buf->prod) = TRC_TRACE_WRAP_BUFFER | (words - 1)
									  << TRACE_EXTRA_SHIFT;
		r->buf->prod = advance(r, r->buf->prod, words * WORD);
		bytes -= words * WORD;
	}
}

void trace_write(uint32_t event, unsigned words, const uint32_t *data)
{
	struct trace_ring *r = load_acquire(&this_cpu()->trace);
	uint64_t now = arch_time_ns();
	uint32_t bytes, left, *at;

	assert(words <= TRACE_EXTRA_MAX, "a trace record has at most seven words");
	if (!r)
		return;
	bytes = (3 + words) * WORD;
	lock_take(&r->lock);
	left = to_end(r, r->buf->prod);
	if (left < bytes) {
		make_room(r, left);
		fill_end(r, left);
	}
	make_room(r, bytes);
	at = record_at(r, r->buf->prod);
	at[0] = TRC_HD_TO_EVENT(event) | words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG;
	at[1] = (uint32_t)now;
	at[2] = (uint32_t)(now >> 32);
	for (unsigned i = 0; i < words; i++)
		at[3 + i] = data[i];
	r->buf->prod = advance(r, r->buf->prod, bytes);
	lock_release(&r->lock);
}

/* The ring's own structure is at the end of its memory, behind the records. */
static struct trace_ring *ring_create(unsigned order, unsigned node)
{
	size_t bytes = (size_t)PAGE_SIZE << order;
	mfn_t m = frame_alloc(order, node, 0);
	struct trace_ring *r;

	if (!mfn_valid(m))
		return NULL;
	r = (struct trace_ring *)((char *)frame_va(m) + bytes - sizeof(*r));
	lock_init(&r->lock, RANK_TRACE);
	r->buf = frame_va(m);
	r->size = (uint32_t)(bytes - sizeof(*r) - sizeof(struct t_buf));
	r->lost = 0;
	return r;
}

static unsigned order_for(unsigned frames)
{
	unsigned order = 0;

	while (1u << order < frames)
		order++;
	return order;
}

int trace_enable(uint32_t mask, unsigned frames)
{
	if (mask && (!frames || frames > MAX_FRAMES))
		return refuse(R_BAD_TRACE_SIZE, 0, MAX_FRAMES, frames);
	for (unsigned id = 0; mask && id < nr_cpus; id++) {
		struct cpu *c = cpu_get(id);
		struct trace_ring *r;

		if (load_acquire(&c->trace))
			continue;
		r = ring_create(order_for(frames), c->node);
		if (!r)
			return refuse(R_NO_MEMORY, DOMID_XEN, 0, frames);
		store_release(&c->trace, r);
	}
	write_once(&trace_mask, mask);
	return 0;
}

size_t trace_read(unsigned cpu, void *buf, size_t n, uint64_t *lost)
{
	struct cpu *c = cpu_get(cpu);
	struct trace_ring *r = c ? load_acquire(&c->trace) : NULL;
	size_t done = 0;

	*lost = 0;
	if (!r)
		return 0;
	lock_take(&r->lock);
	while (used(r)) {
		const uint32_t *head = record_at(r, r->buf->cons);
		uint32_t bytes = record_size(head);

		if (TRC_HD_TO_EVENT(*head) != TRC_TRACE_WRAP_BUFFER) {
			if (done + bytes > n)
				break;
			memcpy((char *)buf + done, head, bytes);
			done += bytes;
		}
		r->buf->cons = advance(r, r->buf->cons, bytes);
	}
	*lost = r->lost;
	r->lost = 0;
	lock_release(&r->lock);
	return done;
}
