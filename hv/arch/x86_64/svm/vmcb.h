/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual machine control block (APM vol. 2, appendix B) and exit codes (appendix C). Private to svm/.
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <hv/compiler.h>

struct vmcb_segment {
	uint16_t selector, attr;
	uint32_t limit;
	uint64_t base;
};

/* Intercept words: APM vol. 2, table B-1. */
#define ICPT_CR_READ(n)     BIT(n)
#define ICPT_CR_WRITE(n)    BIT(16 + (n))
#define ICPT3_INTR          BIT(0)
#define ICPT3_NMI           BIT(1)
#define ICPT3_SMI           BIT(2)
#define ICPT3_INIT          BIT(3)
#define ICPT3_VINTR         BIT(4)
#define ICPT3_RDPMC         BIT(15)
#define ICPT3_CPUID         BIT(18)
#define ICPT3_IRET          BIT(20)
#define ICPT3_INVD          BIT(22)
#define ICPT3_HLT           BIT(24)
#define ICPT3_INVLPGA       BIT(26)
#define ICPT3_IOIO          BIT(27)
#define ICPT3_MSR           BIT(28)
#define ICPT3_TASK_SWITCH   BIT(29)
#define ICPT3_FERR_FREEZE   BIT(30)
#define ICPT3_SHUTDOWN      BIT(31)
#define ICPT4_VMRUN         BIT(0)
#define ICPT4_VMMCALL       BIT(1)
#define ICPT4_VMLOAD        BIT(2)
#define ICPT4_VMSAVE        BIT(3)
#define ICPT4_STGI          BIT(4)
#define ICPT4_CLGI          BIT(5)
#define ICPT4_SKINIT        BIT(6)
#define ICPT4_WBINVD        BIT(9) /* and WBNOINVD */
#define ICPT4_MONITOR       BIT(10)
#define ICPT4_MWAIT         BIT(11)
#define ICPT4_XSETBV        BIT(13)
#define ICPT4_RDPRU         BIT(14)

#define TLB_KEEP            0
#define TLB_FLUSH_ALL       1
#define TLB_FLUSH_ASID      3

#define INT_TPR_MASK        0xffull
#define INT_V_IRQ           BIT(8)
#define INT_V_IGN_TPR       BIT(20)
#define INT_V_PRIO(p)       ((uint64_t)(p) << 16)
#define INT_V_MASKING       BIT(24)

#define EVENTINJ_VALID      BIT(31)
#define EVENTINJ_ERROR      BIT(11)
#define EVENTINJ_TYPE_SHIFT 8

/* Clean bits: parts of the block that software did not change since the last exit. */
#define CLEAN_INTERCEPTS    BIT(0)
#define CLEAN_IOPM          BIT(1)
#define CLEAN_ASID          BIT(2)
#define CLEAN_TPR           BIT(3)
#define CLEAN_NP            BIT(4)
#define CLEAN_CR            BIT(5)
#define CLEAN_DR            BIT(6)
#define CLEAN_DT            BIT(7)
#define CLEAN_SEG           BIT(8)
#define CLEAN_CR2           BIT(9)
#define CLEAN_ALL           0x3ffull

struct vmcb {
	/* Control area. */
	uint32_t icpt_cr, icpt_dr, icpt_exception, icpt3, icpt4, icpt5;
	uint8_t reserved_018[0x03c - 0x018];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm, msrpm;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint64_t interrupt; /* V_TPR, V_IRQ, ... */
	uint64_t shadow;    /* bit 0: interrupt shadow; bit 1: guest's IF when V_INTR_MASKING */
	uint64_t exitcode, exitinfo1, exitinfo2, exitintinfo;
	uint64_t np_control; /* bit 0: nested paging */
	uint64_t avic_apic_bar, ghcb;
	uint64_t eventinj;
	uint64_t n_cr3;
	uint64_t virt_ext; /* LBR, virtual VMLOAD */
	uint64_t clean;
	uint64_t next_rip;
	uint8_t nr_bytes; /* decode assist */
	uint8_t bytes[15];
	uint8_t reserved_0e0[0x400 - 0x0e0];

	/* State save area. */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t g_pat, debugctl, br_from, br_to, lastexcpfrom, lastexcpto;
	uint8_t reserved_698[0x6e0 - 0x698];
	uint64_t spec_ctrl;
	uint8_t rest[0x1000 - 0x6e8];
};
_Static_assert(sizeof(struct vmcb) == 4096, "APM vol. 2, appendix B");
_Static_assert(offsetof(struct vmcb, exitcode) == 0x070, "APM vol. 2, table B-1");
_Static_assert(offsetof(struct vmcb, eventinj) == 0x0a8, "APM vol. 2, table B-1");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM vol. 2, table B-2");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "APM vol. 2, table B-2");
_Static_assert(offsetof(struct vmcb, g_pat) == 0x668, "APM vol. 2, table B-2");

enum {
	EXIT_EXCEPTION = 0x040, /* + vector */
	EXIT_INTR = 0x060,
	EXIT_NMI = 0x061,
	EXIT_INIT = 0x063,
	EXIT_VINTR = 0x064,
	EXIT_RDPMC = 0x06f,
	EXIT_CPUID = 0x072,
	EXIT_IRET = 0x074,
	EXIT_INVD = 0x076,
	EXIT_HLT = 0x078,
	EXIT_INVLPGA = 0x07a,
	EXIT_IOIO = 0x07b,
	EXIT_MSR = 0x07c,
	EXIT_TASK_SWITCH = 0x07d,
	EXIT_SHUTDOWN = 0x07f,
	EXIT_VMRUN = 0x080,
	EXIT_VMMCALL = 0x081,
	EXIT_VMLOAD = 0x082,
	EXIT_VMSAVE = 0x083,
	EXIT_STGI = 0x084,
	EXIT_CLGI = 0x085,
	EXIT_SKINIT = 0x086,
	EXIT_WBINVD = 0x089,
	EXIT_MONITOR = 0x08a,
	EXIT_MWAIT = 0x08b,
	EXIT_XSETBV = 0x08d,
	EXIT_RDPRU = 0x08e,
	EXIT_NPF = 0x400,
};
#define EXIT_INVALID (~(uint64_t)0)

#endif
