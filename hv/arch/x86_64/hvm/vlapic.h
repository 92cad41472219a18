/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the local APIC share: its registers (APM vol. 2, table 16-2) and the parts that its state consists of. */
#ifndef HVM_VLAPIC_H
#define HVM_VLAPIC_H

#include <asm/vlapic.h>

#define REG_ID          0x020
#define REG_VERSION     0x030
#define REG_TPR         0x080
#define REG_PPR         0x0a0
#define REG_EOI         0x0b0
#define REG_LDR         0x0d0
#define REG_DFR         0x0e0
#define REG_SVR         0x0f0
#define REG_ISR         0x100
#define REG_TMR         0x180
#define REG_IRR         0x200
#define REG_ESR         0x280
#define REG_CMCI        0x2f0
#define REG_ICR         0x300
#define REG_ICR_HIGH    0x310
#define REG_LVT_TIMER   0x320
#define REG_LVT_ERROR   0x370
#define REG_INITIAL     0x380
#define REG_CURRENT     0x390
#define REG_DIVIDE      0x3e0
#define REG_SELF_IPI    0x3f0

#define APIC_ADDRESS    0xfee00000ull
#define SVR_ENABLE      (1u << 8)
#define LVT_MASKED      (1u << 16)
#define TIMER_MODE(lvt) ((lvt) >> 17 & 3)
#define TIMER_ONE_SHOT  0
#define TIMER_PERIODIC  1
#define TIMER_DEADLINE  2
#define ICR_WRITABLE    0xcdfffu
#define VERSION         0x00050014u /* six LVT entries, integrated */

enum { LVT_CMCI, LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/* Bits of each LVT entry that a guest may write. */
extern const uint32_t vlapic_lvt_writable[LVT_COUNT];

/* The highest vector of a set, 0: none. */
uint8_t vlapic_highest(const uint32_t set[8]);
/* Nanoseconds a count. */
uint32_t vlapic_divider(const struct vlapic *a);
/* The current count. */
uint32_t vlapic_timer_left(const struct vlapic *a);
/* Go on with this count; the other registers of the timer are set. */
void vlapic_timer_resume(struct vcpu *v, uint32_t left);

#endif
