/* SPDX-License-Identifier: Apache-2.0 */
/* Trace rings: records in Xen's format, oldest lost first and counted, none while tracing is off. */
#include "sim.h"

#include <arch/timer.h>
#include <hv/trace.h>

static uint32_t out[4096];

struct record {
	uint32_t event, words;
	uint64_t time;
	const uint32_t *data;
};

/* The record at out[*at]; moves *at behind it. */
static struct record next_record(size_t *at)
{
	const struct t_rec *r = (const struct t_rec *)&out[*at];
	struct record got = { .event = r->event, .words = r->extra_u32 };

	assert_true(r->cycles_included);
	got.time = r->u.cycles.cycles_lo | (uint64_t)r->u.cycles.cycles_hi << 32;
	got.data = r->u.cycles.extra_u32;
	*at += 3 + got.words;
	return got;
}

static void nothing_is_recorded_while_off(void **state)
{
	uint64_t lost;

	sim_boot(1, 32 << 20, 1);
	trace(TRC_MEM_SET_P2M_ENTRY, 1, 2);
	assert_int_equal(trace_read(0, out, sizeof(out), &lost), 0);
	assert_int_equal(trace_enable(TRC_SCHED, 1), 0);
	trace(TRC_MEM_SET_P2M_ENTRY, 1, 2);
	assert_int_equal(trace_read(0, out, sizeof(out), &lost), 0);
	assert_int_equal(lost, 0);
	sim_abandon();
}

static void records_have_the_published_layout(void **state)
{
	size_t at = 0;
	struct record r;
	uint64_t lost, before;

	sim_boot(2, 32 << 20, 1);
	assert_int_equal(trace_enable(TRC_MEM, 1), 0);
	before = arch_time_ns();
	trace(TRC_MEM_SET_P2M_ENTRY, 1, 2, 3, 4, 5, 6, 7);
	trace_write(TRC_MEM_PAGE_GRANT_MAP, 0, NULL);
	trace(TRC_MEM_PAGE_GRANT_UNMAP, 9);
	assert_int_equal(trace_read(0, out, sizeof(out), &lost), (10 + 3 + 4) * 4);
	r = next_record(&at);
	assert_int_equal(r.event, TRC_MEM_SET_P2M_ENTRY);
	assert_int_equal(r.words, 7);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(r.data[i], i + 1);
	assert_true(r.time >= before && r.time <= arch_time_ns());
	r = next_record(&at);
	assert_int_equal(r.event, TRC_MEM_PAGE_GRANT_MAP);
	assert_int_equal(r.words, 0);
	r = next_record(&at);
	assert_int_equal(r.event, TRC_MEM_PAGE_GRANT_UNMAP);
	assert_int_equal(r.data[0], 9);
	assert_int_equal(trace_read(0, out, sizeof(out), &lost), 0);
	assert_int_equal(trace_read(1, out, sizeof(out), &lost), 0);
	assert_int_equal(trace_read(77, out, sizeof(out), &lost), 0);
	sim_abandon();
}

/* Numbered records of all sizes; whatever is read is in order and whole, and read + lost is what was written. */
static void the_oldest_are_lost_and_counted(void **state)
{
	uint32_t number = 0, expected = 0;
	uint64_t lost, lost_in_all = 0, read_in_all = 0;

	sim_boot(1, 32 << 20, 1);
	assert_int_equal(trace_enable(TRC_MEM, 1), 0);
	for (unsigned round = 0; round < 200; round++) {
		unsigned burst = (unsigned)sim_random(300);
		size_t room = sim_random(sizeof(out)), got, at = 0;

		for (unsigned i = 0; i < burst; i++) {
			uint32_t data[7] = { number, ~number, number, number, 5, 6, 7 };

			trace_write(TRC_MEM_SET_P2M_ENTRY, 1 + number % 7, data);
			number++;
		}
		got = trace_read(0, out, room, &lost);
		assert_true(got <= room);
		lost_in_all += lost;
		expected += (uint32_t)lost;
		while (at * 4 < got) {
			struct record r = next_record(&at);

			assert_int_equal(r.data[0], expected);
			assert_int_equal(r.words, 1 + expected % 7);
			expected++;
			read_in_all++;
		}
		assert_int_equal(at * 4, got);
	}
	while (trace_read(0, out, sizeof(out), &lost)) {
		size_t at = 0;

		assert_int_equal(lost, 0);
		assert_int_equal(next_record(&at).data[0], expected);
		break;
	}
	assert_true(lost_in_all > 1000);
	assert_true(read_in_all > 1000);
	sim_abandon();
}

