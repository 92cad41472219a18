/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of virtual machine monitors, and others that guests are not shown, are undefined: whatever their operands. */
#include "machine.h"

/* An address that cannot be one is looked at before (APM vol. 3): #GP. */
#define UNDEFINED(text, what)                                                                  \
	do {                                                                                   \
		for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {                \
			CHECK_TRUE(TRAPS_ASM(text, OUT(), "a"(wild[i]), "c"(wild[i]), "d"(0)), \
				   what);                                                      \
			CHECK(trap.vector,                                                     \
			      wild[i] >> 40 || wild[i] % 4096                                  \
				  ? trap.vector == VEC_GP ? VEC_GP : VEC_UD                    \
				  : VEC_UD,                                                    \
			      what);                                                           \
		}                                                                              \
	} while (0)

static const uint64_t wild[] = { 0, 4096, 0xfee00000, 0xffffffff, 1ul << 47, ~0ul };

void guest_test(void)
{
	CHECK(cpuid(0x80000001, 0).ecx & 4, 0, "SVM is not shown");
	CHECK(cpuid(1, 0).ecx & (1 << 5 | 1 << 3), 0, "nor VMX, nor MONITOR");
	UNDEFINED("vmrun %%rax", "VMRUN");
	UNDEFINED("vmload %%rax", "VMLOAD");
	UNDEFINED("vmsave %%rax", "VMSAVE");
	UNDEFINED("stgi", "STGI");
	UNDEFINED("clgi", "CLGI");
	UNDEFINED("skinit %%eax", "SKINIT");
	UNDEFINED("invlpga %%rax, %%ecx", "INVLPGA");
	CHECK_TRUE(TRAPS_ASM("monitor", OUT(), "a"(wild), "c"(0), "d"(0)), "MONITOR");
	CHECK_TRUE(TRAPS_ASM("mwait", OUT(), "a"(0), "c"(0), "d"(0)), "MWAIT");
	CHECK_TRUE(TRAPS_ASM("rdpmc", OUT(), "a"(0), "c"(0), "d"(0)), "RDPMC");
	CHECK(trap.vector, VEC_GP, "RDPMC: no counter");
	CHECK_TRUE(!TRAPS_ASM("invd", OUT(), "a"(0)), "INVD does nothing");
	CHECK_TRUE(!TRAPS_ASM("wbinvd", OUT(), "a"(0)), "nor WBINVD");
	CHECK(trap.vector, VEC_GP, "and no trap came of them");
}
