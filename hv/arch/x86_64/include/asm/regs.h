/* SPDX-License-Identifier: Apache-2.0 */
/*
 * General registers of a guest, saved by enter.S at each exit. The first six are a hypercall's arguments in order, so that
 * hypercall() works on them in place. rsp, rip and rflags are the processor's to save: hvm.h's accessors.
 */
#ifndef ASM_REGS_H
#define ASM_REGS_H

#include <stdint.h>

struct guest_regs {
	uint64_t rdi, rsi, rdx, r10, r8, r9;
	uint64_t rax, rcx, rbx, rbp, r11, r12, r13, r14, r15;
};

#endif
