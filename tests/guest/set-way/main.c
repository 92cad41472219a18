/* SPDX-License-Identifier: Apache-2.0 */
/* Cache maintenance by set and way ends, however often it is tried, and the guest's memory survives it. */
#include "machine.h"

static volatile uint64_t data[512];

void guest_test(void)
{
	for (unsigned i = 0; i < 512; i++)
		data[i] = i * 0x1000001ull;
	for (unsigned way = 0; way < 4; way++)
		for (unsigned set = 0; set < 128; set++)
			__asm__ volatile("dc cisw, %0" ::"r"((uint64_t)way << 30 | set << 6)
					 : "memory");
	__asm__ volatile("dc csw, %0; dc isw, %0" ::"r"(0ull) : "memory");
	/* Registers that are watched from then on still work. */
	reg_write("contextidr_el1", 0x1234);
	CHECK(reg_read("contextidr_el1"), 0x1234, "CONTEXTIDR");
	reg_write("far_el1", 0xabcd);
	CHECK(reg_read("far_el1"), 0xabcd, "FAR");
	/* Caches off and on. */
	uint64_t sctlr = reg_read("sctlr_el1");
	reg_write("sctlr_el1", sctlr & ~4ull);
	CHECK(reg_read("sctlr_el1"), sctlr & ~4ull, "caches off");
	reg_write("sctlr_el1", sctlr);
	CHECK(reg_read("sctlr_el1"), sctlr, "caches on");
	for (unsigned i = 0; i < 512; i++)
		CHECK(data[i], i * 0x1000001ull, "memory is what it was");
}
