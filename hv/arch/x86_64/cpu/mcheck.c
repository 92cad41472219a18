/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machine checks (APM vol. 2, 9): the hardware says that it, or memory, is broken. Nothing is contained: what the banks of the CPU hold is
 * reported, and the machine stops. Without CR4.MCE it would shut down and say nothing. Each CPU looks at its own banks.
 */
#include <asm/trap.h>

#include <asm/insn.h>
#include <asm/msr.h>
#include <hv/log.h>

#define MCG_BANKS     0xffu
#define MCG_CTL_THERE BIT(8)
#define MC_STEP       4u /* control, status, address, miscellaneous */
#define STATUS_VALID  BIT(63)
#define STATUS_ADDR   BIT(58)

static void log_banks(const char *when)
{
	uint32_t banks = (uint32_t)rdmsr(MSR_MCG_CAP) & MCG_BANKS;
	uint64_t status, address;

	for (uint32_t i = 0; i < banks; i++) {
		if (!rdmsr_safe(MSR_MC0_CTL + MC_STEP * i + 1, &status) || !(status & STATUS_VALID))
			continue;
		if (!(status & STATUS_ADDR) || !rdmsr_safe(MSR_MC0_CTL + MC_STEP * i + 2, &address))
			address = 0;
		log_error("machine check %s: bank %u, status %llx, address %llx", when, i,
			  (unsigned long long)status, (unsigned long long)address);
	}
}

void mcheck_cpu_init(void)
{
	const uint32_t both = BIT(7) | BIT(14); /* the exception, the banks */
	uint64_t cap;

	if ((cpuid(1, 0).edx & both) != both)
		return;
	cap = rdmsr(MSR_MCG_CAP);
	log_banks("before this boot");
	if (cap & MCG_CTL_THERE)
		wrmsr(MSR_MCG_CTL, ~0ull);
	for (uint32_t i = 0; i < (cap & MCG_BANKS); i++) {
		/* One that is not there, or that firmware keeps for itself, stays as it is. */
		(void)!wrmsr_safe(MSR_MC0_CTL + MC_STEP * i, ~0ull);
		(void)!wrmsr_safe(MSR_MC0_CTL + MC_STEP * i + 1, 0);
	}
	write_cr4(read_cr4() | CR4_MCE);
}

void mcheck_report(void)
{
	log_banks("now");
	log_error("machine check: global status %llx", (unsigned long long)rdmsr(MSR_MCG_STATUS));
}
