/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu_op on Arm has two operations: where event words and run-state times are. All others, PSCI's business
 * and the generic timer's, are unknown. Passes on Debian's Xen 4.17 as well.
 */
#include "machine.h"

#include <xen/vcpu.h>

#define ENOENT 2
#define ENXIO  6
#define EINVAL 22
#define ENOSYS 38

#define MANY   1000 /* no domain here has so many vCPUs */

static char page[4096] __attribute__((aligned(4096)));
static volatile bool running, stop;

static void other(unsigned cpu)
{
	running = true;
	while (!stop)
		;
}

static long register_info(unsigned vcpu, uint64_t frame, uint32_t offset)
{
	struct vcpu_register_vcpu_info op = { .mfn = frame, .offset = offset };

	return HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, vcpu, &op);
}

static long register_runstate(unsigned vcpu)
{
	struct vcpu_register_runstate_memory_area op;

	memset(&op, 0, sizeof(op));
	op.addr.v = (struct vcpu_runstate_info *)(page + 1024 + 64 * (vcpu % 4));
	return HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, vcpu, &op);
}

void guest_test(void)
{
	uint64_t frame = (uintptr_t)page >> 12;

	for (unsigned op = 0; op < 16; op++) {
		if (op == VCPUOP_register_vcpu_info || op == VCPUOP_register_runstate_memory_area)
			continue;
		CHECK(HYPERCALL(vcpu_op, op, 0, page), -EINVAL, "not an operation of Arm");
		CHECK(HYPERCALL(vcpu_op, op, MANY, page), -ENOENT, "the vCPU is looked up first");
	}
	CHECK(HYPERCALL(set_timer_op, 1000000), -ENOSYS, "set_timer_op");
	CHECK(register_info(MANY, frame, 0), -ENOENT, "no such vCPU");
	CHECK(register_info(1, frame, 4096 - 8), -ENXIO, "over the end of the frame");
	CHECK(register_info(1, frame, 3), -ENXIO, "not aligned");
	CHECK(register_info(1, 0x123456789, 0), -EINVAL, "no memory");
	CHECK(register_info(1, frame, 64), 0, "of a vCPU that is off");
	CHECK(register_info(1, frame, 64), -EINVAL, "a second time");
	CHECK(cpu_start(2, other), 0, "started");
	CHECK_TRUE(WAIT_FOR(running), "it runs");
	CHECK(register_info(2, frame, 128), -EINVAL, "of another that runs");
	CHECK(register_info(0, frame, 192), 0, "its own");
	CHECK(register_runstate(MANY), -ENOENT, "no such vCPU");
	CHECK(register_runstate(0), 0, "its own times");
	CHECK(register_runstate(3), 0, "those of one that is off");
	CHECK(((struct vcpu_runstate_info *)(page + 1024 + 64 * 0))->state, RUNSTATE_running,
	      "it runs");
	CHECK(((struct vcpu_runstate_info *)(page + 1024 + 64 * 3))->state, RUNSTATE_offline,
	      "off means offline");
	stop = true;
}
