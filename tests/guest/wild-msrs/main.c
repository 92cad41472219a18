/* SPDX-License-Identifier: Apache-2.0 */
/* Every register number ends in a value or in #GP, with every value that is written; the guest goes on. */
#include "machine.h"

#include <xen/version.h>

static const uint64_t wild[] = { 0, 1, ~0ul, 1ul << 63, 0x8000000000000000, 0xdeadbeefcafe };

/* What a kernel that writes nonsense does to itself. */
static bool own(uint32_t msr)
{
	switch (msr) {
	case 0x1b:       /* APIC base: tried below */
	case 0x40000000: /* the hypercall page goes where it is put */
	case 0xc0000080: /* EFER */
	case 0xc0000100: /* FS and GS bases are in nobody's way, but not canonical ones are #GP */
	case 0x10: return true; /* the clock */
	default: return msr >= 0x800 && msr < 0x900;
	}
}

static void each(uint32_t first, uint32_t n)
{
	uint64_t v;

	for (uint32_t msr = first; msr - first < n; msr++) {
		if (try_rdmsr(msr, &v))
			CHECK(trap.vector, VEC_GP, "a register that is not there");
		for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]) && !own(msr); i++)
			if (try_wrmsr(msr, wild[i]))
				CHECK(trap.vector, VEC_GP, "a value that is refused");
	}
}

void guest_test(void)
{
	uint64_t v, base = rdmsr(0x1b), efer = rdmsr(0xc0000080);

	each(0, 0x300);
	each(0x3f0, 0x60);
	each(0x6e0, 1);
	each(0x7f0, 0x120);
	each(0xd90, 0x20);
	each(0x1ff0, 0x20);
	each(0x40000000, 0x20);
	each(0x400000f0, 0x20);
	each(0x4b564d00, 8);
	each(0xc0000000, 0x110);
	each(0xc0001ff0, 0x20);
	each(0xc0010000, 0x140);
	each(0xc0011010, 0x30);
	each(0xfffffff0, 16);
	CHECK_TRUE(try_wrmsr(0xc0000080, ~0ul), "EFER: reserved bits");
	CHECK_TRUE(try_wrmsr(0xc0000080, efer & ~0x100ul), "EFER: LME while paging");
	CHECK_TRUE(try_wrmsr(0xc0000080, efer | 0x1000), "EFER: SVME");
	CHECK(rdmsr(0xc0000080), efer, "EFER is what it was");
	CHECK_TRUE(try_wrmsr(0x1b, base | 1ul << 50), "APIC base: reserved bits");
	CHECK_TRUE(try_wrmsr(0x1b, (base & 0xfff) | 0x10000), "APIC base: another address");
	CHECK_TRUE(try_wrmsr(0x1b, (base & ~0x800ul) | 0x400), "APIC base: x2APIC without APIC");
	for (uint32_t msr = 0x800; msr < 0x900; msr++)
		CHECK_TRUE(try_rdmsr(msr, &v), "x2APIC registers while it is off");
	CHECK_TRUE(try_wrmsr(0x277, 0x0202020202020202), "PAT: a reserved type");
	CHECK_TRUE(try_wrmsr(0x40000000, 0x123), "the hypercall page: there is only number 0");
	CHECK_TRUE(try_wrmsr(0x40000000, 0xd0000000), "and it must be in memory");
	/* Its registers as x2APIC: each ends somehow, and reserved ones are #GP. */
	CHECK_TRUE(!try_wrmsr(0x1b, base | 0x400), "x2APIC on");
	CHECK(rdmsr(0x802), 0, "its number");
	for (uint32_t msr = 0x800; msr < 0x900; msr++) {
		(void)try_rdmsr(msr, &v);
		if (msr != 0x830) /* commands */
			(void)try_wrmsr(msr, 0);
	}
	CHECK_TRUE(try_rdmsr(0x80e, &v), "no destination format");
	CHECK_TRUE(try_wrmsr(0x1b, base), "not back to xAPIC at once");
	CHECK(HYPERCALL(xen_version, XENVER_version, 0), 4 << 16 | 17, "still alive");
}
