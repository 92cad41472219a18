/* SPDX-License-Identifier: Apache-2.0 */
/* A device is reached by every addressing mode and by every instruction that a compiler makes of loads and stores. */
#include "machine.h"

#define LDR (APIC + APIC_LDR) /* keeps its upper byte */
#define SET 0x5a000000u

static void put(uint32_t v)
{
	mmio_write32(LDR, v);
}

#define READS(text, base, index)                                                 \
	do {                                                                     \
		uint32_t v_;                                                     \
		__asm__ volatile("movl " text ", %0"                             \
				 : "=r"(v_)                                      \
				 : "r"((uint64_t)(base)), "r"((uint64_t)(index)) \
				 : "memory");                                    \
		CHECK(v_, SET, text);                                            \
	} while (0)

/* The value, and the flags of the instruction that left it. */
#define CHANGES(text, from, operand, to)                                       \
	do {                                                                   \
		uint32_t o_ = (operand);                                       \
		put(from);                                                     \
		__asm__ volatile(text : "+r"(o_) : "r"(LDR) : "memory", "cc"); \
		CHECK(mmio_read32(LDR), to, text);                             \
	} while (0)

#define FLAG(text, from, operand, flag, what)                         \
	do {                                                          \
		uint8_t f_;                                           \
		put(from);                                            \
		__asm__ volatile(text "; set" flag " %0"              \
				 : "=q"(f_)                           \
				 : "r"((uint32_t)(operand)), "r"(LDR) \
				 : "memory", "cc");                   \
		CHECK(f_, 1, what);                                   \
	} while (0)

static void modes(void)
{
	put(SET);
	READS("(%1)", LDR, 0);
	READS("0xd0(%1)", APIC, 0);
	READS("-0x1000(%1)", LDR + 0x1000, 0);
	READS("(%1, %2)", APIC, APIC_LDR);
	READS("(%1, %2, 2)", APIC, APIC_LDR / 2);
	READS("(%1, %2, 4)", APIC, APIC_LDR / 4);
	READS("8(%1, %2, 8)", APIC - 8, APIC_LDR / 8);
	READS("-0x70(%1, %2, 8)", LDR, 14);
	READS("0x10(, %2, 8)", 0, (LDR - 0x10) / 8);
	READS("(%k1)", LDR | 1ul << 40, 0); /* 32-bit addresses */
	uint32_t v;
	__asm__ volatile("movabsl 0xfee000d0, %0" : "=a"(v));
	CHECK(v, SET, "an absolute address");
	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(LDR), "b"(0));
	__asm__ volatile("mov %%rbp, %%r12; mov %1, %%rbp; movl 0(%%rbp), %0; mov %%r12, %%rbp"
			 : "=r"(v)
			 : "r"(LDR)
			 : "r12");
	CHECK(v, SET, "by rbp");
	__asm__ volatile("mov %%rsp, %%r12; mov %1, %%rsp; movl (%%rsp), %0; mov %%r12, %%rsp"
			 : "=r"(v)
			 : "r"(LDR)
			 : "r12");
	CHECK(v, SET, "by rsp");
	wrmsr(0xc0000100, APIC);
	__asm__ volatile("movl %%fs:0xd0, %0" : "=r"(v));
	CHECK(v, SET, "by FS");
	wrmsr(0xc0000100, 0);
	wrmsr(0xc0000101, LDR - 16);
	__asm__ volatile("movl %%gs:(%1), %0" : "=r"(v) : "r"(16ul));
	CHECK(v, SET, "by GS");
	wrmsr(0xc0000101, 0);
}

static void arithmetic(void)
{
	CHANGES("movl %0, (%1)", 0, SET, SET);
	CHANGES("movl $0x5a000000, (%1)", 0, 0, SET);
	CHANGES("orl %0, (%1)", 0x50000000, 0x0a000000, SET);
	CHANGES("andl %0, (%1)", 0xff000000, SET, SET);
	CHANGES("xorl %0, (%1)", 0xff000000, 0xa5000000, SET);
	CHANGES("addl %0, (%1)", 0x59000000, 0x01000000, SET);
	CHANGES("subl %0, (%1)", 0x5b000000, 0x01000000, SET);
	CHANGES("lock orl %0, (%1)", 0, SET, SET);
	CHANGES("xchgl %0, (%1)", 0, SET, SET);
	CHANGES("orl $0x5a000000, (%1)", 0, 0, SET);
	FLAG("cmpl %1, (%2)", SET, SET, "e", "CMP sets ZF");
	FLAG("cmpl %1, (%2)", 0x01000000, SET, "b", "CMP sets CF");
	FLAG("testl %1, (%2)", SET, 0xa5000000, "z", "TEST sets ZF");
	FLAG("testl %1, (%2)", 0x80000000, 0x80000000, "s", "TEST sets SF");
	FLAG("addl %1, (%2)", 0xff000000, 0x01000000, "c", "ADD sets CF");
}

static void strings(void)
{
	uint32_t v = SET, out = 0;
	uint64_t from = (uint64_t)&v, to = LDR, n = 1;

	put(0);
	__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	CHECK(mmio_read32(LDR), SET, "MOVS to it");
	CHECK(to, LDR + 4, "it moved on");
	from = LDR;
	to = (uint64_t)&out;
	__asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	CHECK(out, SET, "MOVS from it");
	to = LDR;
	__asm__ volatile("stosl" : "+D"(to) : "a"(0x11000000) : "memory");
	CHECK(mmio_read32(LDR), 0x11000000, "STOS");
	from = LDR;
	__asm__ volatile("lodsl" : "+S"(from), "=a"(v) : : "memory");
	CHECK(v, 0x11000000, "LODS");
}

void guest_test(void)
{
	modes();
	arithmetic();
	strings();
}
