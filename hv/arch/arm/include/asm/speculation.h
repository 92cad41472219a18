/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CPU needs against speculation, chosen from its identification registers and its firmware's answers. A guest
 * may train branch predictors for the hypervisor; so on CPUs where that works each exit begins with something
 * that forgets, in a vector table of its own (arm64/entry.S). Some CPUs also execute address translation instructions speculatively
 * while translation registers change (vcpu.c).
 */
#ifndef ASM_SPECULATION_H
#define ASM_SPECULATION_H

#include <stdbool.h>
#include <stdint.h>

/* SMCCC_ARCH_WORKAROUND_1 and _3 (DEN0028): forget branch targets; and branch history too. */
#define SMCCC_WORKAROUND_1 0x80008000u
#define SMCCC_WORKAROUND_3 0x80003fffu

struct cpu_identity {
	uint64_t midr, pfr0, mmfr1, isar2; /* MIDR_EL1, ID_AA64PFR0, ID_AA64MMFR1, ID_AA64ISAR2 */
	/* SMCCC_ARCH_FEATURES of the two calls: 0 to be used, 1 not needed here, below 0 not offered. */
	int64_t workaround_1, workaround_3;
};

enum hardening {
	HARDEN_NONE,
	HARDEN_FIRMWARE, /* call `function` */
	HARDEN_LOOP,     /* `loops` taken branches fill the branch history */
	HARDEN_CLEAR,    /* CLRBHB */
};

struct speculation {
	enum hardening how;
	uint32_t function, loops;
	bool exposed;        /* the CPU needs something that the firmware does not offer */
	bool speculative_at; /* errata 1319367, 1319537, 1530923, 1165522 */
};

/* Pure. */
void speculation_choose(const struct cpu_identity *id, struct speculation *out);

/* cpu.c: this CPU, its area's fields and its vector table. Logged where it differs from the CPU before. */
struct cpu;
void speculation_cpu_init(struct cpu *c);
/* Does this CPU's vector make that call? Then a guest may count on it. */
bool speculation_calls(uint32_t function);

/* vcpu.c: this CPU has the errata of speculative AT. Before any vCPU is loaded. */
void vcpu_speculative_at(void);
/* While VTTBR_EL2 is another's than the loaded vCPU's; nothing on CPUs without the errata. */
struct stage1 {
	uint64_t sctlr, tcr;
};
void stage1_hold(struct stage1 *s);
void stage1_release(const struct stage1 *s);

#endif
