/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the machine's devices and IOMMUs (devices.c). Boot CPU, once. */
#ifndef ASM_DEVICES_H
#define ASM_DEVICES_H

/* Take what is needed from the ACPI tables, which need not be mapped later. */
void devices_read_acpi(void);
/* Start the IOMMUs and find the PCI functions. The final page tables and interrupts are set up. */
void devices_init(void);

#endif
