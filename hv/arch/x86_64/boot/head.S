/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three ways in, all 32-bit with paging off: multiboot1 (eax 2badb002, ebx info), multiboot2 (eax 36d76289, ebx
 * info), PVH (ebx start_info). Each arrives in start32 with a magic number in eax and the address in ebx. Builds the first
 * tables (identity and direct map of 4 GiB, the image at its link address), enters long mode and calls
 * x86_boot(magic, address). Multiboot 0.6.96; Multiboot2 2.0; Xen's PVH entry (xen/arch-x86/hvm/start_info.h).
 */
#include <asm/layout.h>
#include <asm/msr.h>

#define MACHINE(x) ((x) - IMAGE_VIRTUAL)

#define MB1_MAGIC	0x1badb002
#define MB1_FLAGS	0x00010003 /* page-aligned modules, memory map, address fields */
#define MB2_MAGIC	0xe85250d6
#define PVH_BOOT	0x336ec578 /* XEN_HVM_START_MAGIC_VALUE */

	.section .boot.header, "ax"
	.balign 8
mb1_header:
	.long	MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	.long	MACHINE(mb1_header), load_machine, load_end_machine, bss_end_machine
	.long	MACHINE(start32)

	.balign 8
mb2_header:
	.long	MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + (mb2_end - mb2_header))
	.short	2, 0		/* addresses */
	.long	24, MACHINE(mb2_header), load_machine, load_end_machine, bss_end_machine
	.short	3, 0		/* entry */
	.long	12, MACHINE(start32)
	.balign 8
	.short	6, 0		/* modules on page boundaries */
	.long	8
	.short	0, 0
	.long	8
mb2_end:

	.section .note.Xen, "a", @note
	.long	4, 4, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	MACHINE(start_pvh)

	.section .boot.text, "ax"
	.code32
	.globl	start32
start_pvh:
	movl	$PVH_BOOT, %eax
start32:
	cli
	cld
	movl	$MACHINE(boot_stack_top), %esp
	movl	%eax, %edi		/* the arguments of x86_boot */
	movl	%ebx, %esi

	/* Long mode and NX, or say so on COM1. */
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	btl	$29, %edx
	jnc	no_long_mode
	btl	$20, %edx
	jnc	no_nx

	/* 4 GiB in pages of 2 MiB: present, writable, large. */
	movl	$MACHINE(boot_pd), %ebx
	movl	$0x83, %eax
1:	movl	%eax, (%ebx)
	addl	$8, %ebx
	addl	$0x200000, %eax
	jnc	1b

	/* The upper levels: at 0, at DIRECT_BASE (entry 256), at IMAGE_VIRTUAL (511, then 510). */
	movl	$(MACHINE(boot_pdpt) + 3), MACHINE(boot_pml4)
	movl	$(MACHINE(boot_pdpt) + 3), MACHINE(boot_pml4) + 256 * 8
	movl	$(MACHINE(boot_pdpt_image) + 3), MACHINE(boot_pml4) + 511 * 8
	movl	$(MACHINE(boot_pd) + 3), MACHINE(boot_pdpt_image) + 510 * 8
	movl	$(MACHINE(boot_pd) + 0x0003), MACHINE(boot_pdpt)
	movl	$(MACHINE(boot_pd) + 0x1003), MACHINE(boot_pdpt) + 8
	movl	$(MACHINE(boot_pd) + 0x2003), MACHINE(boot_pdpt) + 16
	movl	$(MACHINE(boot_pd) + 0x3003), MACHINE(boot_pdpt) + 24

	.globl	enter_long_mode
enter_long_mode:
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
	lgdtl	MACHINE(boot_gdtr)
	ljmpl	$SEL_CODE, $MACHINE(start64)

no_long_mode:
	movl	$MACHINE(no_long_mode_text), %esi
	jmp	say
no_nx:
	movl	$MACHINE(no_nx_text), %esi
say:
	lodsb
	testb	%al, %al
	jz	2f
	movb	%al, %ah
	movw	$0x3fd, %dx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	say
2:	hlt
	jmp	2b

	.code64
start64:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movabsq	$1f, %rax
	jmpq	*%rax
1:	movq	$boot_stack_top, %rsp
	movq	$boot_gdtr_high, %rax
	lgdtq	(%rax)
	movl	%edi, %edi
	movl	%esi, %esi
	xorl	%ebp, %ebp
	call	x86_boot
	ud2

	.section .boot.data, "aw"
no_long_mode_text:
	.asciz	"Krypton needs a 64-bit CPU: this one has no long mode.\r\n"
no_nx_text:
	.asciz	"Krypton needs a CPU with execute-disable (NX): this one has none.\r\n"

	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE: 64-bit, accessed */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
boot_gdt_end:
boot_gdtr:
	.short	boot_gdt_end - boot_gdt - 1
	.long	MACHINE(boot_gdt)
	.balign 8
boot_gdtr_high:
	.short	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt

	.section .bss
	.balign 4096
	.globl	boot_pml4
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pdpt_image:
	.skip	4096
boot_pd:
	.skip	4 * 4096
	.globl	boot_stack_top
	.skip	16384
boot_stack_top:
