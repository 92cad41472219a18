/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare guest for bench/: Linux Image header, one stack per vCPU, no MMU. x0 of a secondary vCPU
 * (PSCI's context) is its number. At offset 0x800 is the vector table, and in its unused first slots
 * (0x804) the marker, by whose address the trace counts iterations.
 */
	.section .head, "ax"
	.globl _start
_start:	b	primary
	nop
	.quad	0		/* text_offset: any 2 MiB boundary */
	.quad	_end - _start
	.quad	0xa		/* little-endian, 4 KiB pages, placed anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

primary:
	mov	x0, #0
	.globl secondary
secondary:
	adr	x1, vectors
	msr	vbar_el1, x1
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x0, #1
	add	x1, x1, x2, lsl #12
	mov	sp, x1
	isb
	bl	guest_main
1:	wfi
	b	1b

	.balign	0x800
vectors:
	b	.
	.globl marker
marker:				/* _start + 0x804 */
	ret
	/* current level with its own stack: interrupt */
	.org	vectors + 0x280
	sub	sp, sp, #192
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x29, [sp, #144]
	str	x30, [sp, #160]
	bl	guest_irq
	ldp	x0, x1, [sp, #0]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x29, [sp, #144]
	ldr	x30, [sp, #160]
	add	sp, sp, #192
	eret
	.org	vectors + 0x800

	.globl hypercall
hypercall:			/* (a0, a1, a2, number) */
	mov	x16, x3
	hvc	#0xea1
	ret

	.globl psci
psci:				/* (function, a1, a2, a3) */
	hvc	#0
	ret

	.bss
	.balign	4096
stacks:	.skip	4 * 4096
