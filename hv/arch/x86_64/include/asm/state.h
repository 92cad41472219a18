/* SPDX-License-Identifier: Apache-2.0 */
/* State records of the local APIC (hvm/vlapic_state.c), as hv/state.h has them, for the table in hvm/state.c; and one of that table's, for others. */
#ifndef ASM_STATE_H
#define ASM_STATE_H

#include <hv/compiler.h>

struct domain;
struct vcpu;

/* struct hvm_hw_lapic: what is not in its registers. */
MUST_USE int vlapic_hidden_save(struct domain *d, struct vcpu *v, void *record);
MUST_USE int vlapic_hidden_check(const struct domain *d, const struct vcpu *v, const void *record);
void vlapic_hidden_load(struct domain *d, struct vcpu *v, const void *record);
/* struct hvm_hw_lapic_regs: its registers, each at its offset. After the above. */
MUST_USE int vlapic_regs_save(struct domain *d, struct vcpu *v, void *record);
MUST_USE int vlapic_regs_check(const struct domain *d, const struct vcpu *v, const void *record);
void vlapic_regs_load(struct domain *d, struct vcpu *v, const void *record);
void vlapic_regs_still(void *before, void *after);
/* struct hvm_hw_cpu_xsave with an area of fpu_area_size() bytes (hvm/state.c). What is not refused the CPU can load. */
MUST_USE int hvm_xsave_check(const struct domain *d, const struct vcpu *v, const void *record);
void hvm_xsave_load(struct domain *d, struct vcpu *v, const void *record);

#endif
