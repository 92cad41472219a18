/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a domain sees of the CPU: CPUID leaves and MSRs as data in the form of Xen 4.17 (leaf/MSR lists), computed once from the machine's,
 * less what we hide (hvm/policy.c). A domain's own is a frame of its pool.
 */
#ifndef ASM_POLICY_H
#define ASM_POLICY_H

#include <asm/insn.h>
#include <hv/compiler.h>

struct domain;
struct vcpu;

struct policy_leaf {
	uint32_t leaf, subleaf; /* subleaf ~0: the leaf has none */
	struct cpuid value;
};

#define POLICY_LEAVES 120u

struct cpu_policy {
	uint32_t nr;
	uint64_t cr4_mask, xcr0_mask;
	struct policy_leaf leaf[POLICY_LEAVES]; /* sorted */
};
_Static_assert(sizeof(struct cpu_policy) <= 4096, "a policy is one frame");

/* The machine's own and the most that guests may get. Boot CPU. */
void policy_boot_init(void);
MUST_USE int policy_init(struct domain *d);
void policy_free(struct domain *d);
/* The leaf as `d` sees it (static part); zero beyond the last. */
struct cpuid policy_leaf(const struct domain *d, uint32_t leaf, uint32_t subleaf);
uint64_t policy_cr4_mask(const struct domain *d);
uint64_t policy_xcr0_mask(const struct domain *d);

#endif
