/* SPDX-License-Identifier: Apache-2.0 */
/* Booting a PC: what the loader left, and the calls between head.S, boot/ and cpu/. Boot only. */
#ifndef ASM_BOOT_H
#define ASM_BOOT_H

#include <hv/compiler.h>

struct cpu;

/* head.S calls this on the boot stack and the boot tables. */
NORETURN void x86_boot(uint32_t magic, uint32_t info);
/* trampoline.S calls this on the CPU's own stack and the final tables. */
NORETURN void x86_cpu_start(struct cpu *c);
/* Descriptor tables, control registers and features of the calling CPU. */
void x86_cpu_init(struct cpu *c);

/* CR4 bits by which the hypervisor protects itself, as far as this CPU has them. */
uint64_t x86_cr4_protections(void);

/*
 * Copy memory map, command line and modules from what the loader left (multiboot, multiboot2 or PVH) into boot_info; module 0 is
 * dom0's kernel unless a description says otherwise. False: said why not.
 */
MUST_USE bool loader_read(uint32_t magic, uint32_t info);
/*
 * Make memory and modules fit together: of RAM that is listed twice or is something else too, the other entry counts; modules that are not
 * inside RAM, or lie over each other or over the hypervisor at [image_start, image_end), become empty. All of it is said. False: cannot be.
 */
MUST_USE bool loader_settle(uint64_t image_start, uint64_t image_end);
/* ACPI's root pointer if the loader passed one, else 0. */
uint64_t loader_rsdp(void);

/* A free page below 1 MiB for the trampoline, 0: none. */
uint64_t x86_low_page(void);

/* The loop of a CPU that has guests: never returns. */
NORETURN void hv_enter_loop(void);

#endif
