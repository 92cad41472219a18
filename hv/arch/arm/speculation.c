/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which countermeasure a CPU needs (asm/speculation.h). By the vendor's statements: "Cache Speculation Side-channels" and
 * "Spectre-BHB: Speculative Target Reuse Attacks" (Arm), and the errata notices. Pure: the test runs on the host.
 */
#include "include/asm/speculation.h"

#include <hv/compiler.h>

/* MIDR_EL1: implementer 31..24, variant 23..20, part 15..4, revision 3..0. */
#define ARM_PART(midr) (((midr) >> 24 & 0xff) == 0x41 ? (unsigned)((midr) >> 4 & 0xfff) : 0u)
#define VARIANT(midr)  (((midr) >> 20) & 15)

/* ID_AA64PFR0_EL1.CSV2: 1 and up, targets of one context are not used in another; 3: nor is history. */
#define CSV2(pfr0)     (((pfr0) >> 56) & 15)
/* ID_AA64MMFR1_EL1.ECBHB: history from before an exception is not used behind it. */
#define ECBHB(mmfr1)   (((mmfr1) >> 60) & 15)
#define CLRBHB(isar2)  (((isar2) >> 28) & 15)

static const struct {
	uint16_t part;
	uint8_t loops;       /* branches that fill the history; 0: not predicted by history */
	bool in_order;       /* does not speculate past indirect branches at all */
	uint8_t at_variants; /* speculative AT: below this variant; 16: all */
} parts[] = {
	{ 0xd03, .in_order = true },                   /* Cortex-A53 */
	{ 0xd04, .in_order = true },                   /* A35 */
	{ 0xd05, .in_order = true, .at_variants = 3 }, /* A55: 1530923, up to r2 */
	{ 0xd07, .at_variants = 16 },                  /* A57: 1319537 */
	{ 0xd08, .loops = 8,
	  .at_variants = 16 }, /* A72: 1319367; the loop counts from r1 on, by CSV2 */
	{ 0xd0b, .loops = 24, .at_variants = 3 }, /* A76: 1165522, up to r2 */
	{ 0xd0c, .loops = 24 },                   /* Neoverse N1 */
	{ 0xd0d, .loops = 24 },                   /* A77 */
	{ 0xd0e, .loops = 24 },                   /* A76AE */
	{ 0xd40, .loops = 32 },                   /* Neoverse V1 */
	{ 0xd41, .loops = 32 },                   /* A78 */
	{ 0xd42, .loops = 32 },                   /* A78AE */
	{ 0xd44, .loops = 32 },                   /* X1 */
	{ 0xd47, .loops = 32 },                   /* A710 */
	{ 0xd48, .loops = 32 },                   /* X2 */
	{ 0xd49, .loops = 32 },                   /* Neoverse N2 */
	{ 0xd4b, .loops = 32 },                   /* A78C */
	{ 0xd4c, .loops = 32 },                   /* X1C */
};

static void firmware(struct speculation *out, uint32_t function)
{
	out->how = HARDEN_FIRMWARE;
	out->function = function;
}

void speculation_choose(const struct cpu_identity *id, struct speculation *out)
{
	bool own_targets = CSV2(id->pfr0) >= 1;
	bool own_history = CSV2(id->pfr0) >= 3 || ECBHB(id->mmfr1);
	bool in_order = false;

	*out = (struct speculation){ .how = HARDEN_NONE };
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].part != ARM_PART(id->midr))
			continue;
		out->loops = own_targets ? parts[i].loops : 0;
		out->speculative_at = VARIANT(id->midr) < parts[i].at_variants;
		in_order = parts[i].in_order;
	}
	/* Firmware that offers the larger call knows that this CPU needs it. */
	if (!own_history && id->workaround_3 == 0)
		firmware(out, SMCCC_WORKAROUND_3);
	else if (!own_targets && id->workaround_1 == 0)
		firmware(out, SMCCC_WORKAROUND_1);
	else if (!own_targets)
		out->exposed = !in_order && id->workaround_1 != 1;
	else if (!own_history && CLRBHB(id->isar2))
		out->how = HARDEN_CLEAR;
	else if (!own_history && out->loops)
		out->how = HARDEN_LOOP;
}
