/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records: what a domain's vCPUs and virtual devices are in the middle of, as bytes that another Krypton can
 * go on from. The framing is Xen's (xen/hvm/save.h): a sequence of
 *
 *	struct hvm_save_descriptor { typecode, instance, length }, then `length` bytes
 *
 * ended by a descriptor that is all zero. The type codes are Krypton's own and far from Xen's, whose
 * public header has records for x86 only. Numbers are little-endian, fields aligned to their sizes,
 * records multiples of eight bytes. Every record begins with its version; one that grows gets the next version.
 * The order is that of the codes here; of one code, that of the instances (vCPU numbers; 0 for what a domain
 * has once). Guest memory, event channels and grants are not in it.
 */
#ifndef PUBLIC_STATE_H
#define PUBLIC_STATE_H

#include <stdint.h>

#define KRYPTON_STATE_HEADER     0x4b00 /* first, always */
#define KRYPTON_STATE_VCPU       0x4b01 /* each vCPU */
/* Arm: public/state_arm.h */
#define KRYPTON_STATE_ARM_ID     0x4b10
#define KRYPTON_STATE_ARM_CLOCK  0x4b11
#define KRYPTON_STATE_ARM_GICD   0x4b12
#define KRYPTON_STATE_ARM_GICR   0x4b13 /* each vCPU */
#define KRYPTON_STATE_ARM_CPU    0x4b14 /* each vCPU */
#define KRYPTON_STATE_ARM_FP     0x4b15 /* each vCPU */
#define KRYPTON_STATE_ARM_TIMERS 0x4b16 /* each vCPU */
#define KRYPTON_STATE_ARM_PL011  0x4b17 /* where the domain has one */
/* The simulated machine of the tests. */
#define KRYPTON_STATE_SIM_DEVICE 0x4bf0
#define KRYPTON_STATE_SIM_VCPU   0x4bf1 /* each vCPU */

#define KRYPTON_STATE_MAGIC      0x5453524bu /* "KRST" */

/* Machines, as ELF numbers them. */
#define KRYPTON_MACHINE_X86_64   62
#define KRYPTON_MACHINE_ARM64    183
#define KRYPTON_MACHINE_SIM      0xffff

struct krypton_state_header {
	uint32_t version; /* 1 */
	uint32_t magic;
	uint16_t machine;
	uint16_t reserved;
	uint32_t max_vcpus; /* of the domain */
};

#define KRYPTON_VCPU_UP          0x1u /* not offline: PSCI CPU_ON, VCPUOP_up */
#define KRYPTON_VCPU_INITIALISED 0x2u /* has a context */

#define KRYPTON_NEVER            (~(uint64_t)0)

/* A vCPU that waited for an event comes back as one whose wait has just ended. */
struct krypton_state_vcpu {
	uint32_t version;              /* 1 */
	uint32_t flags;                /* KRYPTON_VCPU_* */
	uint64_t singleshot, periodic; /* ns until VCPUOP_set_*_timer's next; KRYPTON_NEVER */
	uint64_t period;               /* ns, 0: none */
};

struct krypton_state_sim_device {
	uint32_t version; /* 1 */
	uint32_t reserved;
	uint8_t bytes[256];
};

struct krypton_state_sim_vcpu {
	uint32_t version; /* 1 */
	uint16_t upcall;
	uint16_t in_hypercall;
	uint64_t nr, arg[6];
};

_Static_assert(sizeof(struct krypton_state_header) == 16, "record of 16 bytes");
_Static_assert(sizeof(struct krypton_state_vcpu) == 32, "record of 32 bytes");
_Static_assert(sizeof(struct krypton_state_sim_device) == 264, "record of 264 bytes");
_Static_assert(sizeof(struct krypton_state_sim_vcpu) == 64, "record of 64 bytes");

#endif
