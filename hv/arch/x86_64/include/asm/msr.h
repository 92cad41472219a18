/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model-specific registers and control bits that the hypervisor uses (AMD APM vol. 2, Intel SDM vol. 4). Plain numbers: assembly
 * includes this too.
 */
#ifndef ASM_MSR_H
#define ASM_MSR_H

#define MSR_TSC            0x00000010
#define MSR_APIC_BASE      0x0000001b
#define APIC_BASE_BSP      0x00000100
#define APIC_BASE_X2APIC   0x00000400
#define APIC_BASE_ENABLE   0x00000800
#define MSR_SPEC_CTRL      0x00000048
#define SPEC_CTRL_IBRS     0x00000001
#define SPEC_CTRL_STIBP    0x00000002
#define SPEC_CTRL_SSBD     0x00000004
#define SPEC_CTRL_PSFD     0x00000080
#define MSR_PRED_CMD       0x00000049
#define PRED_CMD_IBPB      0x00000001
#define MSR_SYSENTER_CS    0x00000174
#define MSR_SYSENTER_ESP   0x00000175
#define MSR_SYSENTER_EIP   0x00000176
#define MSR_MCG_CAP        0x00000179
#define MSR_MCG_STATUS     0x0000017a
#define MSR_MCG_CTL        0x0000017b
#define MSR_MISC_ENABLE    0x000001a0
#define MSR_MTRR_DEF_TYPE  0x000002ff
#define MSR_PAT            0x00000277
#define MSR_MC0_CTL        0x00000400
#define MSR_TSC_DEADLINE   0x000006e0
#define MSR_X2APIC         0x00000800
#define MSR_XSS            0x00000da0
#define MSR_EFER           0xc0000080
#define EFER_SCE           0x00000001
#define EFER_LME           0x00000100
#define EFER_LMA           0x00000400
#define EFER_NXE           0x00000800
#define EFER_SVME          0x00001000
#define EFER_LMSLE         0x00002000
#define EFER_FFXSR         0x00004000
#define EFER_AIBRSE        0x00200000
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define MSR_SYSCFG         0xc0010010
#define MSR_HWCR           0xc0010015
#define MSR_VM_CR          0xc0010114
#define VM_CR_SVMDIS       0x00000010
#define MSR_VM_HSAVE_PA    0xc0010117
#define MSR_DE_CFG         0xc0011029
#define DE_CFG_LFENCE      0x00000002

#define CR0_PE             0x00000001
#define CR0_MP             0x00000002
#define CR0_EM             0x00000004
#define CR0_TS             0x00000008
#define CR0_ET             0x00000010
#define CR0_NE             0x00000020
#define CR0_WP             0x00010000
#define CR0_AM             0x00040000
#define CR0_NW             0x20000000
#define CR0_CD             0x40000000
#define CR0_PG             0x80000000

#define CR4_DE             0x00000008
#define CR4_PSE            0x00000010
#define CR4_PAE            0x00000020
#define CR4_MCE            0x00000040
#define CR4_PGE            0x00000080
#define CR4_OSFXSR         0x00000200
#define CR4_OSXMMEXCPT     0x00000400
#define CR4_UMIP           0x00000800
#define CR4_LA57           0x00001000
#define CR4_VMXE           0x00002000
#define CR4_FSGSBASE       0x00010000
#define CR4_PCIDE          0x00020000
#define CR4_OSXSAVE        0x00040000
#define CR4_SMEP           0x00100000
#define CR4_SMAP           0x00200000

#endif
