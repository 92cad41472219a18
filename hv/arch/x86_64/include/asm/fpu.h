/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point and extended state of guests (hvm/fpu.c). The hypervisor itself never uses any. */
#ifndef ASM_FPU_H
#define ASM_FPU_H

#include <hv/compiler.h>

struct vcpu;

/* What of XSAVE the machine and our policy allow; size of an area. Boot CPU; fpu_cpu_init on each. */
void fpu_boot_init(void);
void fpu_cpu_init(void);
MUST_USE int fpu_init(struct vcpu *v);
void fpu_free(struct vcpu *v);
void fpu_save(struct vcpu *v);
void fpu_load(struct vcpu *v);
/* The guest changed XCR0; `v` is loaded. */
void fpu_set_xcr0(uint64_t value);
/* Its present value; `v` is loaded. */
uint64_t fpu_guest_xcr0(void);
/* XCR0 bits that guests may have. */
uint64_t fpu_xcr0_allowed(void);
/* Bytes of an XSAVE area with all of them; 0: this machine has no XSAVE. */
uint32_t fpu_area_size(void);
/* MXCSR bits that exist: an area with others cannot be loaded. */
uint32_t fpu_mxcsr_mask(void);
/* State after reset; `v` is not loaded. */
void fpu_reset(struct vcpu *v);

#endif
