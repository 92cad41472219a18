/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU policy: what a domain sees of the CPU is data, computed once at boot from the machine's leaves through masks, copied to each
 * domain and printable. What depends on the moment (APIC id, OSXSAVE, XSAVE size) is filled in when a guest asks (hvm/cpuid.c).
 * Bit names and positions: xen/arch-x86/cpufeatureset.h; leaves: APM vol. 3, appendix E.
 */
#include <asm/policy.h>

#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <hv/string.h>

/* The public list of features as an enumeration: XEN_X86_FEATURE(name, word * 32 + bit). */
#define XEN_CPUFEATURE(name, value) F_##name = (value),
enum {
#include <xen/arch-x86/cpufeatureset.h>
};

static struct cpu_policy host_max; /* [c] the most that a guest may get */

/* Features that guests get when the machine has them, by word of the feature set. */
static const uint16_t allowed[] = {
	/* 1.edx */
	F_FPU,
	F_VME,
	F_DE,
	F_PSE,
	F_TSC,
	F_MSR,
	F_PAE,
	F_MCE,
	F_CX8,
	F_APIC,
	F_SEP,
	F_MTRR,
	F_PGE,
	F_MCA,
	F_CMOV,
	F_PAT,
	F_PSE36,
	F_CLFLUSH,
	F_MMX,
	F_FXSR,
	F_SSE,
	F_SSE2,
	F_HTT,
	/* 1.ecx */
	F_SSE3,
	F_PCLMULQDQ,
	F_SSSE3,
	F_FMA,
	F_CX16,
	F_SSE4_1,
	F_SSE4_2,
	F_X2APIC,
	F_MOVBE,
	F_POPCNT,
	F_AESNI,
	F_XSAVE,
	F_OSXSAVE,
	F_AVX,
	F_F16C,
	F_RDRAND,
	F_HYPERVISOR,
	/* e1.edx */
	F_SYSCALL,
	F_NX,
	F_MMXEXT,
	F_FFXSR,
	F_PAGE1GB,
	F_LM,
	/* e1.ecx */
	F_LAHF_LM,
	F_CR8_LEGACY,
	F_ABM,
	F_SSE4A,
	F_MISALIGNSSE,
	F_3DNOWPREFETCH,
	F_TBM,
	F_XOP,
	F_FMA4,
	/* 7.ebx */
	F_FSGSBASE,
	F_BMI1,
	F_AVX2,
	F_SMEP,
	F_BMI2,
	F_ERMS,
	F_RDSEED,
	F_ADX,
	F_SMAP,
	F_CLFLUSHOPT,
	F_CLWB,
	F_SHA,
	/* 7.ecx */
	F_UMIP,
	F_VAES,
	F_VPCLMULQDQ,
	F_RDPID,
	/* d1.eax */
	F_XSAVEOPT,
	/* e8.ebx */
	F_CLZERO,
	F_RSTR_FP_ERR_PTRS,
};

static bool feature_allowed(unsigned bit)
{
	for (unsigned i = 0; i < ARRAY_SIZE(allowed); i++)
		if (allowed[i] == bit)
			return true;
	return false;
}

/* The bits of feature word `word` that may be shown. */
static uint32_t word_mask(unsigned word)
{
	uint32_t mask = 0;

	for (unsigned bit = 0; bit < 32; bit++)
		if (feature_allowed(word * 32 + bit))
			mask |= 1u << bit;
	return mask;
}

static void add(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf, struct cpuid value)
{
	assert_always(p->nr < POLICY_LEAVES, "a policy has room for all leaves");
	p->leaf[p->nr++] = (struct policy_leaf){ leaf, subleaf, value };
}

#define NO_SUBLEAF (~0u)

static void add_basic(struct cpu_policy *p)
{
	struct cpuid v = cpuid(0, 0);
	uint32_t last = MIN(v.eax, 0xdu);

	v.eax = last;
	add(p, 0, NO_SUBLEAF, v);
	v = cpuid(1, 0);
	v.ebx &= 0x0000ff00; /* CLFLUSH size; the APIC id is filled in */
	v.ecx &= word_mask(1);
	v.edx &= word_mask(0);
	v.ecx |= 1u << (F_HYPERVISOR % 32) | 1u << (F_X2APIC % 32);
	add(p, 1, NO_SUBLEAF, v);
	for (uint32_t i = 0; last >= 4 && i < 8; i++) {
		v = cpuid(4, i);
		if (!(v.eax & 31))
			break;
		v.eax &= 0x3ff; /* nothing is shared, as far as a guest can tell */
		add(p, 4, i, v);
	}
	if (last >= 7) {
		v = cpuid(7, 0);
		add(p, 7, 0, (struct cpuid){ 0, v.ebx & word_mask(5), v.ecx & word_mask(6), 0 });
	}
	if (last >= 0xd && fpu_xcr0_allowed()) {
		uint64_t mask = fpu_xcr0_allowed();

		add(p, 0xd, 0, (struct cpuid){ (uint32_t)mask, 0, mask & 4 ? 832 : 576, 0 });
		v = cpuid(0xd, 1);
		add(p, 0xd, 1, (struct cpuid){ v.eax & word_mask(4), 0, 0, 0 });
		if (mask & 4)
			add(p, 0xd, 2, cpuid(0xd, 2));
	}
}

