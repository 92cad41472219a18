/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace rings in Xen's format, one a CPU, allocated when tracing is first switched on and kept. Its CPU
 * writes a ring, anybody reads it; the ring's lock (rank TRACE) is between them, and costs nothing while tracing is
 * off. A toolstack reads a shared ring without it: it sees `prod` move after the record is there. Offsets run from 0 to twice the size (xen/trace.h), so that full and empty differ. A record never
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
static uint32_t wanted_mask = TRC_ALL; /* [a] what trace_mask is while tracing is on */
static struct lock setup_lock = LOCK_INIT(RANK_TRACE_SETUP);
static struct t_info
    *info; /* [a] set once, under setup_lock: the rings are described and may be shared */
static uint32_t info_frames; /* [c] once info is set */
static bool shared;          /* [a] from the first time that a toolstack switches tracing on */

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

static uint32_t used(const struct trace_ring *r, uint32_t cons)
{
	return r->prod >= cons ? r->prod - cons : r->prod + 2 * r->size - cons;
}

/* Bytes from `offset` to the end of the memory. */
static uint32_t to_end(const struct trace_ring *r, uint32_t offset)
{
	return offset >= r->size ? 2 * r->size - offset : r->size - offset;
}

static void drop_oldest(struct trace_ring *r)
{
	const uint32_t *head = record_at(r, r->cons);

	if (TRC_HD_TO_EVENT(*head) != TRC_TRACE_WRAP_BUFFER)
		r->lost++;
	r->cons = advance(r, r->cons, record_size(head));
}

/* Room that the reader of a shared ring has left; none when what it wrote makes no sense. */
static uint32_t shared_room(const struct trace_ring *r)
{
	uint32_t cons = load_acquire(&r->buf->cons);

	if (cons >= 2 * r->size || cons % WORD || used(r, cons) > r->size)
		return 0;
	return r->size - used(r, cons);
}

static bool make_room(struct trace_ring *r, uint32_t bytes)
{
	if (shared)
		return shared_room(r) >= bytes;
	while (r->size - used(r, r->cons) < bytes)
		drop_oldest(r);
	write_once(&r->buf->cons, r->cons);
	return true;
}

/* A record without time that fills what is left at the end; at most eight words by one of them. */
static void fill_end(struct trace_ring *r, uint32_t bytes)
{
	while (bytes) {
		uint32_t words = MIN(bytes / WORD, (uint32_t)TRACE_EXTRA_MAX + 1);

		*record_at(r, r->prod) = TRC_TRACE_WRAP_BUFFER | (words - 1) << TRACE_EXTRA_SHIFT;
		r->prod = advance(r, r->prod, words * WORD);
		bytes -= words * WORD;
	}
}

/* False: there is no room. */
static bool put_record(struct trace_ring *r, uint64_t now, uint32_t event, unsigned words,
		       const uint32_t *data)
{
	uint32_t bytes = (3 + words) * WORD, left = to_end(r, r->prod), *at;

	if (left >= bytes)
		left = 0;
	if (!make_room(r, left + bytes))
		return false;
	fill_end(r, left);
	at = record_at(r, r->prod);
	at[0] = TRC_HD_TO_EVENT(event) | words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG;
	at[1] = (uint32_t)now;
	at[2] = (uint32_t)(now >> 32);
	for (unsigned i = 0; i < words; i++)
		at[3 + i] = data[i];
	r->prod = advance(r, r->prod, bytes);
	store_release(&r->buf->prod, r->prod);
	return true;
}

/* Tell the reader of a shared ring what it does not see: how many, whose (unknown), since when. */
static bool tell_lost(struct trace_ring *r, uint64_t now)
{
	const uint32_t data[] = { (uint32_t)MIN(r->lost, (uint64_t)UINT32_MAX), 0,
				  (uint32_t)r->lost_from, (uint32_t)(r->lost_from >> 32) };

	if (!put_record(r, now, TRC_LOST_RECORDS, ARRAY_SIZE(data), data))
		return false;
	r->lost = 0;
	return true;
}

void trace_write(uint32_t event, unsigned words, const uint32_t *data)
{
	struct trace_ring *r = load_acquire(&this_cpu()->trace);
	uint64_t now = arch_time_ns();

	assert(words <= TRACE_EXTRA_MAX, "a trace record has at most seven words");
	if (!r)
		return;
	lock_take(&r->lock);
	if ((shared && r->lost && !tell_lost(r, now)) || !put_record(r, now, event, words, data)) {
		if (!r->lost++)
			r->lost_from = now;
	}
	lock_release(&r->lock);
}

/* ---- setting it up -------------------------------------------------------------------------------- */

static struct trace_ring *ring_create(struct cpu *c, unsigned order)
{
	size_t bytes = (size_t)PAGE_SIZE << order;
	mfn_t m = frame_alloc(order, c->node, 0);
	struct trace_ring *r = &c->trace_ring;

