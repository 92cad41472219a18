/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load or store instruction does (DDI 0487, C4.1.94): the two forms below. What is not in them, SIMD and
 * atomics above all, is not done to devices by sane guests. A pure function, called by abort.c and by
 * its unit test, which compiles this file by itself.
 */
#include "include/asm/decode.h"

static int32_t field_signed(uint32_t insn, unsigned low, unsigned bits)
{
	return (int32_t)(insn << (32 - low - bits)) >> (32 - bits);
}

/* size 111 0 00 opc 0 imm9 (01 post, 11 pre) Rn Rt */
#define SINGLE_MASK  0x3f200400u
#define SINGLE_VALUE 0x38000400u
/* opc 101 0 0 (01 post, 10 offset, 11 pre, 00 no-allocate) L imm7 Rt2 Rn Rt */
#define PAIR_MASK    0x3e000000u
#define PAIR_VALUE   0x28000000u

/* By size and opc: store, load, load signed to 64, load signed to 32. */
static bool decode_single(uint32_t insn, struct load_store *d)
{
	unsigned size = insn >> 30, opc = (insn >> 22) & 3;

	/* Signed words go to 64 bits only, doublewords not at all (that would be PRFM). */
	if ((opc == 2 && size == 3) || (opc == 3 && size >= 2))
		return false;
	d->n = 1;
	d->reg[0] = insn & 31;
	d->base = (insn >> 5) & 31;
	d->size = (uint8_t)(1u << size);
	d->write = opc == 0;
	d->sign = opc >= 2;
	d->wide = opc == 2 || size == 3;
	d->writeback = true;
	d->post = !(insn & BIT(11));
	d->offset = field_signed(insn, 12, 9);
	return true;
}

static bool decode_pair(uint32_t insn, struct load_store *d)
{
	unsigned opc = insn >> 30, mode = (insn >> 23) & 3;
	bool load = insn & BIT(22);

	/* opc 00: 32 bits, 01: load signed words, 10: 64 bits */
	if (opc == 3 || (opc == 1 && (!load || mode == 0)))
		return false;
	d->n = 2;
	d->reg[0] = insn & 31;
	d->reg[1] = (insn >> 10) & 31;
	d->base = (insn >> 5) & 31;
	d->size = opc == 2 ? 8 : 4;
	d->write = !load;
	d->sign = opc == 1;
	d->wide = opc != 0;
	d->writeback = mode & 1;
	d->post = mode == 1;
	d->offset = field_signed(insn, 15, 7) * d->size;
	return true;
}

bool decode_load_store(uint32_t insn, struct load_store *d)
{
	*d = (struct load_store){ 0 };
	if ((insn & SINGLE_MASK) == SINGLE_VALUE)
		return decode_single(insn, d);
	if ((insn & PAIR_MASK) == PAIR_VALUE)
		return decode_pair(insn, d);
	return false;
}
