/* SPDX-License-Identifier: Apache-2.0 */
/* For vgic_test.c: the system registers that the virtual GIC uses, as memory of a modelled CPU. */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

#include <stdint.h>

struct model_regs {
	union {
		struct {
			uint64_t ich_lr0_el2, ich_lr1_el2, ich_lr2_el2, ich_lr3_el2, ich_lr4_el2,
			    ich_lr5_el2, ich_lr6_el2, ich_lr7_el2, ich_lr8_el2, ich_lr9_el2,
			    ich_lr10_el2, ich_lr11_el2, ich_lr12_el2, ich_lr13_el2, ich_lr14_el2,
			    ich_lr15_el2;
		};
		uint64_t lr[16];
	};
	uint64_t ich_elrsr_el2, ich_eisr_el2, ich_hcr_el2, ich_vmcr_el2, ich_vtr_el2;
	uint64_t ich_ap0r0_el2, ich_ap0r1_el2, ich_ap0r2_el2, ich_ap0r3_el2;
	uint64_t ich_ap1r0_el2, ich_ap1r1_el2, ich_ap1r2_el2, ich_ap1r3_el2;
	uint64_t icc_iar1_el1, icc_eoir1_el1, icc_dir_el1;
};

/* Those of the CPU that the test is on, with what follows from others brought up to date. */
struct model_regs *model_regs(void);

#define sysreg_read(name)         (model_regs()->name)
#define sysreg_write(name, value) ((void)(model_regs()->name = (value)))
#define dsb(scope)                ((void)0)
#define dmb(scope)                ((void)0)

#endif
