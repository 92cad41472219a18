/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's first instructions: Linux Image header, an identity mapping (the lowest GiB as device
 * memory, the rest as RAM), a stack for each vCPU, vectors. Code runs at the address where it was put,
 * with relative addressing only. x0 of a secondary vCPU is its number.
 */
	.section .head, "ax"
	.globl	_start
_start:	b	primary
	nop
	.quad	0			/* text_offset: any 2 MiB boundary */
	.quad	_end - _start
	.quad	0xa			/* little-endian, 4 KiB pages, placed anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

primary:
	adr	x1, boot_args
	stp	x0, xzr, [x1]
	adrp	x0, tables		/* 1 GiB blocks: bit 0 valid, 10 access flag, 9..8 inner */
	add	x0, x0, :lo12:tables
	mov	x1, #0x401		/* device, then normal: attribute 1 */
	str	x1, [x0]
	mov	x2, #1
	mov	x3, #0x705
1:	lsl	x1, x2, #30
	orr	x1, x1, x3
	str	x1, [x0, x2, lsl #3]
	add	x2, x2, #1
	cmp	x2, #512
	b.ne	1b
	mov	x0, #0
	.globl	secondary
secondary:
	mov	x1, #0xff00		/* attribute 0 nGnRnE, 1 write-back */
	msr	mair_el1, x1
	adr	x1, tcr
	ldr	x1, [x1]
	msr	tcr_el1, x1
	adrp	x1, tables
	add	x1, x1, :lo12:tables
	msr	ttbr0_el1, x1
	mov	x1, #(3 << 20)		/* CPACR_EL1.FPEN */
	msr	cpacr_el1, x1
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	isb
	tlbi	vmalle1
	dsb	nsh
	adr	x1, sctlr
	ldr	x1, [x1]
	msr	sctlr_el1, x1
	isb
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x0, #1
	add	x1, x1, x2, lsl #13
	mov	sp, x1
	msr	tpidr_el1, x0
	cbnz	x0, 2f
	bl	guest_start
2:	bl	guest_secondary
3:	wfi
	b	3b

	.balign	16
	.globl	boot_args
boot_args: .quad 0, 0			/* x0: device tree */
	/* T0SZ 25, walks cacheable, inner, 4 KiB, EPD1, 40-bit addresses */
tcr:	.quad	25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32
	/* reserved-one bits, M, C, I */
sctlr:	.quad	0x30d00800 | 1 << 0 | 1 << 2 | 1 << 12

	.text
	.macro	save
	sub	sp, sp, #272
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x0, elr_el1
	mrs	x1, spsr_el1
	stp	x30, x0, [sp, #240]
	str	x1, [sp, #256]
	mov	x0, sp
	.endm

	.macro	vector name, arg
	.balign	0x80
	save
	mov	x1, #\arg
	bl	\name
	b	back
	.endm

	.balign	0x800
vectors:
	.rept	4			/* with SP_EL0: never selected */
	vector	guest_trap, 4
	.endr
	vector	guest_trap, 0
	vector	guest_interrupt, 0
	vector	guest_interrupt, 0
	vector	guest_trap, 3
	.rept	8			/* from EL0 */
	vector	guest_trap, 5
	.endr

back:
	ldp	x30, x0, [sp, #240]
	ldr	x1, [sp, #256]
	msr	elr_el1, x0
	msr	spsr_el1, x1
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	add	sp, sp, #272
	eret

	.globl	hypercall
hypercall:				/* (number, a0, a1, a2, a3, a4) */
	mov	x16, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	hvc	#0xea1
	ret

	.globl	smc
smc:					/* (function, a1, a2, a3) */
	smc	#0
	ret
	.globl	psci
psci:					/* (function, a1, a2, a3) */
	hvc	#0
	ret

	.bss
	.balign	4096
tables:	.space	4096
stacks:	.space	8192 * 8
