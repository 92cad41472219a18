/* SPDX-License-Identifier: Apache-2.0 */
/* Which countermeasure a CPU gets, by its identification registers and its firmware's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hv/arch/arm/include/asm/speculation.h"

#define ARM(part, variant) (0x410f0000u | (part) << 4 | (variant) << 20)
#define CSV2(n)            ((uint64_t)(n) << 56)
#define ECBHB              (1ull << 60)
#define HAS_CLRBHB         (1ull << 28)
#define NO                 (-1)

static struct speculation choose(struct cpu_identity id)
{
	struct speculation s;

	speculation_choose(&id, &s);
	return s;
}

static void firmware_that_helps_is_called(void **state)
{
	struct cpu_identity a57 = { .midr = ARM(0xd07, 1), .workaround_1 = 0, .workaround_3 = NO };

	assert_int_equal(choose(a57).how, HARDEN_FIRMWARE);
	assert_int_equal(choose(a57).function, SMCCC_WORKAROUND_1);
	a57.workaround_3 = 0; /* it does both */
	assert_int_equal(choose(a57).function, SMCCC_WORKAROUND_3);
	a57.workaround_1 = a57.workaround_3 = 1; /* it says that nothing is needed */
	assert_int_equal(choose(a57).how, HARDEN_NONE);
	assert_false(choose(a57).exposed);
}

static void missing_firmware_is_told(void **state)
{
	struct cpu_identity id = { .midr = ARM(0xd07, 1), .workaround_1 = NO, .workaround_3 = NO };

	assert_int_equal(choose(id).how, HARDEN_NONE);
	assert_true(choose(id).exposed);
	id.midr = ARM(0xd03, 0); /* in order */
	assert_false(choose(id).exposed);
	id.midr = 0x610f0220; /* somebody else's: not known to be safe */
	assert_true(choose(id).exposed);
	id.pfr0 = CSV2(1);
	assert_false(choose(id).exposed);
}

static void history_is_filled_or_cleared(void **state)
{
	struct cpu_identity n1 = {
		.midr = ARM(0xd0c, 3), .pfr0 = CSV2(1), .workaround_1 = 1, .workaround_3 = NO
	};
	struct cpu_identity a72 = {
		.midr = ARM(0xd08, 1), .pfr0 = CSV2(1), .workaround_1 = 1, .workaround_3 = NO
	};

	assert_int_equal(choose(n1).how, HARDEN_LOOP);
	assert_int_equal(choose(n1).loops, 24);
	assert_int_equal(choose(a72).how, HARDEN_LOOP);
	assert_int_equal(choose(a72).loops, 8);
	a72.pfr0 = 0; /* r0: the loop does not help */
	assert_int_equal(choose(a72).how, HARDEN_NONE);
	a72.workaround_1 = 0;
	assert_int_equal(choose(a72).how, HARDEN_FIRMWARE);
	n1.isar2 = HAS_CLRBHB;
	assert_int_equal(choose(n1).how, HARDEN_CLEAR);
	n1.mmfr1 = ECBHB;
	assert_int_equal(choose(n1).how, HARDEN_NONE);
	n1.mmfr1 = 0;
	n1.pfr0 = CSV2(3);
	assert_int_equal(choose(n1).how, HARDEN_NONE);
	n1.workaround_3 = 0;
	assert_int_equal(choose(n1).how, HARDEN_NONE);
}

static void speculative_at_is_known_by_part_and_variant(void **state)
{
	struct cpu_identity id = { .pfr0 = CSV2(1) };
	static const struct {
		uint32_t part, variant;
		bool has;
	} known[] = {
		{ 0xd07, 1, true },  { 0xd08, 0, true },  { 0xd08, 15, true },
		{ 0xd05, 2, true },  { 0xd05, 3, false }, { 0xd0b, 0, true },
		{ 0xd0b, 3, false }, { 0xd0c, 0, false }, { 0xd03, 0, false },
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		id.midr = ARM(known[i].part, known[i].variant);
		assert_int_equal(choose(id).speculative_at, known[i].has);
	}
	id.midr = 0x510f0000 | 0xd07 << 4; /* the same part number of somebody else */
	assert_false(choose(id).speculative_at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(firmware_that_helps_is_called),
		cmocka_unit_test(missing_firmware_is_told),
		cmocka_unit_test(history_is_filled_or_cleared),
		cmocka_unit_test(speculative_at_is_known_by_part_and_variant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
