/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets that entry.S and head.S use (scripts/offsets.h), and what they take for granted. */
#include <asm/fault.h>
#include <asm/regs.h>
#include <hv/cpu.h>
#include <hv/vcpu.h>

OFFSET(CPU_STACK_TOP, struct cpu, arch.stack_top)
OFFSET(CPU_EMERGENCY_TOP, struct cpu, arch.emergency_top)
OFFSET(CPU_FIRMWARE_CALL, struct cpu, arch.firmware_call)
OFFSET(CPU_HISTORY_LOOPS, struct cpu, arch.history_loops)
DEFINE(FAULT_REGS_SIZE, sizeof(struct fault_regs))

_Static_assert(offsetof(struct vcpu, arch) == 0, "entry.S: a vCPU's registers are its first bytes");
_Static_assert(offsetof(struct guest_regs, x[30]) == 240 && offsetof(struct guest_regs, pc) == 248 &&
		   offsetof(struct guest_regs, pstate) == 256,
	       "entry.S: order of the saved registers");
_Static_assert(offsetof(struct fault_regs, sp) == 248 && offsetof(struct fault_regs, pc) == 256 &&
		   offsetof(struct fault_regs, esr) == 272 && sizeof(struct fault_regs) % 16 == 0,
	       "entry.S: order of struct fault_regs");
