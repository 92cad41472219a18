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

/* As many as Xen 4.17 has places for: what tools make their buffers for. */
#define POLICY_LEAVES 120u
/* Words of a feature set in 4.17 (xen/arch-x86/cpufeatureset.h). */
#define POLICY_WORDS  16u

struct cpu_policy {
	uint32_t nr;
	uint32_t extended; /* where leaves from 0x80000000 on begin */
	uint64_t cr4_mask, xcr0_mask;
	struct policy_leaf leaf[POLICY_LEAVES]; /* sorted */
};
_Static_assert(sizeof(struct cpu_policy) <= 4096, "a policy is one frame");

/* The machine's own and the most that guests may get. Boot CPU. */
void policy_boot_init(void);
MUST_USE int policy_init(struct domain *d);
void policy_free(struct domain *d);
/* What `p` has for a leaf; zero where it has none. */
const struct cpuid *policy_value(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf);
/* The machine's own values of the leaves, for tools; the most that a guest may get. */
const struct cpu_policy *policy_host_max(void);
/* Word `word` of the feature set of `p`, or (NULL) of the bare machine. */
uint32_t policy_word(const struct cpu_policy *p, unsigned word);
/*
 * A toolstack wants leaf `l` of `d` so, which was not started yet. Features are cut to what there may be, sizes to what
 * there is; numbers of threads and caches are taken. False: no such leaf.
 */
MUST_USE bool policy_set(struct domain *d, const struct policy_leaf *l);
/* After the last one: what follows from the features. */
void policy_finish(struct domain *d);
/* The leaf as `d` sees it (static part); zero beyond the last. */
const struct cpuid *policy_leaf(const struct domain *d, uint32_t leaf, uint32_t subleaf);
uint64_t policy_cr4_mask(const struct domain *d);
uint64_t policy_xcr0_mask(const struct domain *d);

#endif
