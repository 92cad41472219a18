/* SPDX-License-Identifier: Apache-2.0 */
/* There are no ports: every one, in every width, single and repeated, reads as an empty bus and takes what is written. */
#include "machine.h"

static uint8_t buffer[4096];

void guest_test(void)
{
	for (unsigned port = 0; port < 0x10000; port += port < 0x500 || port > 0xfff0 ? 1 : 37) {
		uint32_t v = 0;
		bool timer = port >= 0x3d && port < 0x43; /* decision 7: its counters read as 0 */

		__asm__ volatile("inb %%dx, %%al" : "+a"(v) : "d"(port));
		CHECK_TRUE(v == 0xff || timer, "a byte");
		__asm__ volatile("inl %%dx, %%eax" : "+a"(v) : "d"(port));
		CHECK_TRUE(v == ~0u || timer, "a word");
		__asm__ volatile("outw %%ax, %%dx" ::"a"(~0u), "d"(port));
		__asm__ volatile("outl %%eax, %%dx" ::"a"(~0u), "d"(port));
	}
	for (unsigned width = 0; width < 3; width++) {
		uint64_t to = (uint64_t)buffer, n = 64;

		memset(buffer, 0, sizeof(buffer));
		if (width == 0)
			__asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"(0x1f0) : "memory");
		else if (width == 1)
			__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(0x1f0) : "memory");
		else
			__asm__ volatile("rep insl" : "+D"(to), "+c"(n) : "d"(0x1f0) : "memory");
		CHECK(n, 0, "REP INS counts down");
		CHECK(to, (uint64_t)buffer + (64ul << width), "and moves on");
		CHECK(buffer[(64 << width) - 1], 0xff, "all of it was read");
		CHECK(buffer[64 << width], 0, "and no more");
		to = (uint64_t)buffer;
		n = 64;
		__asm__ volatile("rep outsb" : "+S"(to), "+c"(n) : "d"(0x1f0) : "memory");
		CHECK(n, 0, "REP OUTS");
	}
	/* Backwards, from and to where nothing is, over the end of the address space. */
	for (unsigned i = 0; i < 2; i++) {
		CHECK_TRUE(TRAPS_ASM("rep insb", OUT(), "D"(i ? ~0ul - 3 : 0x200000000), "c"(64),
				     "d"(0x1f0)),
			   "to nowhere");
		CHECK(trap.vector, VEC_PF, "is a page fault");
		CHECK_TRUE(TRAPS_ASM("rep outsl", OUT(), "S"(0x8000000000000000), "c"(64),
				     "d"(0x1f0)),
			   "from an address that is none");
	}
	uint64_t to = (uint64_t)buffer + 63, n = 64;
	memset(buffer, 0, sizeof(buffer));
	__asm__ volatile("std; rep insb; cld" : "+D"(to), "+c"(n) : "d"(0x1f0) : "memory");
	CHECK(to, (uint64_t)buffer - 1, "backwards");
	CHECK(buffer[0], 0xff, "all of it");
	n = 1ul << 40; /* the widest count that a fault ends */
	CHECK_TRUE(TRAPS_ASM("rep insl", OUT(), "D"(0xfffff000ul), "c"(n), "d"(0x1f0)),
		   "an endless one ends");
}
