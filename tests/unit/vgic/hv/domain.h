/* SPDX-License-Identifier: Apache-2.0 */
/* For vgic_test.c: what the virtual GIC uses of domains, vCPUs and CPUs. */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <asm/vgic.h>
#include <hv/atomic.h>
#include <hv/cpu.h>

#define WORK_VIRQ   0x1u
#define MODEL_VCPUS 3u

struct domain;

struct vcpu {
	struct domain *domain;
	uint32_t id;
	struct cpu *cpu;
	struct {
		uint32_t work;
		struct vgic_vcpu vgic;
	} arch;
};

struct domain {
	struct vcpu *vcpu[MODEL_VCPUS];
	struct {
		struct vgic vgic;
	} arch;
};

static inline struct vcpu *domain_vcpu(const struct domain *d, uint32_t id)
{
	return id < MODEL_VCPUS ? d->vcpu[id] : NULL;
}

static inline struct vcpu *domain_find_vcpu(const struct domain *d, uint32_t id)
{
	return id < MODEL_VCPUS ? d->vcpu[id] : NULL;
}

#define domain_for_each_vcpu(v, d) \
	for (uint32_t i_ = 0; i_ < MODEL_VCPUS && ((v) = (d)->vcpu[i_]) != NULL; i_++)

static inline uint32_t vcpu_of_affinity(uint64_t aff)
{
	return (uint32_t)aff;
}

/* The test is on this CPU. */
extern struct cpu *model_cpu;
#define this_cpu() model_cpu

#define vcpu_kick  model_kick
void model_kick(struct vcpu *v);

#endif
