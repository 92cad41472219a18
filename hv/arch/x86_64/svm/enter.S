/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svm_enter: load a vCPU's registers, run it until its next exit, save them. rdi: struct vcpu, rsi: struct cpu; both come back. Not of C's
 * convention: all other registers but rbp and rsp are lost, which its one caller (exit.c) says to the compiler.
 *
 * VMRUN keeps rax, rsp, rip and rflags itself; VMLOAD and VMSAVE move FS, GS, TR, LDTR and the system-call MSRs. Called with
 * interrupts off: GIF is clear from CLGI to STGI, and IF is set inside, so that an interrupt that comes ends
 * the guest's run instead of being taken here (APM vol. 2, 15.5, 15.17).
 */
#include <asm/msr.h>
#include <asm/offsets.h>

	.text
	.globl	svm_enter
	.type	svm_enter, @function
svm_enter:
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	clgi
	movq	VCPU_VMCB(%rdi), %rax
	movq	REGS_RSI(%rdi), %rsi
	movq	REGS_RDX(%rdi), %rdx
	movq	REGS_R10(%rdi), %r10
	movq	REGS_R8(%rdi), %r8
	movq	REGS_R9(%rdi), %r9
	movq	REGS_RCX(%rdi), %rcx
	movq	REGS_RBX(%rdi), %rbx
	movq	REGS_RBP(%rdi), %rbp
	movq	REGS_R11(%rdi), %r11
	movq	REGS_R12(%rdi), %r12
	movq	REGS_R13(%rdi), %r13
	movq	REGS_R14(%rdi), %r14
	movq	REGS_R15(%rdi), %r15
	movq	REGS_RDI(%rdi), %rdi
	sti
	vmload	%rax
	.globl	svm_vmrun
svm_vmrun:
	vmrun	%rax
	.globl	svm_exit
svm_exit:
	vmsave	%rax
	movq	(%rsp), %rax
	movq	%rdi, REGS_RDI(%rax)
	movq	%rsi, REGS_RSI(%rax)
	movq	%rdx, REGS_RDX(%rax)
	movq	%r10, REGS_R10(%rax)
	movq	%r8, REGS_R8(%rax)
	movq	%r9, REGS_R9(%rax)
	movq	%rcx, REGS_RCX(%rax)
	movq	%rbx, REGS_RBX(%rax)
	movq	%rbp, REGS_RBP(%rax)
	movq	%r11, REGS_R11(%rax)
	movq	%r12, REGS_R12(%rax)
	movq	%r13, REGS_R13(%rax)
	movq	%r14, REGS_R14(%rax)
	movq	%r15, REGS_R15(%rax)
	popq	%rdi
	popq	%rsi
	/* On CPUs that need it a jump to svm_forget overwrites this instruction at boot (svm.c), so that others pay nothing. */
	.globl	svm_host_block
svm_host_block:
	movq	CPU_HOST_VMCB(%rsi), %rax
.Lhost_block_known:
	vmload	%rax
	cli
	stgi
	popq	%rbp
	ret

/*
 * What the guest taught is forgotten before the first RET behind its exit, GIF still clear: the return stack is filled with places that
 * end speculation, 32 of them, as many as any AMD CPU predicts from; then SPEC_CTRL is written where IBRS wants that. rcx, rdx are free.
 */
	.globl	svm_forget
	.type	svm_forget, @function
svm_forget:
	movl	$16, %ecx
1:	call	2f
	int3
2:	call	3f
	int3
3:	decl	%ecx
	jnz	1b
	addq	$(32 * 8), %rsp
	movl	svm_exit_spec_ctrl(%rip), %eax
	testl	%eax, %eax
	jz	4f
	movl	$MSR_SPEC_CTRL, %ecx
	xorl	%edx, %edx
	wrmsr
4:	lfence	/* neither of the two jumps above was guessed past this */
	movq	CPU_HOST_VMCB(%rsi), %rax
	jmp	.Lhost_block_known
