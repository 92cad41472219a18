/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where CPUs begin, with the MMU off, at machine addresses: the boot CPU as an arm64 Linux Image
 * does (x0: device tree), the others as PSCI starts them (x0: virtual address of their struct cpu).
 * Each switches the MMU on from one identity-mapped page and goes on in C at the linked address.
 */
#include <asm/layout.h>
#include <asm/offsets.h>
#include <asm/sysreg.h>

	.section .head.text, "ax"

	/* Linux Documentation/arm64/booting.rst, 4: the header. */
	b	primary_start
	.long	0
	.quad	0			/* text_offset: the image may start at any 2 MiB */
	.quad	_image_size
	.quad	0xa			/* little endian, 4 KiB pages, anywhere in memory */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.type	primary_start, %function
primary_start:
	msr	daifset, #0xf
	mov	x19, x0
	adrp	x20, _start
	/* The loader cleaned from the caches what it loaded; the stack is beyond that. */
	adrp	x1, boot_stack_top
	sub	x2, x1, #0x1000
	mrs	x3, ctr_el0
	ubfx	x3, x3, #16, #4		/* DminLine: words of the smallest line */
	mov	x4, #4
	lsl	x3, x4, x3
1:	dc	ivac, x2
	add	x2, x2, x3
	cmp	x2, x1
	b.lo	1b
	dsb	sy
	mov	sp, x1
	mov	x29, xzr
	mrs	x1, CurrentEL
	lsr	x1, x1, #2
	cmp	x1, #2
	b.ne	wrong_level
	bl	early_reset_level
	bl	early_map
	adrp	x0, switch_root
	ldr	x1, =primary_mapped
	b	mmu_on
wrong_level:
	mov	x0, x19
	bl	early_wrong_level
1:	wfe
	b	1b
	.size	primary_start, . - primary_start

	.type	secondary_start, %function
	.globl	secondary_start
secondary_start:
	msr	daifset, #0xf
	mov	x19, x0
	bl	early_reset_level
	adrp	x0, switch_root
	ldr	x1, =secondary_mapped
	b	mmu_on
	.size	secondary_start, . - secondary_start

	/* What a switched-off EL2 may hold is unknown: MMU off, E2H and TGE off, nothing trapped. */
	.type	early_reset_level, %function
early_reset_level:
	ldr	x1, =HCR_HOST
	msr	hcr_el2, x1
	isb
	ldr	x1, =SCTLR_EL2_OFF
	msr	sctlr_el2, x1
	mov	x1, #0x33ff		/* the reserved-one bits: FP, SVE and trace not trapped */
	msr	cptr_el2, x1
	msr	vttbr_el2, xzr
	isb
	ret
	.size	early_reset_level, . - early_reset_level

	/*
	 * x0: top-level table (machine address), x1: where to go on (virtual). This function is the
	 * one that is identity-mapped; it must not cross a page.
	 */
	.balign	128
	.type	mmu_on, %function
	.globl	mmu_on
mmu_on:
	msr	ttbr0_el2, x0
	ldr	x2, =MAIR_EL2_VALUE
	msr	mair_el2, x2
	ldr	w2, =TCR_EL2_VALUE
	mrs	x3, id_aa64mmfr0_el1
	and	x3, x3, #0xf		/* PARange; above 48 bits the granule would have to change */
	cmp	x3, #5
	mov	x4, #5
	csel	x3, x4, x3, hi
	orr	x2, x2, x3, lsl #TCR_EL2_PS_SHIFT
	msr	tcr_el2, x2
	isb
	tlbi	alle2
	ic	iallu
	dsb	nsh
	isb
	ldr	x2, =SCTLR_EL2_ON
	msr	sctlr_el2, x2
	isb
	br	x1
	.size	mmu_on, . - mmu_on

	.ltorg

	.section .boot.text, "ax"

	/* From here on at virtual addresses. The identity mapping goes with the tables that had it. */
	.type	primary_mapped, %function
primary_mapped:
	adrp	x0, _boot_bss		/* boot-only data, the stack among it, then .bss */
	adrp	x1, _bss_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	ldr	x1, =_start
	sub	x1, x20, x1
	adrp	x0, image_offset
	str	x1, [x0, :lo12:image_offset]
	bl	leave_switch_tables
	adrp	x0, boot_stack_top
	mov	sp, x0
	mov	x0, x19
	bl	arch_main
	.size	primary_mapped, . - primary_mapped

	.section .text.secondary_mapped, "ax"

	.type	secondary_mapped, %function
secondary_mapped:
	bl	leave_switch_tables
	msr	tpidr_el2, x19
	ldr	x0, [x19, #CPU_STACK_TOP]
	mov	sp, x0
	mov	x29, xzr
	mov	x0, x19
	bl	secondary_main
	.size	secondary_mapped, . - secondary_mapped

	.type	leave_switch_tables, %function
leave_switch_tables:
	adrp	x0, host_root
	adrp	x1, image_offset
	ldr	x1, [x1, :lo12:image_offset]
	add	x0, x0, x1
	msr	ttbr0_el2, x0
	isb
	tlbi	alle2
	dsb	nsh
	isb
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el2, x0
	isb
	ret
	.size	leave_switch_tables, . - leave_switch_tables

	/* void switch_stack(uint64_t top, void (*next)(void)): never returns. */
	.section .boot.text, "ax"
	.type	switch_stack, %function
	.globl	switch_stack
switch_stack:
	mov	sp, x0
	mov	x29, xzr
	mov	x30, xzr
	br	x1
	.size	switch_stack, . - switch_stack

	.section .bss..boot, "aw", %nobits
	.balign	0x1000
	.space	0x4000
	.globl	boot_stack_top
boot_stack_top:
