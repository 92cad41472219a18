/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual IO-APICs of the domain that owns the machine: each pin is the host's of the same number (hvm/vioapic.c). */
#ifndef ASM_VIOAPIC_H
#define ASM_VIOAPIC_H

#include <hv/compiler.h>

struct domain;

/* One for each of the host's, all pins masked. Before `d` runs. R_POOL_EXHAUSTED, io_register()'s. */
MUST_USE int vioapic_init(struct domain *d);
/* When no vCPU and no interrupt of `d` is left. */
void vioapic_free(struct domain *d);
/* The host's line `gsi`, which `d` has opened, interrupted. Any CPU, from the interrupt. No IO-APIC: nothing. */
void vioapic_raise(struct domain *d, uint32_t gsi);

/* A level-triggered vector was ended by a vCPU: lines that bear it may interrupt again. No IO-APIC: nothing. */
void vioapic_eoi(struct domain *d, uint8_t vector);

#endif
