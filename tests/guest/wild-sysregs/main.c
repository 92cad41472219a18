/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that a guest is not to have are undefined; identification tells nothing of them. Then every encoding of a
 * system register is read and, but for those that this kernel itself stands on, written: each does something harmless
 * or is undefined, and the hypervisor lives.
 */
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

/* ---- every encoding ---- */

#define MRS   0xd5300000u /* MRS X0, op0 2 or 3 (bit 19) op1 CRn CRm op2 (DDI 0487, C5.3) */
#define MSR   0xd5100000u

#define BATCH 512u

/* Instructions, each with a RET behind it; on a page of their own, which is not written while they run. */
static uint32_t code[BATCH][2] __attribute__((aligned(4096)));

static void write_batch(uint32_t insn, unsigned first)
{
	for (unsigned i = 0; i < BATCH; i++) {
		code[i][0] = insn | (first + i) << 5;
		code[i][1] = 0xd65f03c0; /* RET */
	}
	for (unsigned i = 0; i < BATCH; i += 4)
		__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0" ::"r"(code[i]) : "memory");
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

/* Run number `i`, which reads or writes x0; whether it trapped. */
static bool run(unsigned i, uint64_t x0)
{
	return TRAPS(({
		register uint64_t value __asm__("x0") = x0;

		__asm__ volatile("blr %1"
				 : "+r"(value)
				 : "r"(code[i])
				 : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
				   "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x30", "memory");
	}));
}

/*
 * EL1's own state: translation, vectors, stack, exception return, timers' and interrupts' masks are this kernel's ground. Debug (op0 2),
 * PMU (CRn 9), what implementations define (11 and 15), interrupt controller (12, from CRm 8 on), timers (14) and all of
 * EL2's, EL3's and the secure EL1's (op1 4 to 7) are not.
 */
static bool may_write(unsigned op0, unsigned n)
{
	unsigned op1 = n >> 11, crn = (n >> 7) & 15, crm = (n >> 3) & 15;

	if (op0 == 3 && crn == 12 && op1 < 4)
		return crm >= 8;
	/*
	 * CNTV_*: harmless on a CPU, but QEMU 7.2 hangs for good when CNTV_CVAL is so large that it overflows
	 * with CNTVOFF added (its timer then lies in the past and has not fired).
	 */
	if (op0 == 3 && op1 == 3 && crn == 14 && crm == 3)
		return false;
	return op0 == 2 || op1 >= 4 || crn == 9 || crn == 11 || crn == 14 || crn == 15;
}

/* `n` is op1, CRn, CRm and op2 (DDI 0487, C5.3). */
static unsigned every_register(unsigned op0)
{
	unsigned defined = 0;

	for (unsigned n = 0; n < 1u << 14; n++) {
		if (n % BATCH == 0)
			write_batch(MRS | (op0 & 1) << 19, n);
		if (run(n % BATCH, 0))
			CHECK(EC(trap.esr), EC_UNDEFINED, "a read is defined or undefined");
		else
			defined++;
	}
	for (unsigned n = 0; n < 1u << 14; n++) {
		if (n % BATCH == 0)
			write_batch(MSR | (op0 & 1) << 19, n);
		for (uint64_t value = 0; may_write(op0, n) && value < 2; value++)
			if (run(n % BATCH, 0 - value))
				CHECK(EC(trap.esr), EC_UNDEFINED, "a write is defined or undefined");
	}
	return defined;
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

	CHECK_TRUE(every_register(2) > 10, "some debug registers are there");
	CHECK_TRUE(every_register(3) > 100, "and some others");
	CHECK(reg_read("sctlr_el1") & 1, 1, "and the first stage is still on");
}
