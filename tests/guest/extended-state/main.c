/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vCPU has in its x87, SSE and AVX registers is there after others ran, whatever XCR0 hid of it meanwhile; and one that starts finds nothing of
 * anybody's in them. Two such domains run beside each other.
 */
#include "machine.h"

#include <xen/sched.h>

#define CPUS     3
#define ROUNDS   150

#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_AVX 4u
#define OSXSAVE  (1ul << 18)

/* The area of XSAVE (AMD APM vol. 2, 11.5.2), of FXSAVE up to `header`; the upper halves of AVX are where CPUID says. */
struct area {
	uint16_t fcw, fsw;
	uint8_t ftw, reserved;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16], xmm[16][16], unused[96];
	uint64_t present, rest[7];
	uint8_t more[1024 - 576];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct area) == 1024, "the header is at 512");

static struct area mine[CPUS], found[CPUS];
static bool has_xsave, has_avx;
static uint32_t all, upper; /* components; where the upper halves are */
static volatile uint32_t done;

static void set_xcr0(uint32_t value)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"(value), "d"(0));
}

static void load(const struct area *a)
{
	if (has_xsave)
		__asm__ volatile("xrstor64 %0" ::"m"(*a), "a"(all), "d"(0));
	else
		__asm__ volatile("fxrstor64 %0" ::"m"(*a));
}

static void store(struct area *a)
{
	memset(a, 0, sizeof(*a));
	if (has_xsave)
		__asm__ volatile("xsave64 %0" : "+m"(*a) : "a"(all), "d"(0));
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*a));
}

static void enable(void)
{
	if (!has_xsave)
		return;
	CR_WRITE(4, CR_READ(4) | OSXSAVE);
	set_xcr0(all);
}

static void same(const void *a, const void *b, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		CHECK(((const uint8_t *)a)[i], ((const uint8_t *)b)[i], what);
}

static void compare(const struct area *a, const struct area *b)
{
	CHECK(a->fcw, b->fcw, "x87 control word");
	CHECK(a->mxcsr, b->mxcsr, "MXCSR");
	for (unsigned i = 0; i < 8; i++)
		same(a->st[i], b->st[i], 10, "x87 registers");
	same(a->xmm, b->xmm, sizeof(a->xmm), "SSE registers");
	if (has_avx)
		same((const char *)a + upper, (const char *)b + upper, 256,
		     "upper halves of AVX registers");
}

/* Bytes that no other vCPU and no other round has. */
static void fill(void *to, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)to)[i] = *seed >> 56;
	}
}

static void make(struct area *a, uint64_t seed)
{
	memset(a, 0, sizeof(*a));
	a->fcw = seed & 1 ? 0x37f : 0x27f;
	a->ftw = 0xff;
	a->mxcsr = seed & 2 ? 0x1f80 : 0x9f80;
	for (unsigned i = 0; i < 8; i++) {
		fill(a->st[i], 8, &seed);
		a->st[i][7] |= 0x80; /* a number of the usual kind */
		a->st[i][9] = 0x3f;
	}
	fill(a->xmm, sizeof(a->xmm), &seed);
	if (has_avx)
		fill((char *)a + upper, 256, &seed);
	a->present = all;
}

static void work(unsigned cpu)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		make(&mine[cpu], ticks() + cpu);
		load(&mine[cpu]);
		if (has_avx && round % 4 == 0)
			set_xcr0(XCR0_X87 | XCR0_SSE); /* the rest stays, out of reach */
		for (unsigned i = 0; i <= round % 3; i++)
			HYPERCALL(sched_op, SCHEDOP_yield, 0);
		if (round % 50 == 1) /* until somebody else's turn comes by itself */
			for (uint64_t end = ticks() + ticks_per_second() / 50; ticks() < end;)
				pause();
		if (has_avx && round % 4 == 0)
			set_xcr0(all);
		store(&found[cpu]);
		compare(&found[cpu], &mine[cpu]);
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

/* Before anything of its own: the state after reset. */
static void nothing_left(unsigned cpu)
{
	static const struct area clean = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	enable();
	store(&found[cpu]);
	CHECK(found[cpu].ftw, 0, "no x87 register is in use");
	compare(&found[cpu], &clean);
}

static void other(unsigned cpu)
{
	nothing_left(cpu);
	work(cpu);
}

void guest_test(void)
{
	struct leaf features = cpuid(1, 0);

	has_xsave = features.ecx >> 26 & 1;
	has_avx = has_xsave && features.ecx >> 28 & 1;
	all = XCR0_X87 | XCR0_SSE | (has_avx ? XCR0_AVX : 0);
	upper = has_avx ? cpuid(0xd, 2).ebx : 0;
	CHECK_TRUE(upper + 256 <= sizeof(struct area), "place of the upper halves");
	nothing_left(0);
	print(has_avx ? "with AVX\n" : "without AVX\n");
	CHECK(cpu_start(1, other), 0, "the second starts");
	work(0);
	/* The last one starts where others have left everything full. */
	CHECK(cpu_start(2, other), 0, "the third starts");
	work(0);
	while (done < CPUS + 1)
		HYPERCALL(sched_op, SCHEDOP_yield, 0);
}
