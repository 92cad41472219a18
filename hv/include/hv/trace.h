/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace records in Xen's format (xen/trace.h), one ring a CPU, written by that CPU only. Off: one load and a branch not taken.
 *
 * A ring of our own overwrites its oldest records and counts them. One that is shared with a toolstack, which maps its frames
 * and moves `cons`, never does: what does not fit is dropped, counted, and told in a record (TRC_LOST_RECORDS) as
 * soon as there is room. What a toolstack writes there can spoil its own trace and nothing else.
 */
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include <hv/addr.h>
#include <hv/atomic.h>
#include <hv/compiler.h>
#include <hv/lock.h>
#include <xen/trace.h>

struct cpu;

struct trace_ring {
	struct lock lock;   /* rank TRACE */
	struct t_buf *buf;  /* [c] whole frames; records follow the header (xen/trace.h) */
	uint32_t size;      /* [c] bytes of records */
	uint32_t frames;    /* [c] */
	uint32_t prod;      /* [l] what buf->prod was set to last */
	uint32_t cons;      /* [l] not shared: what buf->cons was set to last */
	uint64_t lost;      /* [l] records overwritten or dropped before anybody read them */
	uint64_t lost_from; /* [l] ns: when the first of them was dropped */
};

extern uint32_t trace_mask; /* [a] classes and subclasses that are on (TRC_*), as one set of bits */

/* An event is on when both its class and its subclass are. */
static inline bool trace_wanted(uint32_t mask, uint32_t event)
{
	return (mask & event) >> TRC_CLS_SHIFT && (mask & event & 0xfu << TRC_SUBCLS_SHIFT);
}

/* Up to seven 32-bit words. */
void trace_write(uint32_t event, unsigned words, const uint32_t *data);

#define trace(event, ...)                                                      \
	do {                                                                   \
		if (unlikely(trace_wanted(read_once(&trace_mask), (event)))) { \
			const uint32_t data_[] = { __VA_ARGS__ };              \
			trace_write((event), ARRAY_SIZE(data_), data_);        \
		}                                                              \
	} while (0)

/*
 * Switch classes on or off; allocates `frames` a CPU (rounded up to a power of two) on first use. R_BAD_TRACE_SIZE,
 * R_NO_MEMORY.
 */
MUST_USE int trace_enable(uint32_t mask, unsigned frames);
/* Copy out up to `n` bytes of whole records of a CPU's ring, oldest first; returns bytes. `lost`: since the last call. */
size_t trace_read(unsigned cpu, void *buf, size_t n, uint64_t *lost);

/* ---- for toolstacks ---- */

/*
 * Make rings of `frames` a CPU (rounded up to a power of two) and what describes them, once. R_BAD_TRACE_SIZE, R_TRACE_SIZE_FIXED,
 * R_NO_MEMORY.
 */
MUST_USE int trace_set_size(unsigned frames);
/* What is recorded while it is on. */
void trace_set_mask(uint32_t mask);
/* On: the rings are shared from now on. R_NO_TRACE_BUFFERS. */
MUST_USE int trace_switch(bool on);
/* The mask; the first frame and the size in bytes of struct t_info (xen/trace.h), 0 when there are no buffers. */
void trace_info(uint32_t *mask, mfn_t *m, uint32_t *bytes);
/* Is this one of the frames that a toolstack may map? */
bool trace_frame_shared(mfn_t m);

#endif
