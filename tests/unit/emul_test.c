/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86 instruction emulator against the processor itself: each encoding is executed natively, on memory at [rbx + ...], and
 * emulated, from the same random registers and memory; registers, flags and memory must agree. And against wild bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../hv/arch/x86_64/include/asm/emul.h"

#define ROUNDS 200

/* Both sides work on a window of this size; rbx points into its middle. */
static uint8_t window[4096] __attribute__((aligned(4096)));

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- the emulator's memory is the window ---------------------------------------------------------- */

static enum emul_result mem(struct emul *e, uint64_t va, unsigned size, bool write, uint64_t *value)
{
	uint8_t *at = (uint8_t *)(uintptr_t)va;

	if (at < window || at + size > window + sizeof(window)) {
		e->fault.vector = 14;
		e->fault.cr2 = va;
		return EMUL_FAULT;
	}
	if (write)
		memcpy(at, value, size);
	else
		memcpy(value, at, size);
	return EMUL_DONE;
}

static enum emul_result mem_read(struct emul *e, uint64_t va, unsigned size, uint64_t *value)
{
	*value = 0;
	return mem(e, va, size, false, value);
}

static enum emul_result mem_write(struct emul *e, uint64_t va, unsigned size, uint64_t value)
{
	return mem(e, va, size, true, &value);
}

static uint64_t cr0, written_cr;
static unsigned which_cr;
static bool user; /* in a program, which may not read them but by SMSW */

static enum emul_result cr_read(struct emul *e, unsigned n, bool status, uint64_t *value)
{
	which_cr = n;
	if (user && !status) {
		e->fault.vector = 13;
		return EMUL_FAULT;
	}
	*value = cr0;
	return EMUL_DONE;
}

static enum emul_result cr_write(struct emul *e, unsigned n, uint64_t value)
{
	which_cr = n;
	written_cr = value;
	return EMUL_DONE;
}

static enum emul_result port(struct emul *e, uint16_t p, unsigned size, bool write, uint32_t *value)
{
	*value = write ? *value : 0x5a5a5a5a;
	return EMUL_DONE;
}

static const struct emul_ops ops = { mem_read, mem_write, port, cr_read, cr_write };

/* ---- native execution ------------------------------------------------------------------------------ */

struct regs {
	uint64_t gpr[16], rflags;
};

/* void run(struct regs *r): load everything but rsp, execute, store; the instruction is at `slot`. */
static uint8_t *code;
static unsigned slot;

static void put(unsigned *at, const char *bytes, unsigned n)
{
	memcpy(code + *at, bytes, n);
	*at += n;
}

