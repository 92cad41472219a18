/* SPDX-License-Identifier: Apache-2.0 */
/* VMMCALL and VMCALL, for the vendors' exit handlers: registers to core's hypercall() and back. */
#ifndef ASM_HYPERCALL_H
#define ASM_HYPERCALL_H

#include <asm/regs.h>
#include <hv/err.h>
#include <hv/hypercall.h>

/* From 32-bit code: arguments in ebx, ecx, edx, esi, edi, ebp; structures of the 32-bit ABI (hvm/hypercall32.c). */
MUST_USE bool hvm_hypercall_32(struct vcpu *v, struct guest_regs *r);

/*
 * A hypercall at privilege level `cpl`, in 64-bit code or not; its result goes to rax. The caller steps over the instruction,
 * unless it is to be executed again (false).
 */
MUST_USE static inline bool hvm_hypercall(struct vcpu *v, struct guest_regs *r, unsigned cpl,
					  bool wide)
{
	int64_t result;

	if (unlikely(cpl)) { /* user code may not call */
		r->rax = (uint64_t)(int64_t)-EPERM;
		return true;
	}
	if (unlikely(!wide))
		return hvm_hypercall_32(v, r);
	result = hypercall(v, r->rax, &r->rdi);
	if (unlikely(result == -ERR_RESTART))
		return false;
	r->rax = (uint64_t)result;
	return true;
}

#endif
