/* SPDX-License-Identifier: Apache-2.0 */
/* XENPF_*: what the domain that owns the machine tells us about it. */
#include <hv/hypercall.h>

#include <arch/vcpu.h>
#include <hv/domain.h>
#include <hv/domain_time.h>
#include <hv/policy.h>
#include <xen/platform.h>

#define NS_PER_S 1000000000u

static int64_t settime(uint64_t sec, uint32_t nsec, uint64_t at_ns)
{
	if (nsec >= NS_PER_S)
		return refuse(R_BAD_NANOSECONDS, 0, NS_PER_S, nsec);
	wallclock_set(sec, nsec, at_ns);
	return 0;
}

int64_t abi_platform_op(struct vcpu *v, uint64_t *a)
{
	struct xen_platform_op op;
	int err;

	err = guest_get(v, &op, gva(a[0]));
	if (err)
		return err;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return refuse(R_BAD_PLATFORM_VERSION, op.cmd, XENPF_INTERFACE_VERSION,
			      op.interface_version);
	err = policy_hardware(v->domain, op.cmd);
	if (err)
		return err;
	switch (op.cmd) {
	case XENPF_settime32:
		return settime(op.u.settime32.secs, op.u.settime32.nsecs,
			       op.u.settime32.system_time);
	case XENPF_settime64:
		if (op.u.settime64.mbz)
			return refuse(R_BAD_FLAGS, op.cmd, 0, op.u.settime64.mbz);
		return settime(op.u.settime64.secs, op.u.settime64.nsecs,
			       op.u.settime64.system_time);
	default: return arch_platform_op(v, &op, gva(a[0]));
	}
}