static void add_extended(struct cpu_policy *p)
{
	struct cpuid v = cpuid(0x80000000, 0);
	uint32_t last = MIN(v.eax, 0x80000008u);

	v.eax = last;
	add(p, 0x80000000, NO_SUBLEAF, v);
	v = cpuid(0x80000001, 0);
	v.ecx &= word_mask(3);
	/* AMD repeats leaf 1's low bits here. */
	v.edx &= word_mask(2) | (word_mask(0) & 0x0183f3ff);
	add(p, 0x80000001, NO_SUBLEAF, v);
	for (uint32_t leaf = 0x80000002; leaf <= last && leaf <= 0x80000006; leaf++)
		add(p, leaf, NO_SUBLEAF, cpuid(leaf, 0));
	if (last >= 0x80000007)
		add(p, 0x80000007, NO_SUBLEAF, (struct cpuid){ .edx = 1u << 8 }); /* invariant TSC */
	if (last >= 0x80000008) {
		v = cpuid(0x80000008, 0);
		add(p, 0x80000008, NO_SUBLEAF,
		    (struct cpuid){ v.eax & 0xffff,
				    (v.ebx & word_mask(8)) | x86_speculation.guest_leaf, 0, 0 });
	}
}

static uint64_t cr4_mask_of(const struct cpu_policy *p)
{
	static const struct {
		uint16_t feature;
		uint8_t leaf7;
		uint32_t bit;
	} needs[] = {
		{ F_FSGSBASE, 5, CR4_FSGSBASE },
		{ F_SMEP, 5, CR4_SMEP },
		{ F_SMAP, 5, CR4_SMAP },
		{ F_UMIP, 6, CR4_UMIP },
	};
	uint64_t mask = 0x3ff | CR4_OSFXSR | CR4_OSXMMEXCPT;
	struct cpuid one = { 0 }, seven = { 0 };

	for (uint32_t i = 0; i < p->nr; i++) {
		if (p->leaf[i].leaf == 1)
			one = p->leaf[i].value;
		if (p->leaf[i].leaf == 7)
			seven = p->leaf[i].value;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
		uint32_t word = needs[i].leaf7 == 5 ? seven.ebx : seven.ecx;

		if (word >> (needs[i].feature % 32) & 1)
			mask |= needs[i].bit;
	}
	if (one.ecx >> (F_XSAVE % 32) & 1)
		mask |= CR4_OSXSAVE;
	return mask & ~(uint64_t)CR4_VMXE;
}

void policy_boot_init(void)
{
	add_basic(&host_max);
	host_max.extended = host_max.nr;
	add_extended(&host_max);
	host_max.xcr0_mask = fpu_xcr0_allowed();
	host_max.cr4_mask = cr4_mask_of(&host_max);
}

int policy_init(struct domain *d)
{
	mfn_t m = pool_alloc(&d->pool);

	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	d->arch.policy = frame_va(m);
	memcpy(d->arch.policy, &host_max, sizeof(host_max));
	return 0;
}

void policy_free(struct domain *d)
{
	if (d->arch.policy)
		pool_free(&d->pool, frame_from_va(d->arch.policy));
	d->arch.policy = NULL;
}

const struct cpuid *policy_value(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
	static const struct cpuid none;
	const struct policy_leaf *end = p->leaf + p->nr;

	for (const struct policy_leaf *l = p->leaf + (leaf >> 31 ? p->extended : 0);
	     l < end && l->leaf <= leaf; l++)
		if (l->leaf == leaf && (l->subleaf == NO_SUBLEAF || l->subleaf == subleaf))
			return &l->value;
	return &none;
}

const struct cpuid *policy_leaf(const struct domain *d, uint32_t leaf, uint32_t subleaf)
{
	return policy_value(d->arch.policy, leaf, subleaf);
}

uint64_t policy_cr4_mask(const struct domain *d)
{
	return d->arch.policy->cr4_mask;
}

uint64_t policy_xcr0_mask(const struct domain *d)
{
	return d->arch.policy->xcr0_mask;
}

