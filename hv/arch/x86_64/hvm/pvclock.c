/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PV clock: system time of the domain at a moment of its TSC, and the scale between (xen/xen.h, struct vcpu_time_info). All
 * vCPUs get the same base, so that readings on different ones agree; version is odd while the fields change.
 */
#include <asm/pvclock.h>

#include <arch/timer.h>
#include <asm/machine.h>
#include <hv/domain.h>

static void publish(struct vcpu_time_info *t, const struct vcpu *v)
{
	uint32_t version = read_once(&t->version) & ~1u;

	write_once(&t->version, version + 1);
	atomic_fence();
	/* Guest TSC = host TSC + offset; system time counts from tsc_boot. */
	write_once(&t->tsc_timestamp, tsc_boot + v->arch.tsc_offset);
	write_once(&t->system_time, (uint64_t)v->domain->time_offset);
	write_once(&t->tsc_to_system_mul, tsc_to_ns_mul);
	write_once(&t->tsc_shift, tsc_to_ns_shift);
	write_once(&t->flags, (uint8_t)XEN_PVCLOCK_TSC_STABLE_BIT);
	atomic_fence();
	write_once(&t->version, version + 2);
}

void pvclock_update(struct vcpu *v)
{
	struct vcpu_info *info = load_acquire(&v->info);

	if (info)
		publish(&info->time, v);
	if (pin_held(&v->arch.time_pin))
		publish((struct vcpu_time_info *)((char *)v->arch.time_pin.va + v->arch.time_offset),
			v);
}
