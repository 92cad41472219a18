/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated vCPU: its guest is a function of the test that runs on a stack of its own. */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct sim_guest;

/* Frames of its domain's pool that a vCPU costs beyond its own structure's. */
#define ARCH_VCPU_FRAMES 1u

struct arch_vcpu {
	uint64_t arg[6];         /* [own] hypercall arguments, rewritten on restart */
	uint64_t nr;             /* [own] */
	bool in_hypercall;       /* [own] restart pending: enter the same call again */
	uint8_t upcall;          /* [a] the event interrupt is pending */
	struct cpu *loaded;      /* [a] CPU that holds its registers, NULL: saved */
	struct sim_guest *guest; /* [c] after arch_vcpu_init() */
};

#endif
