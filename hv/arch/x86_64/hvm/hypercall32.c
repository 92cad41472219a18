/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls from 32-bit code: the ABI of 32-bit guests has structures of its own, which are not there yet. */
#include <asm/hypercall.h>

#include <hv/reason.h>
#include <xen/xen.h>

bool hvm_hypercall_32(struct vcpu *v, struct guest_regs *r)
{
	r->rax = (uint32_t)refuse(R_NOT_IMPLEMENTED, 32, 0, r->rax);
	return true;
}
