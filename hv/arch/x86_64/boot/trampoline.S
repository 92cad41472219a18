/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a CPU started by INIT and STARTUP begins: real mode, at the start of a page below 1 MiB to which this is
 * copied. Goes to protected mode, joins head.S's way into long mode on the boot tables, then to x86_cpu_start().
 */
#include <asm/layout.h>
#include <asm/msr.h>

#define MACHINE(x) ((x) - IMAGE_VIRTUAL)

	.section .rodata.trampoline, "a"
	.balign	16
	.code16
	.globl	trampoline, trampoline_end, trampoline_far
trampoline:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	trampoline_gdtr - trampoline
	movl	$(CR0_PE | CR0_ET), %eax
	movl	%eax, %cr0
	ljmpl	*(trampoline_far - trampoline)
	.balign	4
trampoline_far:
	.long	MACHINE(cpu_start32)
	.short	0x18
	.balign	4
trampoline_gdtr:
	.short	4 * 8 - 1
	.long	MACHINE(trampoline_gdt)
trampoline_end:

	.section .boot.data, "aw"
	.balign	8
trampoline_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE: 64-bit */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
	.quad	0x00cf9b000000ffff	/* 32-bit code, for the step between */
trampoline_gdtr64:
	.short	4 * 8 - 1
	.quad	trampoline_gdt

	.section .boot.text, "ax"
	.code32
cpu_start32:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$MACHINE(boot_pml4), %eax
	movl	%eax, %cr3
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl	$(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE, $MACHINE(cpu_start64)

	.code64
cpu_start64:
	movabsq	$1f, %rax
	jmpq	*%rax
1:	lgdtq	trampoline_gdtr64
	/* Only these tables map the way here; the final ones map what follows. The stack comes with the CPU's area. */
	movq	starting_cpu_root, %rcx
	movq	starting_cpu_stack, %rsp
	movq	%rcx, %cr3
	movq	starting_cpu, %rdi
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	xorl	%ebp, %ebp
	call	x86_cpu_start
	ud2
