/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions. From a guest: SP_EL2 is the address of the running vCPU, whose first bytes take the
 * registers (struct guest_regs); then C runs on the CPU's stack, from its top, and returns the vCPU to
 * enter next. From the hypervisor itself: always our own bug, reported on the emergency stack.
 *
 * Counted for docs and budgets: 26 instructions before the C handler, 22 behind it. CPUs on which a guest can train branch
 * predictors for us use another table, whose entries have something against that at their end and up to 32 instructions.
 */
#include <asm/offsets.h>

	.section .entry.text, "ax"

	/* `harden`: what keeps the guest's training of branch predictors from working here (asm/speculation.h). */
	.macro from_guest handler, harden
	.balign	0x80
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
	mrs	x1, elr_el2
	mrs	x2, spsr_el2
	stp	x30, x1, [sp, #240]
	str	x2, [sp, #256]
	mrs	x3, tpidr_el2
	.ifc	\harden, firmware
	ldr	w0, [x3, #CPU_FIRMWARE_CALL]
	smc	#0			/* x0 to x3 may be lost, no others (DEN0028, 2.6) */
	mrs	x3, tpidr_el2
	.endif
	.ifc	\harden, loop
	ldr	w4, [x3, #CPU_HISTORY_LOOPS]
	.endif
	mov	x0, sp
	ldr	x3, [x3, #CPU_STACK_TOP]
	mov	sp, x3
	mov	x29, xzr
	.ifc	\harden, loop
1:	b	2f			/* taken branches until nothing else is in the history */
2:	subs	x4, x4, #1
	b.ne	1b
	dsb	nsh
	isb
	.endif
	.ifc	\harden, clear
	hint	#22			/* CLRBHB */
	isb
	.endif
	adr	x30, vcpu_enter
	b	\handler
	.endm

	/* Guest registers serve as scratch: nobody goes on after this. */
	.macro from_hypervisor kind
	.balign	0x80
	msr	sp_el0, x0
	msr	tpidr_el0, x1
	mov	x1, #\kind
	b	hypervisor_fault
	.endm

	.macro vector_table name, harden
	.balign	0x800
	.globl	\name
	.type	\name, %function
\name:
	/* From EL2 with SP_EL0, which is never selected. */
	from_hypervisor 0
	from_hypervisor 1
	from_hypervisor 2
	from_hypervisor 3
	/* From EL2. */
	from_hypervisor 0
	from_hypervisor 1
	from_hypervisor 2
	.balign	0x80
	b	hypervisor_serror
	/* From a 64-bit EL1 and its EL0. */
	from_guest exit_sync, \harden
	from_guest exit_irq, \harden
	from_guest exit_irq, \harden
	from_guest exit_serror, \harden
	/* From a 32-bit EL1: HCR_EL2.RW says that there is none. */
	from_hypervisor 0
	from_hypervisor 1
	from_hypervisor 2
	from_hypervisor 3
	.balign	0x80
	.size	\name, . - \name
	.endm

	vector_table vectors, none
	vector_table vectors_firmware, firmware
	vector_table vectors_loop, loop
	vector_table vectors_clear, clear

	/* NORETURN void vcpu_enter(struct vcpu *v): the loaded vCPU goes on. */
	.balign	64
	.globl	vcpu_enter
	.type	vcpu_enter, %function
vcpu_enter:
	mov	sp, x0
	ldp	x30, x1, [sp, #240]
	ldr	x2, [sp, #256]
	msr	elr_el2, x1
	msr	spsr_el2, x2
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	eret
	/* Nothing behind ERET may be speculated. */
	dsb	nsh
	isb
	.size	vcpu_enter, . - vcpu_enter

	/* x1: which vector; x0 in SP_EL0, x1 in TPIDR_EL0. Builds struct fault_regs on the emergency stack. */
	.type	hypervisor_fault, %function
hypervisor_fault:
	mov	x0, sp
	msr	tpidr_el1, x0
	mrs	x0, tpidr_el2
	ldr	x0, [x0, #CPU_EMERGENCY_TOP]
	sub	sp, x0, #FAULT_REGS_SIZE
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
	mrs	x2, sp_el0
	mrs	x3, tpidr_el0
	stp	x2, x3, [sp]
	mrs	x2, tpidr_el1
	stp	x30, x2, [sp, #240]
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	stp	x2, x3, [sp, #256]
	mrs	x2, esr_el2
	mrs	x3, far_el2
	stp	x2, x3, [sp, #272]
	mov	x0, sp
	bl	fault_report
	.size	hypervisor_fault, . - hypervisor_fault

	/*
	 * bool serror_sync_window(void): take an SError that is pending now, if there is one. It is the only
	 * place where the hypervisor lets one in.
	 */
	.balign	16
	.globl	serror_sync_window
	.type	serror_sync_window, %function
serror_sync_window:
	dsb	sy
	msr	daifclr, #4
	isb
serror_window_end:
	msr	daifset, #4
	mov	w0, #0
	ret
	.size	serror_sync_window, . - serror_sync_window

	.type	serror_taken, %function
serror_taken:
	mov	w0, #1
	ret
	.size	serror_taken, . - serror_taken

	/* An SError at EL2: in the window it is somebody's, elsewhere it is ours. */
	.type	hypervisor_serror, %function
hypervisor_serror:
	msr	sp_el0, x0
	msr	tpidr_el0, x1
	mrs	x0, elr_el2
	adr	x1, serror_sync_window
	cmp	x0, x1
	b.lo	1f
	adr	x1, serror_window_end
	cmp	x0, x1
	b.hi	1f
	adr	x0, serror_taken
	msr	elr_el2, x0
	mrs	x0, spsr_el2
	orr	x0, x0, #1 << 8		/* PSTATE.A: the window is closed */
	msr	spsr_el2, x0
	eret				/* x0 and x1 are the callee's to lose */
	dsb	nsh
	isb
1:	mov	x1, #3
	b	hypervisor_fault
	.size	hypervisor_serror, . - hypervisor_serror
