/* SPDX-License-Identifier: Apache-2.0 */
/* A domain's virtual IO-APIC (dom0's: each pin is the host's of the same number). */
#ifndef ASM_VIOAPIC_H
#define ASM_VIOAPIC_H

#include <hv/compiler.h>

struct domain;

/* The host's line `gsi`, which `d` has opened, interrupted. Any CPU, from the interrupt. No IO-APIC: nothing. */
void vioapic_raise(struct domain *d, uint32_t gsi);

/* A level-triggered vector was ended by a vCPU: lines that bear it may interrupt again. No IO-APIC: nothing. */
void vioapic_eoi(struct domain *d, uint8_t vector);

#endif
