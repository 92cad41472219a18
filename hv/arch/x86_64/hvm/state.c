/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records of x86 domains will be those of Xen (xen/arch-x86/hvm/save.h). There are none yet: hv/core/state
 * refuses with R_STATE_NONE.
 */
#include <arch/state.h>

#include <public/state.h>

const struct arch_state arch_state = { .machine = KRYPTON_MACHINE_X86_64 };
