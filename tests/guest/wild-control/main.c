/* SPDX-License-Identifier: Apache-2.0 */
/* Control registers take what the architecture lets them, by every instruction, and refuse the rest with #GP. */
#include "machine.h"

#define REFUSED(text, value, what)                                                \
	do {                                                                      \
		CHECK_TRUE(TRAPS_ASM(text, OUT(), "r"((uint64_t)(value))), what); \
		CHECK(trap.vector, VEC_GP, what);                                 \
	} while (0)

void guest_test(void)
{
	uint64_t cr0 = CR_READ(0), cr4 = CR_READ(4), sw;

	REFUSED("mov %0, %%cr0", cr0 | 1ul << 32, "CR0: upper half");
	REFUSED("mov %0, %%cr0", cr0 & ~1ul, "CR0: paging without protection");
	REFUSED("mov %0, %%cr0", (cr0 | 1ul << 29) & ~(1ul << 30), "CR0: NW without CD");
	REFUSED("mov %0, %%cr4", cr4 & ~0x20ul, "CR4: PAE in long mode");
	REFUSED("mov %0, %%cr4", cr4 | 1ul << 63, "CR4: reserved bits");
	REFUSED("mov %0, %%cr4", cr4 | 1ul << 13, "CR4: VMXE");
	REFUSED("mov %0, %%cr4", cr4 | 1ul << 31, "CR4: what nobody has");
	CHECK(CR_READ(0), cr0, "CR0 is what it was");
	CHECK(CR_READ(4), cr4, "CR4 is what it was");
	/* The ways to TS. */
	CR_WRITE(0, cr0 | 8);
	CHECK(CR_READ(0), cr0 | 8, "MOV sets TS");
	__asm__ volatile("clts");
	CHECK(CR_READ(0), cr0, "CLTS clears it");
	__asm__ volatile("lmsw %w0" ::"r"(cr0 | 8));
	CHECK(CR_READ(0), cr0 | 8, "LMSW sets it");
	__asm__ volatile("lmsw %w0" ::"r"(cr0 & ~9ul));
	CHECK(CR_READ(0), cr0, "clears it, but not PE");
	__asm__ volatile("smsw %0" : "=r"(sw));
	CHECK(sw & 0xffff, cr0 & 0xffff, "SMSW");
	/* By every register, the stack pointer too. */
#define BY(reg) __asm__ volatile("mov %0, %%" reg "; mov %%" reg ", %%cr4" ::"r"(cr4) : reg)
	BY("rcx");
	BY("rdx");
	BY("rbx");
	BY("rsi");
	BY("rdi");
	BY("r8");
	BY("r9");
	BY("r13");
	BY("r15");
	CHECK(CR_READ(4), cr4, "by every register");
	__asm__ volatile(
	    "mov %%rsp, %%rbx; mov %0, %%rsp; mov %%rsp, %%cr4; mov %%rbx, %%rsp" ::"r"(cr4)
	    : "rbx");
	/* XCR0, where there is one. The emulator does not ask us (QEMU 7.2): it judges by itself. */
	if (cpuid(1, 0).ecx & 1u << 26) {
		CR_WRITE(4, cr4 | 1ul << 18);
		CHECK_TRUE(TRAPS_ASM("xsetbv", OUT(), "a"(0), "d"(0), "c"(0)), "XCR0 without x87");
		CHECK_TRUE(TRAPS_ASM("xsetbv", OUT(), "a"(5), "d"(0), "c"(0)), "AVX without SSE");
		CHECK_TRUE(TRAPS_ASM("xsetbv", OUT(), "a"(3), "d"(~0u), "c"(0)),
			   "components that nobody has");
		CHECK_TRUE(TRAPS_ASM("xsetbv", OUT(), "a"(3), "d"(0), "c"(7)), "XCR7");
		CHECK_TRUE(!TRAPS_ASM("xsetbv", OUT(), "a"(3), "d"(0), "c"(0)), "x87 and SSE");
		CR_WRITE(4, cr4);
	}
	for (uint32_t leaf = 0; leaf < 64; leaf++) /* CPUID of anything is something */
		for (uint32_t sub = 0; sub < 4; sub++) {
			(void)cpuid(leaf, sub);
			(void)cpuid(0x40000000 + leaf * 16, sub);
			(void)cpuid(0x80000000 + leaf, ~sub);
			(void)cpuid(0xfffffff0 + leaf, sub);
		}
}
