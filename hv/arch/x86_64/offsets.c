/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets that assembly needs; the build turns this into <asm/offsets.h>. */
#include <asm/regs.h>
#include <hv/cpu.h>
#include <hv/vcpu.h>

OFFSET(REGS_RDI, struct guest_regs, rdi)
OFFSET(REGS_RSI, struct guest_regs, rsi)
OFFSET(REGS_RDX, struct guest_regs, rdx)
OFFSET(REGS_R10, struct guest_regs, r10)
OFFSET(REGS_R8, struct guest_regs, r8)
OFFSET(REGS_R9, struct guest_regs, r9)
OFFSET(REGS_RCX, struct guest_regs, rcx)
OFFSET(REGS_RBX, struct guest_regs, rbx)
OFFSET(REGS_RBP, struct guest_regs, rbp)
OFFSET(REGS_R11, struct guest_regs, r11)
OFFSET(REGS_R12, struct guest_regs, r12)
OFFSET(REGS_R13, struct guest_regs, r13)
OFFSET(REGS_R14, struct guest_regs, r14)
OFFSET(REGS_R15, struct guest_regs, r15)
OFFSET(VCPU_VMCB, struct vcpu, arch.vmcb)
OFFSET(CPU_HOST_VMCB, struct cpu, arch.host_vmcb)
