/* SPDX-License-Identifier: Apache-2.0 */
/* The Arm part of a domain. Its fields are laid down by arch_domain_init(), boot code may change them before it runs. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hv/bitmap.h>

struct arch_domain {
	uint64_t hcr;     /* [c] HCR_EL2 of its vCPUs, before their own changes */
	uint64_t cntvoff; /* [own CPUs] counter ticks: the virtual counter is this much behind */
	struct vgic vgic;
	struct vpl011 uart;
	uint16_t last_vcpu[MAX_CPUS]; /* [own CPU] 1 + the vCPU that each CPU loaded last, 0: none */
};

#endif
