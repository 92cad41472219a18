/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest asks of its firmware by SMC #0 or HVC #0: PSCI 1.1 (DEN 0022D) and the discovery part of
 * the SMC calling convention (DEN 0028). A vCPU's "on" is its run state; there is nothing else to keep.
 */
#include <asm/speculation.h>
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <xen/arch-arm/smccc.h>
#include <xen/sched.h>

#define PSCI_32(n) (0x84000000u + (n))
#define PSCI_64(n) (0xc4000000u + (n))
enum {
	PSCI_VERSION = PSCI_32(0x00),
	PSCI_CPU_SUSPEND_32 = PSCI_32(0x01),
	PSCI_CPU_SUSPEND_64 = PSCI_64(0x01),
	PSCI_CPU_OFF = PSCI_32(0x02),
	PSCI_CPU_ON_32 = PSCI_32(0x03),
	PSCI_CPU_ON_64 = PSCI_64(0x03),
	PSCI_AFFINITY_INFO_32 = PSCI_32(0x04),
	PSCI_AFFINITY_INFO_64 = PSCI_64(0x04),
	PSCI_MIGRATE_INFO_TYPE = PSCI_32(0x06),
	PSCI_SYSTEM_OFF = PSCI_32(0x08),
	PSCI_SYSTEM_RESET = PSCI_32(0x09),
	PSCI_FEATURES = PSCI_32(0x0a),
};

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_INVALID_ADDRESS    (-9)

#define PSCI_VERSION_1_1        0x10001
#define PSCI_NO_TRUSTED_OS      2
#define AFFINITY_ON             0
#define AFFINITY_OFF            1
/* CPU_SUSPEND's StateType: power down. We never do, so the call returns as if a wake-up came first. */

#define SMCCC_VERSION           0x80000000u
#define SMCCC_ARCH_FEATURES     0x80000001u
#define SMCCC_VERSION_1_1       0x10001

/* Service discovery: calls in the range, UID, revision; by owner (bits 29..24). */
#define SMCCC_STANDARD          4u
#define SMCCC_HYPERVISOR        6u
#define SMCCC_CALL_COUNT        0xff00u
#define SMCCC_CALL_UID          0xff01u
#define SMCCC_REVISION          0xff03u

static int64_t cpu_on(struct vcpu *v, uint64_t target, uint64_t entry, uint64_t context)
{
	struct domain *d = v->domain;
	struct vcpu *to = NULL;
	int64_t answer = PSCI_SUCCESS;
	uint64_t aff = target & MPIDR_AFFINITY;

	if (aff == (target & ~(uint64_t)BIT(31)) && aff < BIT(24) && (aff & 0xff) < 16)
		to = domain_find_vcpu(d, vcpu_of_affinity(aff));
	if (!to)
		return PSCI_INVALID_PARAMETERS;
	if (entry & 1) /* that would be T32 */
		return PSCI_INVALID_ADDRESS;

	/* Two callers may start the same one. */
	lock_take(&d->lock);
	if (vcpu_state(to) != VCPU_OFFLINE) {
		answer = PSCI_ALREADY_ON;
	} else {
		/* A CPU may still hold what it was before: its own exit path begins anew (exit.c). */
		to->arch.start.entry = entry;
		to->arch.start.context = context;
		to->initialised = true;
		atomic_or(&to->arch.work, WORK_RESET);
		(void)vcpu_transition(to, VCPU_UP);
	}
	lock_release(&d->lock);
	return answer;
}

static int64_t affinity_info(const struct vcpu *v, uint64_t target, uint64_t level)
{
	/* Levels above 0 are optional since 1.0. A vCPU per affinity; nothing is ever half on. */
	uint64_t aff = target & MPIDR_AFFINITY;
	struct vcpu *to = NULL;

	if (level == 0 && aff < BIT(24) && (aff & 0xff) < 16)
		to = domain_find_vcpu(v->domain, vcpu_of_affinity(aff));
	if (!to)
		return PSCI_INVALID_PARAMETERS;
	return vcpu_state(to) == VCPU_OFFLINE ? AFFINITY_OFF : AFFINITY_ON;
}

static int64_t psci_features(uint32_t f)
{
	switch (f) {
	case PSCI_VERSION:
	case PSCI_CPU_SUSPEND_32:
	case PSCI_CPU_SUSPEND_64:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON_32:
	case PSCI_CPU_ON_64:
	case PSCI_AFFINITY_INFO_32:
	case PSCI_AFFINITY_INFO_64:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_FEATURES:
	case SMCCC_VERSION: return PSCI_SUCCESS;
	default: return PSCI_NOT_SUPPORTED;
	}
}

