/* SPDX-License-Identifier: Apache-2.0 */
/* A 16550 UART at I/O ports, as the console. One a machine. */
#ifndef HV_DRIVERS_NS16550_H
#define HV_DRIVERS_NS16550_H

#include <hv/compiler.h>

struct console_device;

/* `baud` 0 keeps firmware's speed. NULL: no UART answers at `port`. Boot. */
struct console_device *ns16550_init(uint16_t port, uint32_t baud);
/* Its interrupt line is handled now (console_interrupt): received bytes raise it. */
void ns16550_interrupts_on(void);

#endif
