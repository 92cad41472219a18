/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended state of guests: saved and loaded at each switch from one vCPU to another, so that none is ever left in the CPU for the
 * next. The hypervisor is compiled without floating point, so it stays untouched across exits. Areas are frames
 * of the domain's pool (two when AVX-512 makes them larger than one). APM vol. 2, 11.5.
 */
#include <asm/fpu.h>

#include <asm/insn.h>
#include <asm/msr.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/string.h>

#define RSTR_FP_ERR_PTRS BIT(2) /* of leaf 80000008, EBX */

#define XCR0_X87         BIT(0)
#define XCR0_SSE         BIT(1)
#define XCR0_AVX         BIT(2)

/* Of an area with x87 and SSE alone. */
#define AREA_HEADER_END  (512u + 64u)

static bool has_xsave;
static bool leaves_pointers; /* loading state may leave the last instruction's addresses as they are */
static uint64_t xcr0_allowed;
static uint32_t mxcsr_mask;

/* x87 and SSE fit 512 bytes and a header; AVX adds 256: one frame. Wider state is not shown to guests yet. */
void fpu_boot_init(void)
{
	has_xsave = cpuid(1, 0).ecx & BIT(26);
	leaves_pointers = cpuid(0x80000000, 0).eax < 0x80000008 ||
			  !(cpuid(0x80000008, 0).ebx & RSTR_FP_ERR_PTRS);
	if (has_xsave)
		xcr0_allowed = cpuid(0xd, 0).eax & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
}

uint64_t fpu_xcr0_allowed(void)
{
	return xcr0_allowed;
}

uint32_t fpu_area_size(void)
{
	if (!has_xsave)
		return 0;
	return xcr0_allowed & XCR0_AVX ? cpuid(0xd, 2).ebx + cpuid(0xd, 2).eax : AREA_HEADER_END;
}

uint32_t fpu_mxcsr_mask(void)
{
	return mxcsr_mask;
}

/* FXSAVE says which bits there are; 0 means those of the first CPUs (vol. 2, 11.4.4). */
static uint32_t read_mxcsr_mask(void)
{
	static uint8_t area[512] ALIGNED(16);
	uint32_t mask;

	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	memcpy(&mask, area + 28, sizeof(mask));
	return mask ? mask : 0xffbf;
}

void fpu_cpu_init(void)
{
	write_cr0((read_cr0() | CR0_MP | CR0_NE) & ~(uint64_t)(CR0_EM | CR0_TS));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (has_xsave ? CR4_OSXSAVE : 0));
	if (!mxcsr_mask)
		mxcsr_mask = read_mxcsr_mask();
}

void fpu_set_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/*
 * The XCR0 that the loaded guest has. Not what the last XSETBV exit said: the emulator (QEMU 7.2, TCG) does not intercept XSETBV, and the
 * register tells the truth everywhere.
 */
uint64_t fpu_guest_xcr0(void)
{
	uint32_t lo, hi;

	if (!has_xsave)
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* FCW and MXCSR after reset (vol. 2, table 14-1); an empty XSAVE header means initial state. */
void fpu_reset(struct vcpu *v)
{
	uint8_t *area = memset(v->arch.fpu, 0, PAGE_SIZE);

	area[0] = 0x7f;
	area[1] = 0x03;
	area[24] = 0x80;
	area[25] = 0x1f;
	v->arch.xcr0 = XCR0_X87;
}

int fpu_init(struct vcpu *v)
{
	mfn_t m = pool_alloc(&v->domain->pool);

	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	v->arch.fpu = frame_va(m);
	fpu_reset(v);
	return 0;
}

void fpu_free(struct vcpu *v)
{
	if (v->arch.fpu)
		pool_free(&v->domain->pool, frame_from_va(v->arch.fpu));
	v->arch.fpu = NULL;
}

/* All that guests may have is moved, whatever the guest's own XCR0 says: state it made and then hid must not stay behind. */
void fpu_save(struct vcpu *v)
{
	if (has_xsave) {
		v->arch.xcr0 = fpu_guest_xcr0() & xcr0_allowed;
		fpu_set_xcr0(xcr0_allowed);
		__asm__ volatile("xsave64 (%0)"
				 :
				 : "r"(v->arch.fpu), "a"((uint32_t)xcr0_allowed), "d"(0)
				 : "memory");
	} else {
		__asm__ volatile("fxsave64 (%0)" : : "r"(v->arch.fpu) : "memory");
	}
}

/*
 * FOP, FIP and FDP are loaded only together with a pending exception on CPUs before Zen 2 (vol. 2, 11.4.4): those of another guest would stay.
 * An instruction of ours puts its own there; none is pending then, and the stack has room.
 */
static void forget_pointers(void)
{
	static const uint32_t zero;

	__asm__ volatile("fnclex\n\temms\n\tfildl %0" : : "m"(zero));
}

void fpu_load(struct vcpu *v)
{
	if (unlikely(leaves_pointers))
		forget_pointers();
	if (has_xsave) {
		fpu_set_xcr0(xcr0_allowed);
		__asm__ volatile("xrstor64 (%0)"
				 :
				 : "r"(v->arch.fpu), "a"((uint32_t)xcr0_allowed), "d"(0)
				 : "memory");
		fpu_set_xcr0(v->arch.xcr0);
	} else {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(v->arch.fpu) : "memory");
	}
}
