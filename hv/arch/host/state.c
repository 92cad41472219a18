/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records of the simulated machine, so that round trips run in it: a device of the domain's, which is what
 * its frame holds, and a vCPU's registers. A guest's stack is the host's and is not in them.
 */
#include <arch/state.h>
#include <arch/vcpu.h>
#include <hv/domain.h>
#include <hv/string.h>
#include <public/state.h>

static int device_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_sim_device *r = record;

	memcpy(r->bytes, d->arch.frame, sizeof(r->bytes));
	return 0;
}

static int device_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_sim_device *r = record;

	if (r->reserved)
		return state_bad_field(KRYPTON_STATE_SIM_DEVICE, struct krypton_state_sim_device,
				       reserved, r->reserved);
	return 0;
}

static void device_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct krypton_state_sim_device *r = record;

	memcpy(d->arch.frame, r->bytes, sizeof(r->bytes));
}

static int cpu_save(struct domain *d, struct vcpu *v, void *record)
{
	struct krypton_state_sim_vcpu *r = record;

	r->upcall = load_acquire(&v->arch.upcall);
	r->in_hypercall = v->arch.in_hypercall;
	r->nr = v->arch.nr;
	memcpy(r->arg, v->arch.arg, sizeof(r->arg));
	return 0;
}

static int cpu_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const struct krypton_state_sim_vcpu *r = record;

	if (r->upcall > 1)
		return state_bad_field(KRYPTON_STATE_SIM_VCPU, struct krypton_state_sim_vcpu,
				       upcall, r->upcall);
	if (r->in_hypercall > 1)
		return state_bad_field(KRYPTON_STATE_SIM_VCPU, struct krypton_state_sim_vcpu,
				       in_hypercall, r->in_hypercall);
	return 0;
}

static void cpu_load(struct domain *d, struct vcpu *v, const void *record)
{
	const struct krypton_state_sim_vcpu *r = record;

	v->arch.in_hypercall = r->in_hypercall;
	v->arch.nr = r->nr;
	memcpy(v->arch.arg, r->arg, sizeof(r->arg));
	store_release(&v->arch.upcall, (uint8_t)r->upcall);
	/* What arrived since: it is pending in shared memory. */
	if (vcpu_events_pending(v))
		arch_vcpu_raise_upcall(v);
}

static const struct state_type type[] = {
	{ .code = KRYPTON_STATE_SIM_DEVICE,
	  .optional = true,
	  .version = 1,
	  .length = sizeof(struct krypton_state_sim_device),
	  .save = device_save,
	  .check = device_check,
	  .load = device_load },
	{ .code = KRYPTON_STATE_SIM_VCPU,
	  .per_vcpu = true,
	  .version = 1,
	  .length = sizeof(struct krypton_state_sim_vcpu),
	  .save = cpu_save,
	  .check = cpu_check,
	  .load = cpu_load },
};

const struct arch_state arch_state = {
	.machine = KRYPTON_MACHINE_SIM,
	.nr = ARRAY_SIZE(type),
	.type = type,
};
