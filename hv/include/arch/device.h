/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of devices that nobody has mapped for good: those of functions that move in memory (core/pci/msix.c). */
#ifndef ARCH_DEVICE_H
#define ARCH_DEVICE_H

#include <hv/addr.h>

/*
 * One access of 1, 2, 4 or 8 bytes, aligned to its size, to a machine address where the caller knows a device. Any CPU; rank
 * DEVICE_WINDOW.
 */
uint64_t arch_device_read(paddr_t pa, unsigned size);
void arch_device_write(paddr_t pa, unsigned size, uint64_t value);

#endif
