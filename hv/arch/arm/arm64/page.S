/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void page_clear(void *page): zeroes, and not in the data cache only but in memory. A guest may look at its RAM with its
 * caches off, and a line that is still dirty would overwrite what it then writes. Free memory that has been
 * cleared stays so, and nothing is to be done when a frame becomes a guest's.
 *
 * By the instruction that clears a block of the data cache, of 64 bytes on most CPUs (DCZID_EL0 tells), each
 * block then cleaned to the point of coherency, four to a turn; by stores where that instruction is switched off or a
 * block is more than one line (CTR_EL0.DminLine).
 */
	.section .text.page_clear, "ax"
	.balign	64
	.globl	page_clear
	.type	page_clear, %function
page_clear:
	mrs	x1, dczid_el0
	mrs	x4, ctr_el0
	mov	x2, #4
	ubfx	x4, x4, #16, #4
	lsl	x4, x2, x4		/* bytes of a line */
	add	x3, x0, #0x1000
	tbnz	x1, #4, 2f		/* DZP: prohibited */
	lsl	x1, x2, x1		/* bytes of a block; above the size in words there are only zeroes */
	cmp	x1, x4
	b.hi	2f
	cmp	x1, #0x400
	b.hi	2f			/* four of them would pass the page's end */
1:	dc	zva, x0
	dc	cvac, x0
	add	x0, x0, x1
	dc	zva, x0
	dc	cvac, x0
	add	x0, x0, x1
	dc	zva, x0
	dc	cvac, x0
	add	x0, x0, x1
	dc	zva, x0
	dc	cvac, x0
	add	x0, x0, x1
	cmp	x0, x3
	b.lo	1b
	dsb	sy
	ret
2:	mov	x2, x0
3:	stp	xzr, xzr, [x0]
	stp	xzr, xzr, [x0, #16]
	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	add	x0, x0, #64
	cmp	x0, x3
	b.lo	3b
4:	dc	cvac, x2
	add	x2, x2, x4
	cmp	x2, x3
	b.lo	4b
	dsb	sy
	ret
	.size	page_clear, . - page_clear

/*
 * void arch_copy_page(void *dst, const void *src) (arch/memory.h): each line is cleaned and invalidated to the point of coherency
 * as soon as it is written, which spares a loop of its own. Where lines have less than 64 bytes (CTR_EL0.DminLine), all once more.
 */
	.section .text.arch_copy_page, "ax"
	.balign	16
	.globl	arch_copy_page
	.type	arch_copy_page, %function
arch_copy_page:
	mrs	x2, ctr_el0
	add	x3, x0, #0x1000
	.macro	copy_line
	ldp	x6, x7, [x1, #16]
	ldp	x8, x9, [x1, #32]
	ldp	x10, x11, [x1, #48]
	ldp	x4, x5, [x1], #64
	stp	x4, x5, [x0]
	stp	x6, x7, [x0, #16]
	stp	x8, x9, [x0, #32]
	stp	x10, x11, [x0, #48]
	dc	civac, x0
	add	x0, x0, #64
	.endm
1:	copy_line
	copy_line
	cmp	x0, x3
	b.lo	1b
	ubfx	x2, x2, #16, #4
	cmp	x2, #4			/* 4 << 4 bytes */
	b.lo	2f
	dsb	sy
	ret
2:	sub	x0, x0, #0x1000
	mov	x1, #0x1000
	b	arch_clean_invalidate_dcache
	.size	arch_copy_page, . - arch_copy_page
