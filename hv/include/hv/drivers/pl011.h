/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's PL011 UART as the machine's console: hv/drivers/uart/pl011.c. */
#ifndef HV_DRIVERS_PL011_H
#define HV_DRIVERS_PL011_H

#include <hv/compiler.h>

/* Use the UART at `regs` for the console, polled. A second call moves to another one. */
void pl011_attach(volatile void *regs);
/* Its interrupt works from now on: input, and output without waiting. */
void pl011_start(uint32_t irq, bool level);

#endif
