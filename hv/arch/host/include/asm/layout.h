/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are in the simulated machine's address space: the same names as on other architectures. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <stdint.h>

/* Set by sim_boot(). The entry of frame n is at FRAME_TABLE_BASE + n * sizeof(struct frame). */
extern uintptr_t sim_frame_table;
/* Machine address `a` (below 4 GiB here) is at DIRECT_BASE + a, if it is RAM. */
extern uintptr_t sim_direct_base;

#define FRAME_TABLE_BASE sim_frame_table
#define DIRECT_BASE      sim_direct_base

#endif