static void make_code(const uint8_t *insn, unsigned n)
{
	unsigned at = 0;

	put(&at, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57\x57", 11); /* push rbx rbp r12..r15 rdi */
	put(&at, "\xff\xb7\x80\x00\x00\x00\x9d", 7);                  /* push [rdi+128]; popf */
	for (unsigned r = 0; r < 16; r++) {
		uint8_t load[] = { (uint8_t)(0x48 | (r & 8) >> 1), 0x8b,
				   (uint8_t)(0x47 | (r & 7) << 3), (uint8_t)(8 * r) };

		if (r != 4 && r != 7)
			put(&at, (char *)load, 4);
	}
	put(&at, "\x48\x8b\x7f\x38", 4); /* mov rdi, [rdi+56] */
	slot = at;
	put(&at, (const char *)insn, n);
	put(&at, "\x57\x9c", 2);                 /* push rdi; pushf */
	put(&at, "\x48\x8b\x7c\x24\x10", 5);     /* mov rdi, [rsp+16] */
	put(&at, "\x8f\x87\x80\x00\x00\x00", 6); /* pop [rdi+128] */
	put(&at, "\x8f\x47\x38", 3);             /* pop [rdi+56] */
	for (unsigned r = 0; r < 16; r++) {
		uint8_t store[] = { (uint8_t)(0x48 | (r & 8) >> 1), 0x89,
				    (uint8_t)(0x47 | (r & 7) << 3), (uint8_t)(8 * r) };

		if (r != 4 && r != 7)
			put(&at, (char *)store, 4);
	}
	put(&at, "\x5f\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xfc\xc3", 13);
}

/* ---- one encoding ---------------------------------------------------------------------------------- */

#define ARITHMETIC 0x8d5u /* CF PF AF ZF SF OF */

static void compare(const char *name, const uint8_t *insn, unsigned n, uint64_t ignored_flags)
{
	static uint8_t before[sizeof(window)], native[sizeof(window)];

	make_code(insn, n);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct emul e = { .ops = &ops, .bits = 64, .nr_bytes = EMUL_MAX_BYTES };
		struct regs r;

		for (unsigned i = 0; i < 16; i++)
			r.gpr[i] = round % 4 ? next_random() : next_random() & 3;
		r.gpr[3] = (uint64_t)(uintptr_t)window + 2048;               /* rbx */
		r.gpr[6] = (uint64_t)(uintptr_t)window + 1024 + (round % 8); /* rsi */
		r.gpr[7] = (uint64_t)(uintptr_t)window + 3000 - (round % 8); /* rdi */
		r.gpr[1] &= 0xff;                     /* rcx: an index, a count */
		r.gpr[9] = next_random() % 512 - 256; /* r9: a bit number */
		r.rflags = 0x202 | (next_random() & ARITHMETIC);
		for (unsigned i = 0; i < sizeof(window); i++)
			window[i] = (uint8_t)(round % 3 ? next_random() : next_random() & 1);
		memcpy(before, window, sizeof(window));
		memcpy(e.gpr, r.gpr, sizeof(e.gpr));
		e.rflags = r.rflags;
		e.rip = 0x1000;
		memset(e.bytes, 0x90, sizeof(e.bytes));
		memcpy(e.bytes, insn, n);

		((void (*)(struct regs *))(uintptr_t)code)(&r);
		memcpy(native, window, sizeof(window));
		memcpy(window, before, sizeof(window));
		do {
			assert_int_equal(emulate(&e), EMUL_DONE);
		} while (e.rip == 0x1000);
		assert_int_equal(e.length, n);
		assert_int_equal(e.rip, 0x1000 + n);
		for (unsigned i = 0; i < 16; i++)
			if (i != 4 && e.gpr[i] != r.gpr[i])
				fail_msg("%s: register %u is %llx, natively %llx", name, i,
					 (unsigned long long)e.gpr[i], (unsigned long long)r.gpr[i]);
		if ((e.rflags ^ r.rflags) & ARITHMETIC & ~ignored_flags)
			fail_msg("%s: flags %llx, natively %llx", name,
				 (unsigned long long)e.rflags, (unsigned long long)r.rflags);
		if (memcmp(window, native, sizeof(window)))
			fail_msg("%s: memory differs", name);
	}
}

#define CASE(text, ignored, ...)                                \
	do {                                                    \
		static const uint8_t insn_[] = { __VA_ARGS__ }; \
		compare(text, insn_, sizeof(insn_), ignored);   \
	} while (0)
#define AF         0x10u
#define ALL_BUT_CF (ARITHMETIC & ~1u)

