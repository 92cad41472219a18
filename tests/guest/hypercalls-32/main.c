/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls from 32-bit code: registers and structures are those of the 32-bit ABI; what is not there is refused. */
#include "machine.h"

#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define ENOSYS  (-38)
#define EFAULT  (-14)
#define RAM_END 0x2000000u

/* Into the 32-bit code segment and back (start.S has both); no stack there, as SS is null. */
static int32_t call32(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3)
{
	uint64_t rax = nr | 0x1234500000000000, rbx = a0, rcx = a1, rdx = a2, rsi = a3;

	__asm__ volatile("pushq $0x18\n\tpushq $1f\n\tlretq\n"
			 "\t.code32\n1:\tvmmcall\n\tljmp $8, $2f\n\t.code64\n2:"
			 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi)
			 :
			 : "rdi", "memory", "cc");
	return (int32_t)rax;
}
#define CALL32(nr, a0, a1, a2)                                                          \
	call32(__HYPERVISOR_##nr, (uint32_t)(uintptr_t)(a0), (uint32_t)(uintptr_t)(a1), \
	       (uint32_t)(uintptr_t)(a2), 0)

/* xen/memory.h, xen/vcpu.h for 32 bits. */
struct add_to_physmap_32 {
	uint16_t domid, size;
	uint32_t space, idx, gpfn;
};
struct remove_from_physmap_32 {
	uint16_t domid;
	uint32_t gpfn;
};
struct singleshot_32 {
	uint32_t timeout_low, timeout_high, flags;
};

static bool pending(evtchn_port_t port)
{
	return __atomic_load_n(&shared_info.evtchn_pending[0], __ATOMIC_SEQ_CST) >> port & 1;
}

static void version(void)
{
	struct xen_feature_info info = { .submap_idx = 0 };
	char text[16] = "";
	uint32_t parameters[2] = { 5, 5 };

	CHECK(CALL32(xen_version, XENVER_version, 0, 0), 4 << 16 | 17, "the version");
	CHECK(CALL32(xen_version, XENVER_extraversion, text, 0), 0, "a text");
	CHECK(text[0], '-', "is written");
	CHECK(CALL32(xen_version, XENVER_get_features, &info, 0), 0, "features");
	CHECK_TRUE(info.submap >> XENFEAT_hvm_callback_vector & 1, "are told");
	CHECK(CALL32(xen_version, XENVER_platform_parameters, parameters, 0), 0, "parameters");
	CHECK(parameters[0], 0, "are one word");
	CHECK(parameters[1], 5, "of 32 bits");
	CHECK(CALL32(xen_version, XENVER_get_features, NOTHING, 0), EFAULT, "a pointer to nothing");
}

static void events(void)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };
	struct evtchn_send s;

	CHECK(CALL32(event_channel_op, EVTCHNOP_alloc_unbound, &a, 0), 0, "a port");
	b.remote_port = a.port;
	CHECK(CALL32(event_channel_op, EVTCHNOP_bind_interdomain, &b, 0), 0, "bound");
	s.port = b.local_port;
	(void)event_take(a.port);
	CHECK(CALL32(event_channel_op, EVTCHNOP_send, &s, 0), 0, "sent");
	CHECK_TRUE(event_take(a.port), "and pending");
	s.port = 100000;
	CHECK(CALL32(event_channel_op, EVTCHNOP_send, &s, 0), -22, "no such port");
}

static void memory(void)
{
	struct add_to_physmap_32 add = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_shared_info,
		.gpfn = (uint32_t)((uintptr_t)&shared_info >> 12),
	};
	struct remove_from_physmap_32 away = { .domid = DOMID_SELF, .gpfn = GRANT_TABLE >> 12 };
	uint16_t self = DOMID_SELF;

	shared_info.wc_version = 0x11111111;
	CHECK(CALL32(memory_op, XENMEM_add_to_physmap, &add, 0), 0, "the shared page");
	CHECK_TRUE(shared_info.wc_version != 0x11111111, "is another one now");
	add.space = XENMAPSPACE_grant_table;
	add.gpfn = GRANT_TABLE >> 12;
	CHECK(CALL32(memory_op, XENMEM_add_to_physmap, &add, 0), 0, "the grant table");
	CHECK_TRUE(!NOTHING_AT(GRANT_TABLE), "is there");
	CHECK(CALL32(memory_op, XENMEM_remove_from_physmap, &away, 0), 0, "and away");
	CHECK_TRUE(NOTHING_AT(GRANT_TABLE), "it is");
	CHECK_TRUE(CALL32(memory_op, XENMEM_current_reservation, &self, 0) > 1000, "pages");
}

static void parameters(void)
{
	struct xen_hvm_param p = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | UPCALL,
	};

	CHECK(CALL32(hvm_op, HVMOP_set_param, &p, 0), 0, "the upcall's vector");
	p.value = 0;
	CHECK(CALL32(hvm_op, HVMOP_get_param, &p, 0), 0, "can be read");
	CHECK(p.value >> 56, HVM_PARAM_CALLBACK_TYPE_VECTOR, "in 64 bits");
}

static void timers(void)
{
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER };
	/* The end of memory: the wide structure would not fit. */
	struct singleshot_32 *op = (struct singleshot_32 *)(uintptr_t)(RAM_END - sizeof(*op));

	CHECK(CALL32(event_channel_op, EVTCHNOP_bind_virq, &virq, 0), 0, "the timer's port");
	(void)event_take(virq.port);
	*op = (struct singleshot_32){ .timeout_low = 1 };
	CHECK(CALL32(vcpu_op, VCPUOP_set_singleshot_timer, 0, op), 0, "a timer");
	CHECK_TRUE(WAIT_FOR(pending(virq.port)) && event_take(virq.port), "fires");
	op->flags = VCPU_SSHOTTMR_future;
	CHECK(CALL32(vcpu_op, VCPUOP_set_singleshot_timer, 0, op), -62, "too late");
	CHECK(CALL32(vcpu_op, VCPUOP_set_singleshot_timer, 0, op + 1), EFAULT, "beyond memory");
	CHECK(CALL32(vcpu_op, VCPUOP_set_singleshot_timer, 9, op), -2, "of nobody");
	CHECK(CALL32(vcpu_op, VCPUOP_is_up, 0, 0), 1, "it is up");
	CHECK(CALL32(set_timer_op, 1, 0, 0), 0, "the other way to set it");
	CHECK_TRUE(WAIT_FOR(pending(virq.port)) && event_take(virq.port), "works");
}

void guest_test(void)
{
	version();
	memory();
	events();
	parameters();
	timers();
	CHECK(CALL32(sched_op, SCHEDOP_yield, 0, 0), 0, "yield");
	CHECK(CALL32(sched_op, SCHEDOP_poll, &shared_info, 0), ENOSYS, "poll is not there");
	CHECK(CALL32(multicall, &shared_info, 1, 0), ENOSYS, "nor are multicalls");
	CHECK(call32(61, 0, 0, 0, 0), ENOSYS, "nor a number that is none");
	CHECK(call32(0xffffffff, 0, 0, 0, 0), ENOSYS, "whatever it is");
	CHECK(HYPERCALL(xen_version, XENVER_version, 0), 4 << 16 | 17, "64-bit code still calls");
}
