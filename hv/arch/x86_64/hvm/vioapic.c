/* SPDX-License-Identifier: Apache-2.0 */
/* A domain's virtual IO-APIC. Domains without the machine's devices have none. */
#include <asm/vioapic.h>

#include <hv/domain.h>

void vioapic_eoi(struct domain *d, uint8_t vector) {}

void vioapic_raise(struct domain *d, uint32_t gsi) {}
