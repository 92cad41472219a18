/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores to a device by instructions that the hardware does not describe. */
#include "machine.h"

#define GICD GUEST_GICV3_GICD_BASE

void guest_test(void)
{
	uint64_t base, v, w;

	/* Post-index: the word at the base, then the base moves. */
	base = GICD + 4;
	__asm__ volatile("ldr %w0, [%1], #8" : "=r"(v), "+r"(base)::"memory");
	CHECK(v, mmio_read32(GICD + 4), "post-indexed load");
	CHECK(base, GICD + 12, "the base moved");
	base = GICD;
	__asm__ volatile("ldr %w0, [%1, #4]!" : "=r"(v), "+r"(base)::"memory");
	CHECK(v, mmio_read32(GICD + 4), "pre-indexed load");
	CHECK(base, GICD + 4, "the base moved");
	/* A pair of words: TYPER and IIDR. */
	__asm__ volatile("ldp %w0, %w1, [%2]" : "=&r"(v), "=&r"(w) : "r"(GICD + 4) : "memory");
	CHECK(v, mmio_read32(GICD + 4), "pair: first");
	CHECK(w, mmio_read32(GICD + 8), "pair: second");
	/* Stores: a priority byte by post-index, two registers by a pair. */
	base = GICD + 0x400 + 40;
	__asm__ volatile("strb %w1, [%0], #-1" : "+r"(base) : "r"(0x58) : "memory");
	CHECK(mmio_read32(GICD + 0x400 + 40) & 0xff, 0x58, "byte stored");
	CHECK(base, GICD + 0x400 + 39, "the base moved back");
	__asm__ volatile("stp %w0, %w1, [%2]" ::"r"(0x30303030), "r"(0x40404040),
			 "r"(GICD + 0x400 + 32)
			 : "memory");
	CHECK(mmio_read32(GICD + 0x400 + 32), 0x30303030, "pair stored: first");
	CHECK(mmio_read32(GICD + 0x400 + 36), 0x40404040, "pair stored: second");
	/* Sign extension where the syndrome does describe it. */
	__asm__ volatile("ldrsw %0, [%1]" : "=r"(v) : "r"(GICD + 0x400 + 36) : "memory");
	CHECK(v, 0x40404040, "signed word, positive");
	mmio_write32(GICD + 0x400 + 36, 0xf0f0f0f0);
	__asm__ volatile("ldrsb %0, [%1]" : "=r"(v) : "r"(GICD + 0x400 + 36) : "memory");
	CHECK(v, 0xfffffffffffffff0, "signed byte, negative");
	__asm__ volatile("ldrsb %w0, [%1]" : "=r"(v) : "r"(GICD + 0x400 + 36) : "memory");
	CHECK(v, 0xfffffff0, "to a word register");
}
