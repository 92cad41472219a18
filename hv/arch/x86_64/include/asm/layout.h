/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's address space on x86-64 (four levels, 48 bits):
 *
 *	0000_0000_0000_0000	nothing (the identity map of the first 4 GiB exists only while CPUs start)
 *	ffff_8000_0000_0000	direct map: machine address + this, RW NX; without the image (64 TiB)
 *	ffff_c000_0000_0000	frame table, 16 bytes a frame, mapped as memory is first handed out
 *	ffff_d000_0000_0000	devices, uncached
 *	ffff_e000_0000_0000	stacks: a slot of 64 KiB for each CPU (below)
 *	ffff_ffff_8020_0000	the image: text RX, constants R, data RW NX; loaded at 2 MiB
 *
 * A stack slot, from below (pages): guard, 4 of stack, guard, 1 NMI, guard, 1 #MC, guard, 2 #DF, guard, unused.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#ifdef __ASSEMBLY__
#define LAYOUT_ADDR(x) x
#else
#define LAYOUT_ADDR(x) x##ul
#endif

#define DIRECT_BASE      LAYOUT_ADDR(0xffff800000000000)
#define DIRECT_SIZE      LAYOUT_ADDR(0x0000400000000000)
#define FRAME_TABLE_BASE LAYOUT_ADDR(0xffffc00000000000)
#define FRAME_TABLE_SIZE LAYOUT_ADDR(0x0000004000000000)
#define DEVICE_AREA_BASE LAYOUT_ADDR(0xffffd00000000000)
#define DEVICE_AREA_SIZE LAYOUT_ADDR(0x0000002000000000)
#define STACK_AREA_BASE  LAYOUT_ADDR(0xffffe00000000000)
#define IMAGE_VIRTUAL    LAYOUT_ADDR(0xffffffff80000000) /* + machine address = link address */
#define IMAGE_MACHINE    0x200000

#define STACK_SLOT_SIZE  0x10000
#define STACK_PAGE       1
#define STACK_PAGES      4
#define NMI_PAGE         6
#define MC_PAGE          8
#define DF_PAGE          10
#define DF_PAGES         2

/* Segment selectors: the order that SYSCALL and SYSRET will want of PV guests. */
#define SEL_CODE         0x08
#define SEL_DATA         0x10
#define SEL_TSS          0x28

#define IST_NMI          1
#define IST_MC           2
#define IST_DF           3

#endif
