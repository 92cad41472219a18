/* SPDX-License-Identifier: Apache-2.0 */
/* Packed kernels (hv/boot/payload.c, unpack.c): what they unpack to is the domain's, shared by those with the same kernel, and given back. */
#include "sim.h"

#include <hv/boot.h>
#include <hv/payload.h>

#include <string.h>

#define SIZE 100u

/* 100 times 'x': a frame of Zstandard with one repeated byte, then the size as Linux appends it. */
static const uint8_t packed[] = {
	0x28, 0xb5, 0x2f, 0xfd, 0x20, SIZE, 0x23, 3, 0, 'x', SIZE, 0, 0, 0
};

/* Free, never used, or part of the frame table, which grows with use. */
static uint64_t free_frames(void)
{
	struct mem_stats m;

	frame_stats(&m);
	return m.free + m.never + m.table;
}

static void a_kernel_is_unpacked_and_what_it_does_not_fill_is_given_back(void **state)
{
	struct boot_domain *b = &boot_info.domain[0];
	uint64_t before;

	sim_boot_bare(64ull << 20, 1);
	before = free_frames();
	*b = (struct boot_domain){ 0 };
	boot_info.nr_domains = 1;
	assert_string_equal(payload_format(packed, sizeof(packed)), "zstd");
	assert_true(payload_keep(b, "it", packed, sizeof(packed)));
	assert_int_equal(b->unpacked_size, SIZE);
	assert_int_equal(((char *)b->unpacked)[SIZE - 1], 'x');
	assert_int_equal(free_frames(), before - 1);
	payload_release(b);
	assert_null(b->unpacked);
	assert_int_equal(free_frames(), before);
	sim_shutdown();
}

static void a_shared_one_stays_for_the_other(void **state)
{
	struct boot_domain *b = boot_info.domain;
	uint64_t before;

	sim_boot_bare(64ull << 20, 1);
	before = free_frames();
	b[0] = b[1] = (struct boot_domain){ 0 };
	boot_info.nr_domains = 2;
	assert_true(payload_keep(&b[0], "it", packed, sizeof(packed)));
	b[1].unpacked = b[0].unpacked;
	b[1].unpacked_size = SIZE;
	payload_release(&b[0]);
	assert_int_equal(free_frames(), before - 1);
	payload_release(&b[1]);
	assert_int_equal(free_frames(), before);
	sim_shutdown();
}

static void a_size_that_is_wrong_or_absurd_is_refused(void **state)
{
	static const uint32_t wrong[] = { 0, SIZE - 1, SIZE + 1, 2u << 30 };
	struct boot_domain *b = &boot_info.domain[0];
	uint8_t copy[sizeof(packed)];
	uint64_t before;

	sim_boot_bare(64ull << 20, 1);
	before = free_frames();
	*b = (struct boot_domain){ 0 };
	boot_info.nr_domains = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		memcpy(copy, packed, sizeof(packed));
		memcpy(copy + sizeof(packed) - 4, &wrong[i], 4);
		assert_false(payload_keep(b, "it", copy, sizeof(copy)));
	}
	assert_false(payload_keep(b, "it", packed, 3));
	assert_false(payload_keep(b, "it", "none that is known, and more", 28));
	assert_null(b->unpacked);
	assert_int_equal(free_frames(), before);
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_is_unpacked_and_what_it_does_not_fill_is_given_back),
		cmocka_unit_test(a_shared_one_stays_for_the_other),
		cmocka_unit_test(a_size_that_is_wrong_or_absurd_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
