/* SPDX-License-Identifier: Apache-2.0 */
/* What time.c asks the CPU for, as clocks_test.c models it. */
#ifndef ASM_INSN_H
#define ASM_INSN_H

#include <stdint.h>

uint64_t rdtsc(void);
uint64_t rdtsc_ordered(void);
uint8_t inb(uint16_t port);
uint32_t inl(uint16_t port);
void outb(uint16_t port, uint8_t value);

#endif
