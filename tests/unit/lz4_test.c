/* SPDX-License-Identifier: Apache-2.0 */
/* LZ4 blocks (hv/boot/lz4.c): what is packed comes out, and nothing that is damaged leads outside of either buffer. */
#include "sim.h"

#include <hv/payload.h>

#include <stdlib.h>
#include <string.h>

/* Unpack from and to buffers of exactly these sizes, so that the sanitizer sees each byte beyond. */
static bool unpack(const void *packed, size_t n, size_t room, char *out, size_t *size)
{
	uint8_t *src = malloc(n ? n : 1), *dst = malloc(room ? room : 1);
	bool ok;

	memcpy(src, packed, n);
	*size = 0;
	ok = lz4_block(src, n, dst, room, size);
	if (ok) {
		assert_true(*size <= room);
		memcpy(out, dst, *size);
	}
	free(src);
	free(dst);
	return ok;
}

/* 4 literals, a match of 8 (4 + 4) that lies 4 back and so repeats itself, then 5 literals to the end. */
static const uint8_t sample[] = { 0x44, 'a', 'b', 'c', 'd', 4, 0, 0x50, 'v', 'w', 'x', 'y', 'z' };
static const char plain[] = "abcdabcdabcdvwxyz";

static void literals_and_a_match_that_overlaps_itself(void **state)
{
	char out[64];
	size_t size;

	assert_true(unpack(sample, sizeof(sample), sizeof(plain) - 1, out, &size));
	assert_int_equal(size, sizeof(plain) - 1);
	assert_memory_equal(out, plain, size);
}

static void lengths_of_15_and_more_go_on_in_further_bytes(void **state)
{
	uint8_t packed[2 + 2 + 300] = { 0xf0, 255, 300 - 15 - 255 };
	char out[300];
	size_t size;

	memset(packed + 3, 'x', 300);
	assert_true(unpack(packed, 3 + 300, 300, out, &size));
	assert_int_equal(size, 300);
	assert_int_equal(out[299], 'x');
}

static void no_room_is_refused(void **state)
{
	char out[64];
	size_t size;

	for (size_t room = 0; room < sizeof(plain) - 1; room++)
		assert_false(unpack(sample, sizeof(sample), room, out, &size));
}

static void every_cut_is_refused_or_ends_with_literals(void **state)
{
	char out[64];
	size_t size;

	for (size_t n = 0; n < sizeof(sample); n++)
		assert_false(unpack(sample, n, 64, out, &size));
}

static void a_match_before_the_beginning_is_refused(void **state)
{
	static const uint8_t none[] = { 0x14, 'a', 0, 0, 0x10, 'b' };
	static const uint8_t before[] = { 0x14, 'a', 2, 0, 0x10, 'b' };
	char out[64];
	size_t size;

	assert_false(unpack(none, sizeof(none), 64, out, &size));
	assert_false(unpack(before, sizeof(before), 64, out, &size));
}

/* Whatever the bytes say, the sanitizer has nothing to say. */
static void damage_stays_inside(void **state)
{
	uint8_t packed[48];
	char out[256];
	size_t size;
	uint32_t seed = 1;

	for (unsigned turn = 0; turn < 20000; turn++) {
		size_t n = turn % sizeof(packed) + 1;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			/* Small numbers make matches that lead somewhere. */
			packed[i] = (uint8_t)(seed >> 24 & (turn & 1 ? 0xff : 0x1f));
		}
		(void)!unpack(packed, n, 200, out, &size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_and_a_match_that_overlaps_itself),
		cmocka_unit_test(lengths_of_15_and_more_go_on_in_further_bytes),
		cmocka_unit_test(no_room_is_refused),
		cmocka_unit_test(every_cut_is_refused_or_ends_with_literals),
		cmocka_unit_test(a_match_before_the_beginning_is_refused),
		cmocka_unit_test(damage_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
