/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction emulator: a pure function of registers, instruction bytes and memory call-backs. It knows what kernels use on device memory, and
 * the few instructions that exit without telling their operands. Nothing is kept between calls: an access that cannot be
 * answered yet ends the call with EMUL_WAIT and no register changed, and the instruction is emulated again later.
 */
#ifndef ASM_EMUL_H
#define ASM_EMUL_H

#include <hv/compiler.h>

#define EMUL_MAX_BYTES 15u

enum emul_result {
	EMUL_DONE, /* registers hold the result, rip points behind (or at it: REP with more to do) */
	EMUL_BYTES,   /* the instruction is longer than what was given */
	EMUL_UNKNOWN, /* not one that is emulated */
	EMUL_FAULT,   /* an exception for the guest: in `fault` */
	EMUL_WAIT,    /* a call-back wants to be asked again later */
};

enum emul_seg { EMUL_ES, EMUL_CS, EMUL_SS, EMUL_DS, EMUL_FS, EMUL_GS };

struct emul;

/* Call-backs return EMUL_DONE, EMUL_FAULT (fault filled in), or EMUL_WAIT. `va` is linear; 1, 2, 4 or 8 bytes, the rest of a value is 0. */
struct emul_ops {
	enum emul_result (*read)(struct emul *e, uint64_t va, unsigned size, uint64_t *value);
	enum emul_result (*write)(struct emul *e, uint64_t va, unsigned size, uint64_t value);
	enum emul_result (*port)(struct emul *e, uint16_t port, unsigned size, bool write,
				 uint32_t *value);
	/* `status`: for SMSW, which programs of the guest may execute too where CR4.UMIP lets them. */
	enum emul_result (*read_cr)(struct emul *e, unsigned n, bool status, uint64_t *value);
	enum emul_result (*write_cr)(struct emul *e, unsigned n, uint64_t value);
};

struct emul {
	const struct emul_ops *ops;
	void *ctx;
	/* In and out. Order of gpr: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
	uint64_t gpr[16], rip, rflags;
	/* In. */
	uint8_t bits;     /* 16, 32, 64: the code segment's default */
	uint64_t base[6]; /* of segments by enum emul_seg; in 64-bit mode only FS's and GS's count */
	uint8_t bytes[EMUL_MAX_BYTES], nr_bytes;
	/* Out. */
	struct {
		uint8_t vector;
		int64_t error; /* -1: none */
		uint64_t cr2;
	} fault;
	uint8_t length; /* of the instruction */
};

/* One instruction, or one step of a repeated one. */
enum emul_result emulate(struct emul *e);

#endif
