/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores of A64 that an abort's syndrome does not describe (ISV = 0): those that write their base
 * register back, and pairs. Pure: from an instruction word to what it does.
 */
#ifndef ASM_DECODE_H
#define ASM_DECODE_H

#include <hv/compiler.h>

struct load_store {
	uint8_t base;   /* register number, 31: the stack pointer */
	uint8_t reg[2]; /* data registers, 31: zero */
	uint8_t n;      /* 1, or 2 for a pair */
	uint8_t size;   /* bytes of each */
	bool write;
	bool sign; /* sign-extend what is read, */
	bool wide; /* to 64 bits instead of 32 */
	bool writeback;
	bool post; /* the access is at the base itself, not base + offset */
	int32_t offset;
};

/* False: not one of the instructions above. */
MUST_USE bool decode_load_store(uint32_t insn, struct load_store *d);

#endif