static void moves_agree_with_the_processor(void **unused)
{
	CASE("mov [rbx],eax", 0, 0x89, 0x03);
	CASE("mov eax,[rbx+8]", 0, 0x8b, 0x43, 0x08);
	CASE("mov r10,[rbx+rcx*4]", 0, 0x4c, 0x8b, 0x14, 0x8b);
	CASE("mov [rbx+disp32],r15", 0, 0x4c, 0x89, 0xbb, 0x40, 0x00, 0x00, 0x00);
	CASE("mov ah,[rbx]", 0, 0x8a, 0x23);
	CASE("mov spl,[rbx] by rex: sil", 0, 0x40, 0x8a, 0x33);
	CASE("mov [rbx],dh", 0, 0x88, 0x33);
	CASE("mov ax,[rbx]", 0, 0x66, 0x8b, 0x03);
	CASE("mov byte [rbx],imm", 0, 0xc6, 0x03, 0x85);
	CASE("mov word [rbx],imm", 0, 0x66, 0xc7, 0x03, 0x34, 0x92);
	CASE("mov dword [rbx],imm", 0, 0xc7, 0x03, 0x78, 0x56, 0x34, 0x92);
	CASE("mov qword [rbx],imm", 0, 0x48, 0xc7, 0x03, 0x78, 0x56, 0x34, 0x92);
	CASE("movzx eax,byte", 0, 0x0f, 0xb6, 0x03);
	CASE("movzx r8,word", 0, 0x4c, 0x0f, 0xb7, 0x03);
	CASE("movsx eax,byte", 0, 0x0f, 0xbe, 0x03);
	CASE("movsx rax,word", 0, 0x48, 0x0f, 0xbf, 0x03);
	CASE("movsxd rax,dword", 0, 0x48, 0x63, 0x03);
	CASE("xchg [rbx],rdx", 0, 0x48, 0x87, 0x13);
	CASE("xchg [rbx],cl", 0, 0x86, 0x0b);
}

static void arithmetic_agrees_with_the_processor(void **unused)
{
	CASE("add [rbx],al", 0, 0x00, 0x03);
	CASE("add [rbx],rax", 0, 0x48, 0x01, 0x03);
	CASE("adc [rbx],eax", 0, 0x11, 0x03);
	CASE("sbb eax,[rbx]", 0, 0x1b, 0x03);
	CASE("sbb byte [rbx],al", 0, 0x18, 0x03);
	CASE("sub rdx,[rbx]", 0, 0x48, 0x2b, 0x13);
	CASE("cmp [rbx],ax", 0, 0x66, 0x39, 0x03);
	CASE("cmp byte [rbx],imm", 0, 0x80, 0x3b, 0x7f);
	CASE("or [rbx],eax", AF, 0x09, 0x03);
	CASE("and eax,[rbx]", AF, 0x23, 0x03);
	CASE("xor [rbx],r9", AF, 0x4c, 0x31, 0x0b);
	CASE("and dword [rbx],imm8", AF, 0x83, 0x23, 0xf0);
	CASE("or qword [rbx],imm32", AF, 0x48, 0x81, 0x0b, 0x00, 0x00, 0x00, 0x80);
	CASE("adc byte [rbx],imm", 0, 0x80, 0x13, 0x01);
	CASE("test [rbx],eax", AF, 0x85, 0x03);
	CASE("test byte [rbx],imm", AF, 0xf6, 0x03, 0x80);
	CASE("test dword [rbx],imm", AF, 0xf7, 0x03, 0x00, 0x00, 0x00, 0x80);
	CASE("not dword [rbx]", 0, 0xf7, 0x13);
	CASE("neg qword [rbx]", 0, 0x48, 0xf7, 0x1b);
	CASE("inc dword [rbx]", 0, 0xff, 0x03);
	CASE("dec byte [rbx]", 0, 0xfe, 0x0b);
	CASE("xadd [rbx],eax", 0, 0x0f, 0xc1, 0x03);
	CASE("cmpxchg [rbx],ecx", 0, 0x0f, 0xb1, 0x0b);
	CASE("lock cmpxchg [rbx],r10", 0, 0xf0, 0x4c, 0x0f, 0xb1, 0x13);
	CASE("lock or dword [rbx],imm8", AF, 0xf0, 0x83, 0x0b, 0x04);
}

static void bit_operations_agree_with_the_processor(void **unused)
{
	CASE("bt dword [rbx],imm", ALL_BUT_CF, 0x0f, 0xba, 0x23, 0x05);
	CASE("bts dword [rbx],imm", ALL_BUT_CF, 0x0f, 0xba, 0x2b, 0x1f);
	CASE("btr qword [rbx],imm", ALL_BUT_CF, 0x48, 0x0f, 0xba, 0x33, 0x3f);
	CASE("btc word [rbx],imm", ALL_BUT_CF, 0x66, 0x0f, 0xba, 0x3b, 0x0f);
	CASE("bts [rbx],r9d", ALL_BUT_CF, 0x44, 0x0f, 0xab, 0x0b);
	CASE("btr [rbx],r9", ALL_BUT_CF, 0x4c, 0x0f, 0xb3, 0x0b);
	CASE("bt [rbx],r9w", ALL_BUT_CF, 0x66, 0x44, 0x0f, 0xa3, 0x0b);
}