static void sizes_out_of_range_are_refused(void **state)
{
	sim_boot(1, 32 << 20, 1);
	assert_int_equal(trace_enable(TRC_ALL, 0), -EINVAL);
	assert_int_equal(reason_last()->id, R_BAD_TRACE_SIZE);
	assert_int_equal(trace_enable(TRC_ALL, 1u << 20), -EINVAL);
	sim_fail_alloc(1);
	assert_int_equal(trace_enable(TRC_ALL, 3), -ENOMEM);
	assert_int_equal(trace_mask, 0);
	assert_int_equal(trace_enable(0, 0), 0);
	sim_shutdown();
}

/* ---- a ring that somebody else reads ----------------------------------------------------------------- */

/* As a reader finds it: by the description. */
static struct t_buf *shared_buf(unsigned cpu, uint32_t *size)
{
	uint32_t mask, bytes;
	const struct t_info *t;
	const uint32_t *list;
	mfn_t m;

	trace_info(&mask, &m, &bytes);
	assert_true(bytes > 0 && trace_frame_shared(m));
	t = frame_va(m);
	list = (const uint32_t *)(const void *)t + t->mfn_offset[cpu];
	for (unsigned i = 0; i < t->tbuf_size; i++) {
		assert_int_equal(list[i], list[0] + i);
		assert_true(trace_frame_shared(mfn(list[i])));
	}
	*size = t->tbuf_size * PAGE_SIZE - (uint32_t)sizeof(struct t_buf);
	return frame_va(mfn(list[0]));
}

static void share(uint32_t mask)
{
	sim_boot(2, 32 << 20, 1);
	assert_int_equal(trace_switch(true), -EINVAL);
	assert_int_equal(reason_last()->id, R_NO_TRACE_BUFFERS);
	assert_int_equal(trace_set_size(2), 0);
	assert_int_equal(trace_set_size(2), 0);
	assert_int_equal(trace_set_size(4), -EINVAL);
	trace_set_mask(mask);
	assert_int_equal(trace_switch(true), 0);
}

static void what_a_reader_has_not_seen_is_not_overwritten(void **state)
{
	const struct t_rec *first, *told;
	struct t_buf *b;
	uint32_t size, full;

	share(TRC_MEM);
	b = shared_buf(0, &size);
	for (unsigned i = 0; i < 2000; i++)
		trace(TRC_MEM_PAGE_GRANT_UNMAP, i);
	full = b->prod;
	assert_in_range(full, size - 64, size);
	assert_int_equal(b->cons, 0);
	first = (const struct t_rec *)(const void *)(b + 1);
	assert_int_equal(first->u.cycles.extra_u32[0], 0);
	/* Once some of it is read, the next record is told to be after a gap. */
	b->cons = 20 * 4 * sizeof(uint32_t);
	trace(TRC_MEM_PAGE_GRANT_UNMAP, 7);
	assert_true(b->prod != full);
	told = (const struct t_rec *)(const void *)((const char *)(b + 1) +
						    (size - full < 28 ? 0 : full));
	assert_int_equal(told->event, TRC_LOST_RECORDS);
	assert_int_equal(told->u.cycles.extra_u32[0], 2000 - full / 16);
	sim_abandon();
}

static void what_a_reader_writes_harms_only_its_trace(void **state)
{
	static const uint32_t wild[] = { ~0u, 1, 2, 0x7fffffff, 0x10000, 3 };
	struct t_buf *b;
	uint32_t size;

	share(TRC_MEM);
	b = shared_buf(0, &size);
	for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
		b->cons = wild[i];
		b->prod = wild[ARRAY_SIZE(wild) - 1 - i];
		trace(TRC_MEM_SET_P2M_ENTRY, 1, 2, 3, 4, 5, 6, 7);
	}
	assert_int_equal(trace_switch(false), 0);
	assert_int_equal(trace_mask, 0);
	sim_abandon();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_recorded_while_off),
		cmocka_unit_test(records_have_the_published_layout),
		cmocka_unit_test(the_oldest_are_lost_and_counted),
		cmocka_unit_test(sizes_out_of_range_are_refused),
		cmocka_unit_test(what_a_reader_has_not_seen_is_not_overwritten),
		cmocka_unit_test(what_a_reader_writes_harms_only_its_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
