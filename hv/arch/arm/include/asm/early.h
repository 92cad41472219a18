/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs before the hypervisor is at its own addresses. None of it may use pointers that were
 * stored by the linker; all but early_map() works at machine and at virtual addresses alike.
 */
#ifndef ASM_EARLY_H
#define ASM_EARLY_H

#include <hv/compiler.h>

/* Builds the first page tables; head.S, MMU off. */
void early_map(void);
/* The machine address of the console's PL011 as /chosen/stdout-path of `tree` says; 0: none found. */
uint64_t early_uart(const void *tree);
/* head.S, MMU off, at exception level `level`: says so if it can. */
void early_wrong_level(const void *dt, unsigned level);

#endif
