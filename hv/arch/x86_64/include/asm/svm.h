/* SPDX-License-Identifier: Apache-2.0 */
/* svm/enter.S. */
#ifndef ASM_SVM_H
#define ASM_SVM_H

#include <asm/regs.h>

/* Run the guest until its next exit. Interrupts off. */
void svm_enter(struct guest_regs *regs, uint64_t vmcb, uint64_t host_vmcb);

#endif