static void strings_agree_with_the_processor(void **unused)
{
	CASE("movsb", 0, 0xa4);
	CASE("rep movsd", 0, 0xf3, 0xa5);
	CASE("rep movsb", 0, 0xf3, 0xa4);
	CASE("stosq", 0, 0x48, 0xab);
	CASE("rep stosb", 0, 0xf3, 0xaa);
	CASE("lodsw", 0, 0x66, 0xad);
}

/* ---- what the processor does not let us do here ------------------------------------------------------ */

static struct emul one(const char *bytes, unsigned n, unsigned bits)
{
	struct emul e = { .ops = &ops, .bits = (uint8_t)bits, .nr_bytes = (uint8_t)n };

	memcpy(e.bytes, bytes, n);
	return e;
}

static void control_registers_are_named(void **unused)
{
	struct emul e = one("\x0f\x22\xc0", 3, 64); /* mov cr0, rax */

	e.gpr[0] = 0x80000011;
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(written_cr, 0x80000011);
	cr0 = 0x8000001b;
	e = one("\x0f\x06", 2, 64); /* clts */
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(written_cr, 0x80000013);
	e = one("\x0f\x01\xf0", 3, 32); /* lmsw ax: PE stays */
	e.gpr[0] = 0;
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(written_cr, 0x80000011);
	e = one("\x0f\x22\x61", 3, 64); /* mov cr4, rcx, with a mod that is ignored */
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(which_cr, 4);
	assert_int_equal(e.rip, 3);
	e = one("\x0f\x20\xe1", 3, 64); /* mov rcx, cr4 */
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(e.gpr[1], cr0);
}

/* What a program put where the processor had met another instruction. */
static void control_registers_are_not_read_by_programs(void **unused)
{
	static const char *const privileged[] = { "\x0f\x20\xe1", "\x0f\x06\x90", "\x0f\x01\xf0" };
	struct emul e;

	user = true;
	for (unsigned i = 0; i < 3; i++) { /* mov rcx, cr4; clts; lmsw ax */
		struct emul was;

		e = was = one(privileged[i], 3, 64);
		written_cr = 99;
		assert_int_equal(emulate(&e), EMUL_FAULT);
		assert_int_equal(e.fault.vector, 13);
		assert_memory_equal(e.gpr, was.gpr, sizeof(e.gpr));
		assert_int_equal(e.rip, was.rip);
		assert_int_equal(written_cr, 99);
	}
	e = one("\x0f\x01\xe1", 3, 64); /* smsw ecx */
	assert_int_equal(emulate(&e), EMUL_DONE);
	user = false;
}

static void string_io_moves_between_port_and_memory(void **unused)
{
	struct emul e = one("\xf3\x6d", 2, 64); /* rep insd */
	uint32_t got;

	e.gpr[1] = 2;
	e.gpr[7] = (uint64_t)(uintptr_t)window;
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(e.rip, 0);
	assert_int_equal(e.gpr[1], 1);
	assert_int_equal(emulate(&e), EMUL_DONE);
	assert_int_equal(e.rip, 2);
	memcpy(&got, window + 4, 4);
	assert_int_equal(got, 0x5a5a5a5a);
}

static void sixteen_bit_addresses_wrap(void **unused)
{
	struct emul e = one("\x8a\x00", 2, 16); /* mov al, [bx+si] */

	e.gpr[3] = 0xfff0;
	e.gpr[6] = 0x20;
	e.base[EMUL_DS] = (uint64_t)(uintptr_t)window & 0xffffffff;
	window[0x10] = 0x77;
	/* The linear address is 32 bits wide there: only decoding is looked at. */
	(void)emulate(&e);
	assert_int_equal(e.fault.cr2,
			 (((uint64_t)(uintptr_t)window & 0xffffffff) + 0x10) & 0xffffffff);
}