/* ---- for toolstacks ----------------------------------------------------------------------------------- */

const struct cpu_policy *policy_host_max(void)
{
	return &host_max;
}

static struct policy_leaf *find(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < p->nr; i++)
		if (p->leaf[i].leaf == leaf && p->leaf[i].subleaf == subleaf)
			return &p->leaf[i];
	return NULL;
}

/* Where each word of a feature set comes from; a row of zeros: a leaf that guests never get. */
static const struct {
	uint32_t leaf, subleaf;
	unsigned reg;
} words[POLICY_WORDS] = {
	{ 1, NO_SUBLEAF, 3 },
	{ 1, NO_SUBLEAF, 2 },
	{ 0x80000001, NO_SUBLEAF, 3 },
	{ 0x80000001, NO_SUBLEAF, 2 },
	{ 0xd, 1, 0 },
	{ 7, 0, 1 },
	{ 7, 0, 2 },
	{ 0x80000007, NO_SUBLEAF, 3 },
	{ 0x80000008, NO_SUBLEAF, 1 },
	{ 7, 0, 3 },
	{ 7, 1, 0 },
	{ 0x80000021, NO_SUBLEAF, 0 },
	{ 7, 1, 1 },
	{ 7, 2, 3 },
	{ 7, 1, 2 },
	{ 7, 1, 3 },
};

static uint32_t *reg_of(struct cpuid *v, unsigned reg)
{
	switch (reg) {
	case 0: return &v->eax;
	case 1: return &v->ebx;
	case 2: return &v->ecx;
	default: return &v->edx;
	}
}

static bool machine_has(uint32_t leaf, uint32_t subleaf)
{
	uint32_t base = leaf & 0x80000000;

	if (leaf > cpuid(base, 0).eax)
		return false;
	return leaf != 7 || subleaf == NO_SUBLEAF || subleaf <= cpuid(7, 0).eax;
}

uint32_t policy_word(const struct cpu_policy *p, unsigned word)
{
	uint32_t leaf = words[word].leaf, subleaf = words[word].subleaf;
	struct cpuid v = { 0 };

	if (p) {
		const struct policy_leaf *l = find((struct cpu_policy *)(uintptr_t)p, leaf, subleaf);

		if (l)
			v = l->value;
	} else if (machine_has(leaf, subleaf)) {
		v = cpuid(leaf, subleaf == NO_SUBLEAF ? 0 : subleaf);
	}
	return *reg_of(&v, words[word].reg);
}

/* A leaf that Xen's policy has a place for, whether guests here get it or not. */
static bool known_leaf(uint32_t leaf)
{
	return leaf <= 0xd || leaf == 0x40000000 || leaf == 0x40000100 ||
	       (leaf >= 0x80000000 && leaf <= 0x80000021);
}

/* Features: none that the machine does not give. */
static void set_features(struct policy_leaf *to, const struct policy_leaf *from,
			 const struct policy_leaf *max)
{
	for (unsigned w = 0; w < POLICY_WORDS; w++) {
		struct cpuid want = from->value, most = max->value;

		if (words[w].leaf != to->leaf || words[w].subleaf != to->subleaf)
			continue;
		*reg_of(&to->value, words[w].reg) = *reg_of(&want, words[w].reg) &
						    *reg_of(&most, words[w].reg);
	}
}

/* Bits that count threads and caches: nothing depends on them but what the guest makes of them. */
static void set_topology(struct policy_leaf *to, const struct policy_leaf *from)
{
	switch (to->leaf) {
	case 1: to->value.ebx = (to->value.ebx & 0xff00) | (from->value.ebx & 0xff0000); break;
	case 4: to->value.eax = (to->value.eax & 0x3ff) | (from->value.eax & 0xffffc000); break;
	case 0x80000008: to->value.ecx = from->value.ecx & 0xf0ff; break;
	default: break;
	}
}

bool policy_set(struct domain *d, const struct policy_leaf *l)
{
	struct policy_leaf *to = find(d->arch.policy, l->leaf, l->subleaf);
	const struct policy_leaf *max = find(&host_max, l->leaf, l->subleaf);

	if (!to || !max)
		return known_leaf(l->leaf);
	if (l->leaf == 0 || l->leaf == 0x80000000)
		to->value.eax = MIN(l->value.eax, max->value.eax);
	set_features(to, l, max);
	set_topology(to, l);
	return true;
}

void policy_finish(struct domain *d)
{
	struct cpu_policy *p = d->arch.policy;

	p->cr4_mask = cr4_mask_of(p);
	p->xcr0_mask = p->cr4_mask & CR4_OSXSAVE ? host_max.xcr0_mask : 0;
}