/* A UID in four registers, least significant bytes first (DEN 0028, 6.2). */
static void answer_uid(struct guest_regs *r, const uint8_t uid[16])
{
	for (unsigned i = 0; i < 4; i++, uid += 4)
		r->x[i] = (uint64_t)uid[0] | (uint64_t)uid[1] << 8 | (uint64_t)uid[2] << 16 |
			  (uint64_t)uid[3] << 24;
}

static void discovery(struct guest_regs *r, uint32_t f)
{
	static const xen_uuid_t standard_uid = SSSC_SMCCC_UID;
	static const xen_uuid_t xen_uid = XEN_SMCCC_UID;
	uint32_t owner = (f >> 24) & 0x3f;
	bool hypervisor = owner == SMCCC_HYPERVISOR;

	if (owner != SMCCC_STANDARD && !hypervisor) {
		r->x[0] = (uint64_t)PSCI_NOT_SUPPORTED;
		return;
	}
	switch (f & 0xffff) {
	case SMCCC_CALL_COUNT: r->x[0] = hypervisor ? 3 : 15; break;
	case SMCCC_CALL_UID: answer_uid(r, hypervisor ? xen_uid.a : standard_uid.a); break;
	case SMCCC_REVISION:
		r->x[0] = hypervisor ? XEN_SMCCC_MAJOR_REVISION : SSSC_SMCCC_MAJOR_REVISION;
		r->x[1] = hypervisor ? XEN_SMCCC_MINOR_REVISION : SSSC_SMCCC_MINOR_REVISION;
		break;
	default: r->x[0] = (uint64_t)PSCI_NOT_SUPPORTED; break;
	}
}

void smccc_call(struct vcpu *v)
{
	struct guest_regs *r = &v->arch.regs;
	uint32_t f = (uint32_t)r->x[0];
	int64_t answer = PSCI_NOT_SUPPORTED;

	switch (f) {
	case PSCI_VERSION: answer = PSCI_VERSION_1_1; break;
	case PSCI_CPU_SUSPEND_32:
	case PSCI_CPU_SUSPEND_64:
		r->x[0] = PSCI_SUCCESS;
		vcpu_block(v);
		return;
	case PSCI_CPU_OFF:
		/* Does not come back; if it is started again, then from the beginning. */
		r->x[0] = PSCI_SUCCESS;
		(void)vcpu_transition(v, VCPU_DOWN);
		return;
	case PSCI_CPU_ON_32:
		answer = cpu_on(v, (uint32_t)r->x[1], (uint32_t)r->x[2], (uint32_t)r->x[3]);
		break;
	case PSCI_CPU_ON_64: answer = cpu_on(v, r->x[1], r->x[2], r->x[3]); break;
	case PSCI_AFFINITY_INFO_32:
		answer = affinity_info(v, (uint32_t)r->x[1], (uint32_t)r->x[2]);
		break;
	case PSCI_AFFINITY_INFO_64: answer = affinity_info(v, r->x[1], r->x[2]); break;
	case PSCI_MIGRATE_INFO_TYPE: answer = PSCI_NO_TRUSTED_OS; break;
	case PSCI_SYSTEM_OFF: domain_shutdown(v->domain, SHUTDOWN_poweroff); return;
	case PSCI_SYSTEM_RESET: domain_shutdown(v->domain, SHUTDOWN_reboot); return;
	case PSCI_FEATURES: answer = psci_features((uint32_t)r->x[1]); break;
	case SMCCC_VERSION: answer = SMCCC_VERSION_1_1; break;
	case SMCCC_ARCH_FEATURES:
		/* A work-around is offered where an exit does it; elsewhere nothing of ours is between guest and CPU. */
		if ((uint32_t)r->x[1] == SMCCC_VERSION ||
		    (uint32_t)r->x[1] == SMCCC_ARCH_FEATURES || speculation_calls((uint32_t)r->x[1]))
			answer = 0;
		break;
	case SMCCC_WORKAROUND_1:
	case SMCCC_WORKAROUND_3:
		/* The way here has done it. */
		answer = speculation_calls(f) ? 0 : PSCI_NOT_SUPPORTED;
		break;
	default:
		if ((f & 0x80ff0000u) == 0x80000000u && (f & 0xff00) == 0xff00) {
			discovery(r, f);
			return;
		}
		break;
	}
	/* Of a 32-bit call only the low half counts; callers that look at all of it expect -1 as here. */
	r->x[0] = (uint64_t)answer;
}
