/* SPDX-License-Identifier: Apache-2.0 */
/* What time.c asks of the hypervisor's mappings, as clocks_test.c models it. */
#ifndef ASM_MM_H
#define ASM_MM_H

#include <stdint.h>

volatile void *mm_map_device(uint64_t pa, uint64_t size);

#endif
