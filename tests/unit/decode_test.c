/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder of A64 loads and stores: known instructions, and any word at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hv/arch/arm/include/asm/decode.h"

struct row {
	uint32_t insn;
	struct load_store want;
};

/* Encodings as GNU as makes them. */
static const struct row known[] = {
	/* ldr w0, [x1], #8 */
	{ 0xb8408420,
	  { .base = 1, .reg = { 0 }, .n = 1, .size = 4, .writeback = true, .post = true, .offset = 8 } },
	/* ldr x5, [sp, #-16]! */
	{ 0xf85f0fe5,
	  { .base = 31,
	    .reg = { 5 },
	    .n = 1,
	    .size = 8,
	    .wide = true,
	    .writeback = true,
	    .offset = -16 } },
	/* strb w1, [x0], #-1 */
	{ 0x381ff401,
	  { .base = 0,
	    .reg = { 1 },
	    .n = 1,
	    .size = 1,
	    .write = true,
	    .writeback = true,
	    .post = true,
	    .offset = -1 } },
	/* ldrsh w3, [x4, #2]! */
	{ 0x78c02c83,
	  { .base = 4, .reg = { 3 }, .n = 1, .size = 2, .sign = true, .writeback = true, .offset = 2 } },
	/* ldrsw x7, [x8], #4 */
	{ 0xb8804507,
	  { .base = 8,
	    .reg = { 7 },
	    .n = 1,
	    .size = 4,
	    .sign = true,
	    .wide = true,
	    .writeback = true,
	    .post = true,
	    .offset = 4 } },
	/* ldp w0, w1, [x2] */
	{ 0x29400440, { .base = 2, .reg = { 0, 1 }, .n = 2, .size = 4 } },
	/* stp x29, x30, [sp, #-16]! */
	{ 0xa9bf7bfd,
	  { .base = 31,
	    .reg = { 29, 30 },
	    .n = 2,
	    .size = 8,
	    .write = true,
	    .wide = true,
	    .writeback = true,
	    .offset = -16 } },
	/* ldpsw x3, x4, [x5], #8 */
	{ 0x68c110a3,
	  { .base = 5,
	    .reg = { 3, 4 },
	    .n = 2,
	    .size = 4,
	    .sign = true,
	    .wide = true,
	    .writeback = true,
	    .post = true,
	    .offset = 8 } },
	/* ldnp x0, x1, [x2, #16] */
	{ 0xa8410440,
	  { .base = 2, .reg = { 0, 1 }, .n = 2, .size = 8, .wide = true, .offset = 16 } },
};

static void known_instructions_are_decoded(void **state)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct load_store *w = &known[i].want;
		struct load_store d;

		assert_true(decode_load_store(known[i].insn, &d));
		assert_int_equal(d.base, w->base);
		assert_int_equal(d.n, w->n);
		assert_int_equal(d.reg[0], w->reg[0]);
		assert_int_equal(d.reg[1], w->reg[1]);
		assert_int_equal(d.size, w->size);
		assert_int_equal(d.write, w->write);
		assert_int_equal(d.sign, w->sign);
		assert_int_equal(d.wide, w->wide);
		assert_int_equal(d.writeback, w->writeback);
		assert_int_equal(d.post, w->post);
		assert_int_equal(d.offset, w->offset);
	}
}

static void others_are_refused(void **state)
{
	static const uint32_t other[] = {
		0xd503201f, /* nop */
		0x3dc00020, /* ldr q0, [x1] */
		0x3cc10420, /* ldr q0, [x1], #16 */
		0x6d400420, /* ldp d0, d1, [x1] */
		0xc85f7c01, /* ldxr x1, [x0] */
		0xf8200021, /* ldadd x0, x1, [x1] */
		0xb9400020, /* ldr w0, [x1]: the syndrome describes it */
		0xf8800c20, /* size 3, opc 2: not a load */
		0xf8c00420, /* size 3, opc 3: unallocated */
		0xb8c00420, /* size 2, opc 3: unallocated */
		0x69000440, /* stgp */
		0xe9400440, /* opc 3 of a pair: unallocated */
	};
	struct load_store d;

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_false(decode_load_store(other[i], &d));
}

/* Whatever the word: what is said of it can be carried out. */
static void any_word_gives_sane_answers(void **state)
{
	uint32_t insn = 1;

	for (unsigned i = 0; i < 2000000; i++) {
		struct load_store d;

		insn = insn * 1664525 + 1013904223;
		if (!decode_load_store(insn, &d))
			continue;
		assert_true(d.n == 1 || d.n == 2);
		assert_true(d.size == 1 || d.size == 2 || d.size == 4 || d.size == 8);
		assert_true(d.base < 32 && d.reg[0] < 32 && d.reg[1] < 32);
		assert_true(d.offset >= -512 && d.offset <= 504);
		assert_false(d.write && d.sign);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_instructions_are_decoded),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(any_word_gives_sane_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