	if (!mfn_valid(m))
		return NULL;
	*r = (struct trace_ring){
		.buf = frame_va(m),
		.size = (uint32_t)(bytes - sizeof(struct t_buf)),
		.frames = 1u << order,
	};
	lock_init(&r->lock, RANK_TRACE);
	return r;
}

static unsigned order_for(unsigned frames)
{
	unsigned order = 0;

	while (1u << order < frames)
		order++;
	return order;
}

static int rings_create(unsigned frames)
{
	if (!frames || frames > MAX_FRAMES)
		return refuse(R_BAD_TRACE_SIZE, 0, MAX_FRAMES, frames);
	for (unsigned id = 0; id < nr_cpus; id++) {
		struct cpu *c = cpu_get(id);
		struct trace_ring *r;

		if (load_acquire(&c->trace))
			continue;
		r = ring_create(c, order_for(frames));
		if (!r)
			return refuse(R_NO_MEMORY, DOMID_XEN, 0, frames);
		store_release(&c->trace, r);
	}
	return 0;
}

int trace_enable(uint32_t mask, unsigned frames)
{
	int err = mask ? rings_create(frames) : 0;

	if (err)
		return err;
	if (mask)
		write_once(&wanted_mask, mask);
	write_once(&trace_mask, mask);
	return 0;
}

/* ---- for toolstacks -------------------------------------------------------------------------------- */

static uint32_t info_bytes(void)
{
	uint32_t head = ROUND_UP((uint32_t)(sizeof(struct t_info) + nr_cpus * sizeof(uint16_t)),
				 WORD);

	return head + nr_cpus * cpu_get(0)->trace->frames * WORD;
}

/* Where each CPU's frames are; offsets count words. Written once, and never read by us. */
static int describe(void)
{
	uint32_t bytes = info_bytes(), frames = cpu_get(0)->trace->frames, at;
	unsigned order = order_for((unsigned)frames_for(bytes));
	mfn_t m = frame_alloc(order, ALLOC_ANY_NODE, 0);
	struct t_info *t;

	if (!mfn_valid(m))
		return refuse(R_NO_MEMORY, DOMID_XEN, 0, 1u << order);
	t = frame_va(m);
	t->tbuf_size = (uint16_t)frames;
	at = bytes / WORD - nr_cpus * frames;
	for (unsigned id = 0; id < nr_cpus; id++) {
		uint32_t first = (uint32_t)frame_from_va(cpu_get(id)->trace->buf).n;

		t->mfn_offset[id] = (uint16_t)at;
		for (uint32_t i = 0; i < frames; i++)
			((uint32_t *)(void *)t)[at++] = first + i;
	}
	info_frames = 1u << order;
	store_release(&info, t);
	return 0;
}

int trace_set_size(unsigned frames)
{
	const struct trace_ring *r = load_acquire(&cpu_get(0)->trace);
	int err = 0;

	lock_take(&setup_lock);
	if (info && frames != r->frames)
		err = refuse(R_TRACE_SIZE_FIXED, 0, r->frames, frames);
	else if (!info)
		err = rings_create(frames);
	if (!err && !info)
		err = describe();
	lock_release(&setup_lock);
	return err;
}

void trace_set_mask(uint32_t mask)
{
	write_once(&wanted_mask, mask);
	if (read_once(&trace_mask))
		write_once(&trace_mask, mask);
}

int trace_switch(bool on)
{
	if (on && !load_acquire(&info))
		return refuse(R_NO_TRACE_BUFFERS, 0, 0, 0);
	if (on)
		write_once(&shared, true);
	write_once(&trace_mask, on ? read_once(&wanted_mask) : 0);
	return 0;
}

void trace_info(uint32_t *mask, mfn_t *m, uint32_t *bytes)
{
	const struct t_info *t = load_acquire(&info);

	*mask = read_once(&wanted_mask);
	*m = t ? frame_from_va(t) : mfn(0);
	*bytes = t ? info_frames * PAGE_SIZE : 0;
}

static bool within(mfn_t m, const void *va, uint32_t frames)
{
	uint64_t first = frame_from_va(va).n;

	return m.n >= first && m.n - first < frames;
}

bool trace_frame_shared(mfn_t m)
{
	const struct t_info *t = load_acquire(&info);

	if (!t)
		return false;
	if (within(m, t, info_frames))
		return true;
	for (unsigned id = 0; id < nr_cpus; id++)
		if (within(m, cpu_get(id)->trace->buf, cpu_get(id)->trace->frames))
			return true;
	return false;
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
	while (!shared && used(r, r->cons)) {
		const uint32_t *head = record_at(r, r->cons);
		uint32_t bytes = record_size(head);

		if (TRC_HD_TO_EVENT(*head) != TRC_TRACE_WRAP_BUFFER) {
			if (done + bytes > n)
				break;
			memcpy((char *)buf + done, head, bytes);
			done += bytes;
		}
		r->cons = advance(r, r->cons, bytes);
	}
	write_once(&r->buf->cons, r->cons);
	*lost = r->lost;
	r->lost = 0;
	lock_release(&r->lock);
	return done;
}
