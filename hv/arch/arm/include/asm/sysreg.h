/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers and single instructions, each a wrapper named after it. Bits are named as in
 * the Arm ARM (DDI 0487); only those that somebody uses.
 */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

/* ---- SCTLR_EL2 (D17.2.119), E2H = 0 ---------------------------------------------------------- */
#define SCTLR_EL2_RES1 0x30c50830
#define SCTLR_EL2_M    (1 << 0)
#define SCTLR_EL2_C    (1 << 2)
#define SCTLR_EL2_SA   (1 << 3)
#define SCTLR_EL2_I    (1 << 12)
#define SCTLR_EL2_WXN  (1 << 19)
#define SCTLR_EL2_OFF  SCTLR_EL2_RES1
#define SCTLR_EL2_ON \
	(SCTLR_EL2_RES1 | SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_SA | SCTLR_EL2_I | SCTLR_EL2_WXN)

/* ---- TCR_EL2, E2H = 0: 48-bit addresses, 4 KiB granule, cacheable walks; PS is added at run time -- */
#define TCR_EL2_PS_SHIFT 16
#define TCR_EL2_VALUE    ((1 << 31) | (1 << 23) | (3 << 12) | (1 << 10) | (1 << 8) | 16)

/* ---- MAIR_EL2: the index is in bits 4..2 of an entry ------------------------------------------- */
#define MAIR_NORMAL      0 /* write-back, allocating */
#define MAIR_DEVICE      1 /* nGnRE */
#define MAIR_UNCACHED    2
#define MAIR_EL2_VALUE   0x4404ff

/* ---- HCR_EL2 ----------------------------------------------------------------------------------- */
#define HCR_VM           (1UL << 0) /* second stage on */
#define HCR_SWIO         (1UL << 1)
#define HCR_PTW          (1UL << 2)
#define HCR_FMO          (1UL << 3) /* physical FIQ, IRQ, SError come to EL2 */
#define HCR_IMO          (1UL << 4)
#define HCR_AMO          (1UL << 5)
#define HCR_VF           (1UL << 6)
#define HCR_VI           (1UL << 7)
#define HCR_VSE          (1UL << 8) /* a virtual SError is pending */
#define HCR_FB           (1UL << 9)
#define HCR_BSU_IS       (1UL << 10)
#define HCR_DC           (1UL << 12)
#define HCR_TWI          (1UL << 13)
#define HCR_TWE          (1UL << 14)
#define HCR_TID0         (1UL << 15)
#define HCR_TID1         (1UL << 16)
#define HCR_TID2         (1UL << 17)
#define HCR_TID3         (1UL << 18)
#define HCR_TSC          (1UL << 19)
#define HCR_TIDCP        (1UL << 20)
#define HCR_TACR         (1UL << 21)
#define HCR_TSW          (1UL << 22)
#define HCR_TPC          (1UL << 23)
#define HCR_TPU          (1UL << 24)
#define HCR_TTLB         (1UL << 25)
#define HCR_TVM          (1UL << 26)
#define HCR_TGE          (1UL << 27)
#define HCR_TDZ          (1UL << 28)
#define HCR_HCD          (1UL << 29)
#define HCR_TRVM         (1UL << 30)
#define HCR_RW           (1UL << 31)
#define HCR_TLOR         (1UL << 35)
#define HCR_TERR         (1UL << 36)
#define HCR_TEA          (1UL << 37)
#define HCR_APK          (1UL << 40)
#define HCR_API          (1UL << 41)
#define HCR_FIEN         (1UL << 47)
#define HCR_ATA          (1UL << 56)

/* What HCR_EL2 holds while no vCPU is loaded: interrupts and SErrors are ours. */
#define HCR_HOST         (HCR_RW | HCR_AMO | HCR_IMO | HCR_FMO)

