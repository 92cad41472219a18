/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's first instructions: PVH entry (32-bit, paging off), an identity mapping of 4 GiB, long mode, a stack for each vCPU, 256
 * vectors. A secondary vCPU enters at `secondary` in long mode with its number in rdi.
 */
	.section .note.Xen, "a", @note
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	start32

	.section .head, "ax"
	.code32
	.globl	start32
start32:
	cld
	movl	$0, %ecx		/* 2048 pages of 2 MiB */
1:	movl	%ecx, %eax
	shll	$21, %eax
	orl	$0x83, %eax
	movl	%eax, directory(, %ecx, 8)
	incl	%ecx
	cmpl	$2048, %ecx
	jb	1b
	movl	$(pointers + 3), tables
	movl	$(directory + 0x0003), pointers
	movl	$(directory + 0x1003), pointers + 8
	movl	$(directory + 0x2003), pointers + 16
	movl	$(directory + 0x3003), pointers + 24
	movl	$tables, %eax
	movl	%eax, %cr3
	movl	$0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	$0x80010033, %eax	/* PG, WP, NE, ET, MP, PE */
	movl	%eax, %cr0
	lgdtl	gdtr
	xorl	%edi, %edi
	ljmpl	$8, $start64

	.code64
	.globl	secondary
secondary:
	lgdt	gdtr
	pushq	$8
	pushq	$start64
	lretq
start64:
	xorl	%eax, %eax
	movl	%eax, %ss
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	lidt	idtr
	leal	1(%edi), %eax
	shll	$13, %eax
	leaq	stacks(%rax), %rsp
	xorl	%ebp, %ebp
	testl	%edi, %edi
	jz	2f
	call	guest_secondary
2:	call	guest_start
3:	cli
	hlt
	jmp	3b

	.data
	.balign	16
	.globl	gdt
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.quad	0x00cf9b000000ffff	/* 0x18: 32-bit code */
	.quad	0, 0, 0, 0		/* tests' own: 0x20 on */
gdt_end:
	.word	0, 0, 0
	.globl	gdtr
gdtr:	.word	gdt_end - gdt - 1
	.quad	gdt
	.word	0, 0, 0
	.globl	idtr
idtr:	.word	0xfff
	.quad	idt

	.text
	.altmacro
	.macro	stub n
	.balign	16
	.if	(\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
	nop
	nop
	.else
	pushq	$0
	.endif
	pushq	$\n
	jmp	common
	.endm
	.balign	16
	.globl	vectors
vectors:
	.set	i, 0
	.rept	256
	stub	%i
	.set	i, i + 1
	.endr
	.noaltmacro

common:
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%r11
	pushq	%r10
	pushq	%r9
	pushq	%r8
	pushq	%rdi
	pushq	%rsi
	pushq	%rbp
	pushq	%rbx
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	cld
	movq	%rsp, %rdi
	call	guest_vector
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rbx
	popq	%rbp
	popq	%rsi
	popq	%rdi
	popq	%r8
	popq	%r9
	popq	%r10
	popq	%r11
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	addq	$16, %rsp
	iretq

	.globl	hypercall
hypercall:				/* (number, a0, a1, a2, a3, a4) */
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	vmmcall
	ret

	/* Run the code at rdi; where it traps, go on at the end of it. True: it trapped. */
	.globl	run_code
run_code:				/* (code) */
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, trap_stack
	movq	$1f, trap_resume
	call	*%rdi
	movq	$0, trap_resume
	xorl	%eax, %eax
	jmp	2f
1:	movl	$1, %eax
2:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.bss
	.balign	4096
	.globl	idt, tables, directory
tables:	.space	4096
pointers: .space 4096
directory: .space 4 * 4096
idt:	.space	4096
stacks:	.space	8192 * 9
