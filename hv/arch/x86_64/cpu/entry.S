/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts that the hypervisor itself takes. Guests never come this way: their exits
 * end behind VMRUN (svm/enter.S). Interrupts arrive only in the windows that idle and the exit path open (interrupt_window()), where nothing
 * but the stack needs to be kept.
 */
#include <asm/layout.h>

	.text
	.code64

	.macro stub vector
	.balign	16
	.if \vector >= 32
	pushq	$\vector
	jmp	call_interrupt
	.else
	.if (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
	.else
	pushq	$0		/* these push no error code */
	.endif
	pushq	$\vector
	jmp	save_and_call
	.endif
	.endm

	.globl	trap_stubs
	.balign	16
trap_stubs:
	.altmacro
	.set	i, 0
	.rept	256
	stub	%i
	.set	i, i + 1
	.endr
	.noaltmacro

	.type	call_interrupt, @function
call_interrupt:
	movl	(%rsp), %edi
	call	apic_interrupt
	addq	$8, %rsp
	iretq

	.type	save_and_call, @function
save_and_call:
	cld
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %rdi
	call	trap
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$16, %rsp
	iretq

	/* bool rdmsr_safe(uint32_t msr, uint64_t *value): a fault at msr_read goes on at msr_failed. */
	.globl	rdmsr_safe, wrmsr_safe, msr_read, msr_write, msr_failed
	.type	rdmsr_safe, @function
rdmsr_safe:
	movl	%edi, %ecx
msr_read:
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	movl	$1, %eax
	ret
	.type	wrmsr_safe, @function
wrmsr_safe:
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
msr_write:
	wrmsr
	movl	$1, %eax
	ret
msr_failed:
	xorl	%eax, %eax
	ret
