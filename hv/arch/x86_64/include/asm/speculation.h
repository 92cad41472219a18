/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done on this machine against speculation that one guest steers in another or in the hypervisor: chosen at boot from what
 * the CPU says and from spec-ctrl= (cpu/speculation.c, pure), then switched on by each CPU (cpu/cpu.c). By AMD's APM vol. 2 (SPEC_CTRL,
 * PRED_CMD, automatic IBRS) and "Software techniques for managing speculation on AMD processors".
 */
#ifndef ASM_SPECULATION_H
#define ASM_SPECULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPUID of the machine; a leaf that it does not have is 0. */
struct x86_identity {
	uint32_t signature; /* 1 EAX */
	uint32_t features;  /* 1 ECX */
	uint32_t below[3]; /* 4000_0000 EBX, ECX, EDX: who emulates this machine, where 1 ECX says that somebody does */
	uint32_t controls;  /* 8000_0008 EBX */
	uint32_t svm;       /* 8000_000A EDX */
	uint32_t features2; /* 8000_0021 EAX */
};

/* Does LFENCE wait until all older instructions are done? */
enum x86_lfence {
	LFENCE_ALWAYS, /* the CPU says so, or has no other */
	LFENCE_SET,    /* once DE_CFG has its bit */
	LFENCE_LEFT,   /* whatever runs below us made of it */
};

struct x86_speculation {
	enum x86_lfence lfence;
	bool automatic_ibrs; /* EFER.AIBRSE; exits clear the return stack then */
	bool ibpb;           /* when a CPU goes on to another domain's vCPU */
	bool fill_returns;   /* exits go through svm_forget() */
	bool emulated;       /* by a program that does not speculate */
	uint32_t spec_ctrl; /* the hypervisor's own bits; where guests have the register, theirs are added */
	uint32_t at_exit; /* written at each exit: IBRS that must be said again; 0: nothing. Only with fill_returns */
	bool guest_pred_cmd;  /* guests may write PRED_CMD */
	bool guest_spec_ctrl; /* guests have SPEC_CTRL, which the CPU swaps */
	uint32_t guest_leaf;  /* bits of 8000_0008 EBX about this that guests see */
};

/*
 * What shall be in force. `option`: the value of spec-ctrl=, parts of it that mean nothing here are named in the log. Pure but for that.
 */
void x86_speculation_choose(const struct x86_identity *id, const char *option,
			    struct x86_speculation *out);
/* One line about it, and about what the CPU lacks; at most 240 characters. */
void x86_speculation_describe(const struct x86_identity *id, const struct x86_speculation *s,
			      char *line, size_t size);

/* Bits of SPEC_CTRL that exist for who sees these bits of 8000_0008 EBX. */
uint64_t x86_spec_ctrl_of(uint32_t leaf);

/* This machine's. [c] after x86_speculation_boot_init() */
extern struct x86_speculation x86_speculation;

/* Choose and say so. Boot CPU, before hvm_boot_init() and policy_boot_init(). */
void x86_speculation_boot_init(void);
/* Registers of the calling CPU. After hvm->cpu_up(). */
void x86_speculation_cpu_init(void);
/* The calling CPU loads a vCPU of the domain with this tag (struct arch_domain): the barrier, if the last one's was another. */
void x86_predictors_of(uint64_t tag);

#endif
