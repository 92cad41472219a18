/* SPDX-License-Identifier: Apache-2.0 */
/* Registers that a guest is not to have are undefined; identification tells nothing of them. */
#include "machine.h"

#define UNDEFINED(statement, what)                       \
	do {                                             \
		CHECK_TRUE(TRAPS(statement), what);      \
		CHECK(EC(trap.esr), EC_UNDEFINED, what); \
	} while (0)

static uint64_t field(uint64_t reg, unsigned low)
{
	return (reg >> low) & 15;
}

void guest_test(void)
{
	uint64_t pfr0 = reg_read("id_aa64pfr0_el1"), dfr0 = reg_read("id_aa64dfr0_el1");
	uint64_t isar1 = reg_read("id_aa64isar1_el1");

	CHECK(field(pfr0, 8), 0, "no EL2");
	CHECK(field(pfr0, 12), 0, "no EL3");
	CHECK(field(pfr0, 32), 0, "no SVE");
	CHECK(field(pfr0, 28), 0, "no RAS");
	CHECK(field(pfr0, 4), 1, "EL1 is 64-bit");
	CHECK(field(reg_read("S3_0_C0_C4_1"), 8), 0, "no MTE");
	CHECK(field(dfr0, 8), 0, "no PMU");
	CHECK(field(dfr0, 4), 0, "no trace");
	CHECK(field(isar1, 4) | field(isar1, 8) | field(isar1, 24) | field(isar1, 28), 0,
	      "no pointer authentication");
	CHECK(reg_read("S3_0_C0_C7_7"), 0,
	      "an identification register that is not defined reads zero");
	CHECK_TRUE(reg_read("midr_el1") != 0, "MIDR is there");

	UNDEFINED(reg_read("S3_0_C1_C2_0"), "ZCR_EL1");
	UNDEFINED(reg_read("S3_0_C2_C1_0"), "APIAKeyLo_EL1");
	UNDEFINED(reg_write("S3_0_C15_C0_0", 1), "an implementation-defined register");
	UNDEFINED(reg_read("S3_0_C5_C3_0"), "ERRIDR_EL1");
	UNDEFINED(reg_read("hcr_el2"), "HCR_EL2");
	UNDEFINED(({ __asm__ volatile("hvc #7"); }), "HVC with a number that nobody has");
	UNDEFINED(({ __asm__ volatile("smc #7"); }), "SMC with one");
	UNDEFINED(({ __asm__ volatile(".inst 0xdeadbeef"); }),
		  "an instruction that does not exist");

	CHECK_TRUE(!TRAPS(reg_write("mdscr_el1", 0x8000)), "debug registers may be written");
	CHECK(reg_read("mdscr_el1"), 0, "and stay zero");
	CHECK_TRUE(!TRAPS(reg_write("S2_0_C0_C0_4", ~0ull)), "breakpoints too");
	CHECK_TRUE(!TRAPS(reg_write("pmuserenr_el0", 15)), "PMUSERENR too");
	CHECK(reg_read("pmcr_el0"), 0, "PMCR reads zero");
	reg_write("actlr_el1", 0);
	CHECK_TRUE(!TRAPS(reg_write("S3_0_C12_C11_7", ~0ull)), "ICC_SGI0R_EL1 is ignored");
}