static void cr8_has_two_encodings(void **state)
{
	static const struct {
		uint8_t bytes[4];
		bool write;
		unsigned cr;
	} insn[] = {
		{ { 0x44, 0x0f, 0x22, 0xc0 }, true, 8 }, /* REX.R */
		{ { 0xf0, 0x0f, 0x22, 0xc0 }, true, 8 }, /* LOCK */
		{ { 0xf0, 0x0f, 0x20, 0xc0 }, false, 8 },
		{ { 0x48, 0x0f, 0x22, 0xc0 }, true, 0 },
	};

	for (unsigned i = 0; i < sizeof(insn) / sizeof(insn[0]); i++) {
		struct emul e = { .ops = &ops, .bits = 64, .nr_bytes = EMUL_MAX_BYTES };

		memcpy(e.bytes, insn[i].bytes, sizeof(insn[i].bytes));
		e.gpr[0] = 5;
		cr0 = 7;
		assert_int_equal(emulate(&e), EMUL_DONE);
		assert_int_equal(which_cr, insn[i].cr);
		assert_int_equal(insn[i].write ? written_cr : e.gpr[0], insn[i].write ? 5 : 7);
		assert_int_equal(e.rip, 4);
	}
}

static void fault_changes_no_register(void **unused)
{
	struct emul e = one("\xf3\xa4", 2, 64), was; /* rep movsb from nowhere */

	e.gpr[1] = 5;
	e.gpr[6] = 0x1234;
	e.gpr[7] = (uint64_t)(uintptr_t)window;
	was = e;
	assert_int_equal(emulate(&e), EMUL_FAULT);
	assert_int_equal(e.fault.cr2, 0x1234);
	assert_memory_equal(e.gpr, was.gpr, sizeof(e.gpr));
	assert_int_equal(e.rip, was.rip);
}

static void short_instructions_ask_for_more(void **unused)
{
	static const char full[] = "\x48\xc7\x83\x44\x33\x22\x11\x01\x02\x03\x04";

	for (unsigned n = 1; n < sizeof(full) - 1; n++) {
		struct emul e = one(full, n, 64);

		assert_int_equal(emulate(&e), EMUL_BYTES);
	}
	for (unsigned i = 0; i < 1; i++) { /* prefixes without end are not an instruction */
		struct emul e = one("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66",
				    15, 64);

		assert_int_equal(emulate(&e), EMUL_UNKNOWN);
	}
}

static void wild_bytes_do_no_harm(void **unused)
{
	for (unsigned i = 0; i < 500000; i++) {
		struct emul e = { .ops = &ops, .bits = (uint8_t)(16u << i % 3), .nr_bytes = 15 };

		for (unsigned k = 0; k < 15; k++)
			e.bytes[k] = (uint8_t)next_random();
		for (unsigned k = 0; k < 16; k++)
			e.gpr[k] = (uint64_t)(uintptr_t)window + next_random() % sizeof(window);
		if (emulate(&e) == EMUL_DONE)
			assert_in_range(e.length, 1, 15);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_agree_with_the_processor),
		cmocka_unit_test(arithmetic_agrees_with_the_processor),
		cmocka_unit_test(bit_operations_agree_with_the_processor),
		cmocka_unit_test(strings_agree_with_the_processor),
		cmocka_unit_test(control_registers_are_named),
		cmocka_unit_test(control_registers_are_not_read_by_programs),
		cmocka_unit_test(string_io_moves_between_port_and_memory),
		cmocka_unit_test(sixteen_bit_addresses_wrap),
		cmocka_unit_test(cr8_has_two_encodings),
		cmocka_unit_test(fault_changes_no_register),
		cmocka_unit_test(short_instructions_ask_for_more),
		cmocka_unit_test(wild_bytes_do_no_harm),
	};

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (code == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
