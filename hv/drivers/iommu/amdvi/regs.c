/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of a unit: 64 bits wide, in uncached memory (48882, 3.4). Tests link a model instead of this file. */
#include "amdvi.h"

uint64_t amdvi_reg_read(const struct amdvi *u, unsigned reg)
{
	return *(const volatile uint64_t *)(u->regs + reg);
}

void amdvi_reg_write(const struct amdvi *u, unsigned reg, uint64_t value)
{
	*(volatile uint64_t *)(u->regs + reg) = value;
}
