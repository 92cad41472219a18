/* SPDX-License-Identifier: Apache-2.0 */
/* For vtimer_test.c: the timers' registers, as memory. */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

#include <stdint.h>

struct model_regs {
	uint64_t cntpct_el0, cntv_cval_el0, cntv_ctl_el0, cntvoff_el2;
};
extern struct model_regs model_regs;

#define sysreg_read(name)         (model_regs.name)
#define sysreg_write(name, value) ((void)(model_regs.name = (value)))
#define isb()                     ((void)0)

#define CNT_CTL_ENABLE            (1u << 0)
#define CNT_CTL_IMASK             (1u << 1)
#define CNT_CTL_ISTATUS           (1u << 2)

#endif
