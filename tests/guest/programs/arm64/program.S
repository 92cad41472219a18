/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions to run at EL0, each followed by SVC. enter_program(pc) returns what ended it (ESR_EL1). */
	.text
	.globl	enter_program
enter_program:
	stp	x29, x30, [sp, #-16]!
	msr	elr_el1, x0
	mov	x1, #0x3c0		/* EL0, interrupts off */
	msr	spsr_el1, x1
	eret

	/* From guest_trap(): back to who entered, on EL1's stack. */
	.globl	program_ended
program_ended:
	mov	sp, x1
	mrs	x0, esr_el1
	ldp	x29, x30, [sp], #16
	ret

	.globl	program_wfi, program_wfe, program_pmu, program_debug, program_timer, program_smc
	.globl	program_device, program_nothing, program_hvc
program_wfi:	wfi
		svc	#1
program_wfe:	wfe
		svc	#1
program_pmu:	mrs	x0, pmcr_el0
		svc	#1
program_debug:	mrs	x0, mdccsr_el0
		svc	#1
program_timer:	mrs	x0, cntp_ctl_el0
		svc	#1
program_smc:	smc	#0
		svc	#1
program_hvc:	hvc	#0xea1
		svc	#1
program_device:	mov	x1, #0x0300
		lsl	x1, x1, #16
		movk	x1, #0x1000	/* GICD, where programs see it */
		mov	x2, #0x40
		lsl	x2, x2, #32
		orr	x1, x1, x2
		ldr	w0, [x1, #4]
		svc	#1
program_nothing: mov	x1, #0x2f00
		lsl	x1, x1, #16
		mov	x2, #0x40
		lsl	x2, x2, #32
		orr	x1, x1, x2
		ldr	w0, [x1, #4]
		svc	#1