/* ---- ESR_EL2 ------------------------------------------------------------------------------------ */
#define ESR_EC_SHIFT     26
#define ESR_EC(esr)      (((esr) >> ESR_EC_SHIFT) & 0x3f)
#define ESR_IL           (1UL << 25) /* a 32-bit instruction */
#define ESR_ISS(esr)     ((esr)&0x1ffffff)

#define EC_UNKNOWN       0x00
#define EC_WFX           0x01
#define EC_CP15_32       0x03
#define EC_CP15_64       0x04
#define EC_CP14_32       0x05
#define EC_CP14_LS       0x06
#define EC_FP            0x07
#define EC_CP10_ID       0x08
#define EC_CP14_64       0x0c
#define EC_ILLEGAL       0x0e
#define EC_HVC32         0x12
#define EC_SMC32         0x13
#define EC_HVC64         0x16
#define EC_SMC64         0x17
#define EC_SYSREG        0x18
#define EC_SVE           0x19
#define EC_IABT_LOW      0x20
#define EC_IABT          0x21
#define EC_PC_ALIGN      0x22
#define EC_DABT_LOW      0x24
#define EC_DABT          0x25
#define EC_SP_ALIGN      0x26
#define EC_SERROR        0x2f
#define EC_BRK64         0x3c

/* ---- generic timer control ------------------------------------------------------------------------ */
#define CNT_CTL_ENABLE   (1u << 0)
#define CNT_CTL_IMASK    (1u << 1)
#define CNT_CTL_ISTATUS  (1u << 2)

/* ---- MPIDR_EL1 ------------------------------------------------------------------------------------ */
#define MPIDR_AFFINITY   0xff00ffffffUL

#ifndef __ASSEMBLY__

#include <stdint.h>

#define sysreg_read(name)                                      \
	({                                                     \
		uint64_t v_;                                   \
		__asm__ volatile("mrs %0, " #name : "=r"(v_)); \
		v_;                                            \
	})
#define sysreg_write(name, value)                                  \
	do {                                                       \
		uint64_t v_ = (value);                             \
		__asm__ volatile("msr " #name ", %x0" ::"rZ"(v_)); \
	} while (0)

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

#define dsb(scope) __asm__ volatile("dsb " #scope ::: "memory")
#define dmb(scope) __asm__ volatile("dmb " #scope ::: "memory")

static inline void wfi(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

static inline void wfe(void)
{
	__asm__ volatile("wfe" ::: "memory");
}

static inline void sev(void)
{
	__asm__ volatile("sev" ::: "memory");
}

/* Device registers. The compiler must emit one plain load or store of this width, no write-back. */
static inline uint8_t mmio_read8(const volatile void *a)
{
	uint32_t v;

	__asm__ volatile("ldrb %w0, %1" : "=r"(v) : "Q"(*(const volatile uint8_t *)a));
	return (uint8_t)v;
}

static inline uint32_t mmio_read32(const volatile void *a)
{
	uint32_t v;

	__asm__ volatile("ldr %w0, %1" : "=r"(v) : "Q"(*(const volatile uint32_t *)a));
	return v;
}

static inline uint64_t mmio_read64(const volatile void *a)
{
	uint64_t v;

	__asm__ volatile("ldr %0, %1" : "=r"(v) : "Q"(*(const volatile uint64_t *)a));
	return v;
}

static inline void mmio_write8(volatile void *a, uint8_t v)
{
	__asm__ volatile("strb %w1, %0" : "=Q"(*(volatile uint8_t *)a) : "rZ"(v));
}

static inline void mmio_write32(volatile void *a, uint32_t v)
{
	__asm__ volatile("str %w1, %0" : "=Q"(*(volatile uint32_t *)a) : "rZ"(v));
}

static inline void mmio_write64(volatile void *a, uint64_t v)
{
	__asm__ volatile("str %x1, %0" : "=Q"(*(volatile uint64_t *)a) : "rZ"(v));
}

#endif
#endif
