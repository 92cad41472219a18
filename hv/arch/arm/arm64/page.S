/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void page_clear(void *page): by the instruction that clears a block of the data cache, of 64 bytes on most
 * CPUs (DCZID_EL0 tells), four to a turn; by stores where it is switched off.
 */
	.section .text.page_clear, "ax"
	.balign	64
	.globl	page_clear
	.type	page_clear, %function
page_clear:
	mrs	x1, dczid_el0
	add	x3, x0, #0x1000
	tbnz	x1, #4, 2f		/* DZP: prohibited */
	mov	x2, #4
	lsl	x1, x2, x1		/* bytes; above the size in words there are only zeroes */
	cmp	x1, #0x400
	b.hi	2f			/* four of them would pass the page's end */
1:	dc	zva, x0
	add	x0, x0, x1
	dc	zva, x0
	add	x0, x0, x1
	dc	zva, x0
	add	x0, x0, x1
	dc	zva, x0
	add	x0, x0, x1
	cmp	x0, x3
	b.lo	1b
	ret
2:	stp	xzr, xzr, [x0]
	stp	xzr, xzr, [x0, #16]
	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	add	x0, x0, #64
	cmp	x0, x3
	b.lo	2b
	ret
	.size	page_clear, . - page_clear
