/* SPDX-License-Identifier: Apache-2.0 */
/* Families of one or two operations: vm_assist, physdev (what there is of it is the architecture's), filling a domain, and reading back a reason. */
#include <hv/hypercall.h>

#include <arch/vcpu.h>
#include <hv/domain.h>
#include <hv/string.h>
#include <public/krypton.h>
#include <xen/physdev.h>

_Static_assert(KRYPTON_HYPERCALL_REASON == HYPERCALL_REASON, "public/krypton.h");
_Static_assert(KRYPTON_HYPERCALL_FILL == HYPERCALL_FILL, "public/krypton.h");
_Static_assert(sizeof(struct krypton_refusal) == 256, "public/krypton.h");

int64_t abi_vm_assist(struct vcpu *v, uint64_t *a)
{
	struct domain *d = v->domain;
	uint32_t type = (uint32_t)a[1];

	if (type != VMASST_TYPE_runstate_update_flag)
		return refuse(R_BAD_VM_ASSIST, d->id, 0, type);
	switch ((uint32_t)a[0]) {
	case VMASST_CMD_enable: atomic_or(&d->vm_assist, 1u << type); return 0;
	case VMASST_CMD_disable: atomic_and(&d->vm_assist, ~(1u << type)); return 0;
	default: return refuse(R_NOT_IMPLEMENTED, a[0], 0, __HYPERVISOR_vm_assist);
	}
}

int64_t abi_physdev_op(struct vcpu *v, uint64_t *a)
{
	return arch_physdev_op(v, (uint32_t)a[0], gva(a[1]));
}

int64_t abi_fill(struct vcpu *v, uint64_t *a)
{
	struct domain *d;
	int err = memory_find_domain(v, (domid_t)a[0], &d);

	return err ? err : guest_fill(v, d, gpa(a[1]), gva(a[2]), a[3]);
}

int64_t abi_reason(struct vcpu *v, uint64_t *a)
{
	struct krypton_refusal out = {
		.reason = v->refusal.id,
		.count = v->refusal.count,
		.error = reason_code((enum reason)v->refusal.id),
		.object = v->refusal.object,
		.limit = v->refusal.limit,
		.actual = v->refusal.actual,
	};

	if (a[1] < sizeof(out))
		return refuse(R_BAD_REASON_BUFFER, v->id, sizeof(out), a[1]);
	(void)reason_format(out.text, sizeof(out.text), &v->refusal);
	out.length = (uint32_t)strlen(out.text);
	return guest_put(v, gva(a[0]), &out);
}
