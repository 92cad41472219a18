/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's address space (EL2, one range of 48 bits). The image stands where no RAM of
 * a real machine is numbered, so that it can be mapped beside the identity mapping of the switch
 * code while a CPU turns its MMU on.
 *
 *	0000_0000_0000	nothing (tables used only to switch: one page of code, at its own address)
 *	7e80_0000_0000	frame table, 16 bytes a frame, mapped as memory is first handed out
 *	7f00_0000_0000	stacks: a slot of 64 KiB for each CPU (below)
 *	7f20_0000_0000	devices, uncached
 *	7f40_0000_0000	the host's device tree, read-only
 *	7f80_0000_0000	the image: text RX, constants R, data RW
 *	8000_0000_0000	direct map: machine address + this, RW; without the image and firmware's RAM
 *
 * A stack slot, from below (pages): guard, 4 of stack, guard, 3 of emergency stack, guard, unused.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#ifdef __ASSEMBLY__
#define LAYOUT_ADDR(x) x
#else
#define LAYOUT_ADDR(x) x##ul
#endif

#define FRAME_TABLE_BASE     LAYOUT_ADDR(0x7e8000000000)
#define FRAME_TABLE_SIZE     LAYOUT_ADDR(0x008000000000) /* 512 GiB: frames of 128 TiB */
#define STACK_AREA_BASE      LAYOUT_ADDR(0x7f0000000000)
#define DEVICE_AREA_BASE     LAYOUT_ADDR(0x7f2000000000)
#define DEVICE_AREA_SIZE     LAYOUT_ADDR(0x002000000000)
#define FDT_WINDOW_BASE      LAYOUT_ADDR(0x7f4000000000)
#define IMAGE_BASE           LAYOUT_ADDR(0x7f8000000000)
#define DIRECT_BASE          LAYOUT_ADDR(0x800000000000)

/* Machine addresses at or above this cannot be mapped. */
#define MACHINE_ADDRESS_BITS 47
/* The identity mapping must not meet what the switch tables share with the others. */
#define IMAGE_PLACE_LIMIT    FRAME_TABLE_BASE

#define STACK_SLOT_SIZE      0x10000
#define STACK_GUARD          0x1000
#define STACK_SIZE           0x4000
#define EMERGENCY_SIZE       0x3000

#endif
