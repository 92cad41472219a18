/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hardware task switch, which only 32-bit code can make, ends the domain and is named (machine.json: "says"). The emulator (QEMU 7.2)
 * does not intercept it: there the switch is made, to a task of zeros, which shuts the vCPU down.
 */
#include "machine.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

extern uint64_t gdt[8];
extern char gdtr[];
static uint8_t tss[2][104] __attribute__((aligned(128)));

/* lgdt (gdtr); ljmp to the task; the first is loaded by LTR. */
static uint8_t code[] = { 0x0f, 0x01, 0x15, 0, 0, 0,    0,          /* lgdt */
			  0xb8, 0x20, 0,    0, 0, 0x0f, 0x00, 0xd8, /* mov $0x20, %eax; ltr %ax */
			  0xea, 0,    0,    0, 0, 0x28, 0,          /* ljmp $0x28, $0 */
			  0xf4, 0xeb, 0xfd };

static uint64_t descriptor(uint64_t base)
{
	return 103 | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24) << 56;
}

void guest_test(void)
{
	uint32_t at = (uint32_t)(uint64_t)gdtr;
	struct vcpu_hvm_context c = {
		.mode = VCPU_HVM_MODE_32B,
		.cpu_regs.x86_32 = {
			.eip = (uint32_t)(uint64_t)code,
			.esp = 0x9000,
			.eflags = 2,
			.cr0 = 0x11,
			.cs_limit = ~0u, .cs_ar = 0xc9b,
			.ds_limit = ~0u, .ds_ar = 0xc93,
			.ss_limit = ~0u, .ss_ar = 0xc93,
			.es_limit = ~0u, .es_ar = 0xc93,
			.tr_limit = 0x67, .tr_ar = 0x8b,
		},
	};

	memcpy(code + 3, &at, 4);
	gdt[4] = descriptor((uint64_t)tss[0]);
	gdt[5] = descriptor((uint64_t)tss[1]);
	print("GUEST-TEST PASS\n");
	CHECK(HYPERCALL(vcpu_op, VCPUOP_initialise, 1, &c), 0, "initialised");
	CHECK(HYPERCALL(vcpu_op, VCPUOP_up, 1, 0), 0, "started");
	for (;;)
		pause();
}
