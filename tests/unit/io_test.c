/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated devices: no two overlap, and an access reaches the one it is for, or nobody. */
#include "sim.h"

#include <hv/io.h>

static const struct io_device *asked;

static enum io_result answer(struct io_device *dev, struct vcpu *v, struct io_access *a)
{
	asked = dev;
	return IO_DONE;
}

static const struct io_device_ops ops = { .name = "test", .access = answer };

static struct io_device device(uint64_t base, uint64_t size)
{
	return (struct io_device){ .ops = &ops, .base = gpa(base), .size = size };
}

static const struct io_device *who(struct domain *d, uint64_t addr, uint8_t size)
{
	struct io_access a = { .addr = gpa(addr), .size = size };

	asked = NULL;
	return io_access(domain_vcpu(d, 0), &a) == IO_DONE ? asked : NULL;
}

static void accesses_find_their_device(void **state)
{
	struct domain *d;
	struct io_device low = device(0x1000, 0x1000), mid = device(0x2000, 0x100),
			 high = device(0x10000, 0x20000);

	sim_boot(1, 64 << 20, 1);
	d = sim_domain(1, 16);
	assert_null(who(d, 0x1000, 4));
	assert_int_equal(io_register(d, &high), 0);
	assert_int_equal(io_register(d, &low), 0);
	assert_int_equal(io_register(d, &mid), 0);
	assert_ptr_equal(who(d, 0x1000, 4), &low);
	assert_ptr_equal(who(d, 0x1ff8, 8), &low);
	assert_ptr_equal(who(d, 0x2000, 1), &mid);
	assert_ptr_equal(who(d, 0x2ffff, 1), &high);
	assert_null(who(d, 0xfff, 1));
	assert_null(who(d, 0x2100, 1));
	assert_null(who(d, 0x1ffc, 8)); /* over the end, even into the next device */
	assert_null(who(d, 0x20fd, 4));
	assert_null(who(d, ~(uint64_t)0, 1));
	assert_null(who(d, 0x30000, 4));
	sim_end(d);
	sim_shutdown();
}

static void overlaps_and_odd_ranges_are_refused(void **state)
{
	struct io_device first = device(0x1000, 0x1000), same = device(0x1000, 0x10),
			 into = device(0xff8, 0x10), behind = device(0x1ff8, 0x10),
			 around = device(0, 0x10000), none = device(0x8000, 0),
			 wraps = device(~(uint64_t)0xfff, 0x2000),
			 last = device(~(uint64_t)0xfff, 0x1000);
	struct domain *d;

	sim_boot(1, 64 << 20, 1);
	d = sim_domain(1, 16);
	assert_int_equal(io_register(d, &first), 0);
	assert_true(io_register(d, &same) < 0);
	assert_true(io_register(d, &into) < 0);
	assert_true(io_register(d, &behind) < 0);
	assert_true(io_register(d, &around) < 0);
	assert_true(io_register(d, &none) < 0);
	assert_true(io_register(d, &wraps) < 0);
	assert_int_equal(io_register(d, &last), 0);
	assert_ptr_equal(who(d, ~(uint64_t)0, 1), &last);
	assert_ptr_equal(who(d, 0x1800, 4), &first);
	sim_end(d);
	sim_shutdown();
}

static void the_table_has_an_end(void **state)
{
	static struct io_device dev[IO_MAX_DEVICES + 1];
	struct domain *d;

	sim_boot(1, 64 << 20, 1);
	d = sim_domain(1, 16);
	for (unsigned i = 0; i <= IO_MAX_DEVICES; i++) {
		dev[i] = device(0x10000 * (i + 1), 0x1000);
		assert_int_equal(io_register(d, &dev[i]) == 0, i < IO_MAX_DEVICES);
	}
	sim_end(d);
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_find_their_device),
		cmocka_unit_test(overlaps_and_odd_ranges_are_refused),
		cmocka_unit_test(the_table_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
