/* SPDX-License-Identifier: Apache-2.0 */
/* What the hypervisor found and took of the machine, and the way there: main.c, cpu.c, head.S. */
#ifndef ASM_MACHINE_H
#define ASM_MACHINE_H

#include <hv/compiler.h>

struct cpu;

/* Devices in the host's tree that are the hypervisor's and so not dom0's. */
struct machine {
	int uart_node;                   /* the console's, negative: none */
	uint64_t uart_base;              /* machine address */
	uint64_t image_start, image_end; /* machine addresses, whole pages */
};
extern struct machine machine; /* [c] after arch_main() */

/* C entry of the boot CPU, on the boot stack, with the machine address of the device tree. */
NORETURN void arch_main(uint64_t fdt_address);
/* C entry of the others, on their own stack. */
NORETURN void secondary_main(struct cpu *c);
MUST_USE bool cpu_setup_self(struct cpu *c);

/* head.S */
extern const char secondary_start[];
extern char boot_stack_top[];
NORETURN void switch_stack(uint64_t top, void (*next)(void));

#endif
