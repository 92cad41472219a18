/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions at a device that are hard to read: over a page's end, changed behind the processor's back, cut off by what is not mapped;
 * and accesses of odd widths and over the edge. All end in the architecture's way, and the guest goes on.
 */
#include "machine.h"

extern uint64_t directory[2048];
static uint8_t code[3 * 4096] __attribute__((aligned(4096)));
static uint64_t small[512] __attribute__((aligned(4096)));

/* movl (APIC ID by rax), %ecx; ret */
static const uint8_t load[] = { 0xb8, 0x20, 0x00, 0xe0, 0xfe, 0x8b, 0x08, 0xc3 };

static void flush(void)
{
	CR_WRITE(3, CR_READ(3));
}

/* The 2 MiB around the code in pages of 4 KiB, so that one can be taken away. */
static void split(void)
{
	uint64_t base = (uint64_t)code & ~0x1ffffful;

	for (unsigned i = 0; i < 512; i++)
		small[i] = (base + 4096ul * i) | 3;
	directory[base >> 21] = (uint64_t)small | 3;
	flush();
}

static __attribute__((noinline)) void take_page(const void *at, bool away)
{
	volatile uint64_t *e = &small[((uint64_t)at >> 12) & 511];

	*e = away ? *e & ~1ul : *e | 1;
	flush();
}

void guest_test(void)
{
	uint8_t *end = code + 4096;
	volatile uint8_t *odd = (volatile uint8_t *)APIC;

	split();
	for (unsigned before = 0; before <= sizeof(load); before++) {
		memcpy(end - before, load, sizeof(load));
		CHECK_TRUE(!run_code(end - before), "over the end of a page");
	}
	for (unsigned before = 1; before < sizeof(load); before++) {
		memcpy(end - before, load, sizeof(load));
		take_page(end, true);
		CHECK_TRUE(run_code(end - before), "the second page is gone");
		CHECK(trap.vector, VEC_PF, "a page fault");
		CHECK(trap.cr2, (uint64_t)end, "at the page that is missing");
		take_page(end, false);
	}
	/* Prefixes up to the longest instruction, and one too many. */
	memset(code, 0x3e, 64);
	memcpy(code, load, 5);
	code[5 + 13] = 0x8b;
	code[5 + 14] = 0x08;
	code[5 + 15] = 0xc3;
	CHECK_TRUE(!run_code(code), "15 bytes are an instruction");
	memset(code + 5, 0x3e, 14);
	code[5 + 14] = 0x8b;
	code[5 + 15] = 0x08;
	code[5 + 16] = 0xc3;
	CHECK_TRUE(run_code(code), "16 are not");
	CHECK(trap.vector, VEC_GP, "#GP");
	/* The same place holds another instruction each time. */
	for (unsigned i = 0; i < 200; i++) {
		memcpy(code, load, sizeof(load));
		code[6] = i & 1 ? 0x08 : 0x10; /* ecx or edx */
		code[1] = i & 2 ? 0x20 : 0x30;
		CHECK_TRUE(!run_code(code), "changed code");
	}
	/* Odd widths and places read something and write nothing. */
	for (unsigned at = 0; at < 4096; at += 7)
		(void)odd[at];
	(void)*(volatile uint64_t *)(APIC + APIC_ID);
	(void)*(volatile uint16_t *)(APIC + APIC_ID + 1);
	CHECK(*(volatile uint32_t *)(APIC + 0xffe) & 0, 0, "over its end");
	(void)*(volatile uint64_t *)(APIC - 4);
	for (unsigned at = 0; at < 4096; at += 4)
		(void)mmio_read32(APIC + at);
	CHECK(mmio_read32(NOTHING), ~0u, "nothing reads as ones");
	mmio_write32(NOTHING, 1);
	/* What is not emulated ends this guest at most: none of these is reached by a kernel's own code. */
	CHECK(mmio_read32(APIC + APIC_ID), 0, "still there");
}
