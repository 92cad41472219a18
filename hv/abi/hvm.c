/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HVMOP_set_param and _get_param: numbers that a domain and who builds it tell each other. Those with a meaning for the
 * CPU (arch_hvm_param_set) act at once; the others are stored.
 */
#include <hv/hypercall.h>

#include <arch/vcpu.h>
#include <hv/domain.h>
#include <hv/nospec.h>
#include <hv/policy.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

_Static_assert(HVM_NR_PARAMS <= ARRAY_SIZE(((struct domain *)0)->hvm_param), "xen/hvm/params.h");

/* Set by the builder, once: a change would leave the other side with a ring or port that is gone. */
static bool settable_once(uint32_t index)
{
	switch (index) {
	case HVM_PARAM_STORE_EVTCHN:
	case HVM_PARAM_CONSOLE_EVTCHN: return true;
	default: return false;
	}
}

static int set_locked(struct domain *d, uint32_t index, uint64_t value) HOLDS(d->lock)
{
	bool handled = false;
	int err;

	if (settable_once(index) && d->hvm_param[index] && d->hvm_param[index] != value)
		return refuse(R_HVM_PARAM_FIXED, index, 0, d->id);
	err = arch_hvm_param_set(d, index, value, &handled);
	if (!err && !handled)
		d->hvm_param[index] = value;
	return err;
}

static int set_param(struct domain *d, uint32_t index, uint64_t value)
{
	int err;

	lock_take(&d->lock);
	err = set_locked(d, index, value);
	lock_release(&d->lock);
	return err;
}

static int64_t param_op(struct vcpu *v, gva_t arg, bool set)
{
	struct xen_hvm_param op;
	struct domain *d;
	uint32_t index;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	if (op.index >= HVM_NR_PARAMS)
		return refuse(R_BAD_HVM_PARAM, op.index, HVM_NR_PARAMS, 0);
	index = (uint32_t)index_nospec(op.index, HVM_NR_PARAMS);
	d = domain_get(op.domid);
	if (!d)
		return refuse(R_NO_SUCH_DOMAIN, op.domid, 0, 0);
	err = policy_hvm_param(v->domain, d, index, set);
	if (!err && set)
		err = set_param(d, index, op.value);
	if (!err && !set) {
		op.value = read_once(&d->hvm_param[index]);
		err = guest_put(v, arg, &op);
	}
	domain_put(d);
	return err;
}

int64_t abi_hvm_op(struct vcpu *v, uint64_t *a)
{
	switch ((uint32_t)a[0]) {
	case HVMOP_set_param: return param_op(v, gva(a[1]), true);
	case HVMOP_get_param: return param_op(v, gva(a[1]), false);
	default: return arch_hvm_op(v, (uint32_t)a[0], gva(a[1]));
	}
}
