/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the small hypercall families, through hypercall(): dispatch, reasons, version, vCPU, scheduling, parameters, multicall. */
#include "sim.h"

#include <arch/timer.h>
#include <hv/control.h>
#include <hv/string.h>
#include <public/krypton.h>
#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define MEMORY (64ull << 20)
#define WILD   0xffff800000000000ull

static struct domain *d0; /* with all roles */
static struct vcpu *v0;

static void boot(void)
{
	sim_boot(1, MEMORY, 1);
	d0 = sim_caller(ROLE_CONTROL | ROLE_HARDWARE | ROLE_CONSOLE | ROLE_STORE);
	v0 = d0->vcpu[0];
}

static void unknown_numbers_are_enosys(void **state)
{
	static const uint64_t numbers[] = { 0, 8, 31, 47, 55, 61, 64, 1000, ~0ull };

	boot();
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(sim_hypercall(v0, numbers[i], 0), -ENOSYS);
		assert_int_equal(v0->refusal.id, R_UNKNOWN_HYPERCALL);
		assert_int_equal(v0->refusal.object, numbers[i]);
	}
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_kexec_op, 3), -ENOSYS);
	assert_int_equal(v0->refusal.id, R_NOT_IMPLEMENTED);
	sim_end_machine();
}

static void last_reason_can_be_read(void **state)
{
	struct krypton_refusal r = { 0 };

	boot();
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_kexec_op, 3), -ENOSYS);
	assert_int_equal(sim_hypercall(v0, KRYPTON_HYPERCALL_REASON, sim_arg(v0).a, sizeof(r)), 0);
	assert_true(sim_peek(v0, sim_arg(v0), &r, sizeof(r)));
	assert_int_equal(r.reason, R_NOT_IMPLEMENTED);
	assert_int_equal(r.error, -ENOSYS);
	assert_int_equal(r.object, 3);
	assert_int_equal(r.length, strlen(r.text));
	assert_non_null(strstr(r.text, "operation 3 of hypercall 37"));
	assert_int_equal(sim_hypercall(v0, KRYPTON_HYPERCALL_REASON, sim_arg(v0).a, 8), -EINVAL);
	assert_int_equal(sim_hypercall(v0, KRYPTON_HYPERCALL_REASON, WILD, sizeof(r)), -EFAULT);
	sim_end_machine();
}

static void every_reason_formats_within_its_buffer(void **state)
{
	char tiny[8], text[216];

	for (unsigned id = 0; id < NR_REASONS; id++) {
		struct refusal r = { .id = id, .object = ~0ull, .limit = ~0ull, .actual = ~0ull };
		int n = reason_format(text, sizeof(text), &r);

		assert_in_range(n, 1, 400);
		if (strchr(text, 0x25))
			fail_msg("%u: %s", id, text);
		assert_int_equal(reason_format(tiny, sizeof(tiny), &r), n);
		assert_int_equal(strlen(tiny), 7);
		assert_true(id == R_NONE || reason_err((enum reason)id) < 0);
	}
}

/* ---- version ----------------------------------------------------------------------------------- */

static void version_is_that_of_xen_4_17(void **state)
{
	xen_extraversion_t extra;
	struct xen_feature_info f = { .submap_idx = 0 };

	boot();
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_xen_version, XENVER_version), 4 << 16 | 17);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_xen_version, XENVER_pagesize), 4096);
	assert_int_equal(sim_call(v0, __HYPERVISOR_xen_version, XENVER_extraversion, &extra), 0);
	assert_string_equal(extra, "-krypton");
	assert_int_equal(sim_call(v0, __HYPERVISOR_xen_version, XENVER_get_features, &f), 0);
	f.submap_idx = 99;
	assert_int_equal(sim_call(v0, __HYPERVISOR_xen_version, XENVER_get_features, &f), 0);
	assert_int_equal(f.submap, 0);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_xen_version, XENVER_build_id), -ENODATA);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_xen_version, 99), -ENOSYS);
	for (unsigned op = XENVER_extraversion; op <= XENVER_commandline; op++)
		if (op != XENVER_pagesize)
			assert_int_equal(sim_hypercall(v0, __HYPERVISOR_xen_version, op, WILD),
					 -EFAULT);
	sim_end_machine();
}

static void command_line_is_for_managers(void **state)
{
	xen_commandline_t text;
	struct domain *u;

	boot();
	u = sim_caller(0);
	assert_int_equal(sim_call(u->vcpu[0], __HYPERVISOR_xen_version, XENVER_commandline, &text),
			 0);
	assert_string_equal(text, "<denied>");
	assert_int_equal(sim_call(v0, __HYPERVISOR_xen_version, XENVER_commandline, &text), 0);
	assert_string_not_equal(text, "<denied>");
	sim_end_machine();
}

/* ---- vCPUs ------------------------------------------------------------------------------------- */

static int64_t vcpu_op(unsigned op, unsigned id, void *arg, size_t n)
{
	if (arg)
		assert_true(sim_poke(v0, sim_arg(v0), arg, n));
	return sim_hypercall(v0, __HYPERVISOR_vcpu_op, op, id, sim_arg(v0).a);
}

static void vcpu_without_context_does_not_come_up(void **state)
{
	boot();
	assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL, 0), -EINVAL);
	assert_int_equal(v0->refusal.id, R_VCPU_NOT_INITIALISED);
	d0->vcpu[1]->initialised = true;
	assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL, 0), 1);
	assert_int_equal(vcpu_op(VCPUOP_down, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_is_up, 2, NULL, 0), -ENOENT);
	assert_int_equal(vcpu_op(99, 0, NULL, 0), -ENOSYS);
	sim_end_machine();
}

static void only_a_paused_domain_has_its_ports_reset_by_another(void **state)
{
	struct domain *u;
	struct evtchn_reset op;

	boot();
	u = sim_caller(0);
	op.dom = u->id;
	assert_int_equal(sim_evtchn(v0, EVTCHNOP_reset, &op), -EINVAL);
	assert_int_equal(v0->refusal.id, R_NOT_PAUSED);
	assert_int_equal(control_pause(u), 0);
	assert_int_equal(sim_evtchn(v0, EVTCHNOP_reset, &op), 0);
	op.dom = DOMID_SELF;
	assert_int_equal(sim_evtchn(v0, EVTCHNOP_reset, &op), 0);
	sim_end_machine();
}

static void the_last_vcpu_that_goes_down_switches_the_domain_off(void **state)
{
	boot();
	d0->vcpu[0]->initialised = d0->vcpu[1]->initialised = true;
	assert_int_equal(domain_start(d0), 0);
	assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_down, 1, NULL, 0), 0);
	assert_int_not_equal(d0->state, DOMAIN_SHUTDOWN);
	assert_int_equal(vcpu_op(VCPUOP_down, 0, NULL, 0), 0);
	assert_int_equal(d0->state, DOMAIN_SHUTDOWN);
	assert_int_equal(d0->shutdown_code, SHUTDOWN_poweroff);
	sim_end_machine();
}

static void vcpu_info_moves_once_and_stays_in_its_frame(void **state)
{
	struct vcpu_register_vcpu_info op = { .mfn = 5, .offset = 64 };
	uint8_t pending;

	boot();
	op.offset = 4096 - 8;
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &op, sizeof(op)), -ENXIO);
	assert_int_equal(v0->refusal.id, R_BAD_VCPU_INFO);
	op.offset = 3;
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &op, sizeof(op)), -ENXIO);
	op.offset = 64;
	op.mfn = 5000;
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &op, sizeof(op)), -EINVAL);
	assert_int_equal(v0->refusal.id, R_VCPU_INFO_NOT_RAM);
	op.mfn = 5;
	v0->info->arch.cr2 = 77;
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &op, sizeof(op)), 0);
	assert_int_equal(v0->info->arch.cr2, 77);
	/* Whatever was pending is looked at again. */
	assert_true(sim_peek(v0, gva(5 * 4096 + 64), &pending, 1));
	assert_int_equal(pending, 1);
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &op, sizeof(op)), -EINVAL);
	assert_int_equal(v0->refusal.id, R_VCPU_INFO_SET);
	sim_end_machine();
}

static void another_vcpu_is_set_up_only_while_it_is_down(void **state)
{
	struct vcpu_register_vcpu_info info = { .mfn = 5, .offset = 64 };
	struct vcpu_register_runstate_memory_area area = { .addr.p = 6 * 4096 };
	struct vcpu_runstate_info now;

	boot();
	assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 1, &area, sizeof(area)), 0);
	assert_true(sim_peek(v0, gva(6 * 4096), &now, sizeof(now)));
	assert_int_equal(now.state, RUNSTATE_offline);
	d0->vcpu[1]->initialised = true;
	assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), -EINVAL);
	assert_int_equal(v0->refusal.id, R_VCPU_RUNS);
	assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 1, &area, sizeof(area)),
			 -EINVAL);
	assert_int_equal(v0->refusal.id, R_VCPU_RUNS);
	assert_int_equal(vcpu_op(VCPUOP_down, 1, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), 0);
	sim_end_machine();
}

static void runstate_area_may_straddle_frames(void **state)
{
	struct vcpu_register_runstate_memory_area op = { .addr.p = 6 * 4096 - 16 };
	struct vcpu_runstate_info info;

	boot();
	assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op, sizeof(op)), 0);
	assert_true(sim_peek(v0, gva(6 * 4096 - 16), &info, sizeof(info)));
	assert_in_range(info.state, 0, 3);
	op.addr.p = WILD;
	assert_true(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op, sizeof(op)) < 0);
	assert_int_equal(vcpu_op(VCPUOP_get_runstate_info, 0, &info, sizeof(info)), 0);
	sim_end_machine();
}

static void singleshot_timer_is_its_vcpus_own_the_periodic_one_the_domains(void **state)
{
	struct vcpu_set_singleshot_timer one = { .timeout_abs_ns = 1,
						 .flags = VCPU_SSHOTTMR_future };
	struct vcpu_set_periodic_timer periodic = { .period_ns = 999999 };

	boot();
	sim_advance(1000000);
	assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &one, sizeof(one)), -ETIME);
	one.flags = 0;
	assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &one, sizeof(one)), 0);
	assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 1, &one, sizeof(one)), -EINVAL);
	assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &periodic, sizeof(periodic)),
			 -EINVAL);
	assert_int_equal(v0->refusal.id, R_PERIOD_TOO_SHORT);
	periodic.period_ns = ~0ull; /* the next tick would be in the past, for ever */
	assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &periodic, sizeof(periodic)),
			 -EINVAL);
	assert_int_equal(v0->refusal.id, R_PERIOD_TOO_LONG);
	periodic.period_ns = 1000000;
	assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &periodic, sizeof(periodic)), 0);
	assert_int_equal(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL, 0), 0);
	assert_int_equal(vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL, 0), -EINVAL);
	assert_int_equal(v0->refusal.id, R_NOT_OWN_VCPU);
	assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 1, &periodic, sizeof(periodic)), 0);
	assert_true(timer_armed(&d0->vcpu[1]->periodic));
	assert_int_equal(vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL, 0), 0);
	assert_false(timer_armed(&d0->vcpu[1]->periodic));
	sim_end_machine();
}

/* Stops its timer about when that is due, on a CPU that need not be the timer's. */
static bool start_and_stop(struct vcpu *v, void *arg)
{
	struct vcpu_set_periodic_timer periodic = { .period_ns = 1000000 };
	const uint64_t page = (uint64_t)v->id;

	for (unsigned i = 0; i < 10; i++) {
		uint64_t due = arch_time_ns() + periodic.period_ns + sim_random(4000) - 1000;

		sim_check(sim_poke(v, sim_arg(v), &periodic, sizeof(periodic)));
		sim_check(sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, page,
					sim_arg(v).a) == 0);
		while (arch_time_ns() < due)
			(void)sim_hypercall(v, __HYPERVISOR_xen_version, XENVER_version);
		sim_check(
		    sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, page) == 0);
	}
	return false;
}

static void stopped_timer_stays_stopped(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(20); seed++) {
		struct domain *d;

		sim_boot(2, MEMORY, seed);
		d = sim_domain(2, 16);
		for (unsigned i = 0; i < 2; i++)
			sim_guest_set(d->vcpu[i], start_and_stop, NULL, NULL);
		sim_start(d);
		sim_run(NULL, NULL); /* ends only when no timer is left */
		for (unsigned i = 0; i < 2; i++)
			assert_false(timer_armed(&d->vcpu[i]->periodic));
		for (unsigned i = 0; i < 2; i++) /* where it ran, not where it was made */
			assert_ptr_equal(d->vcpu[i]->periodic.cpu, d->vcpu[i]->cpu);
		sim_end_machine();
	}
}

/* ---- scheduling --------------------------------------------------------------------------------- */

static bool poller_done;

static bool poll_then_off(struct vcpu *v, void *arg)
{
	struct {
		struct sched_poll op;
		evtchn_port_t port;
	} a = { .op = { .nr_ports = 0, .timeout = arch_time_ns() + 1000000 } };
	struct sched_shutdown off = { .reason = SHUTDOWN_poweroff };
	uint64_t start = arch_time_ns();

	assert_int_equal(sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &a), 0);
	assert_true(arch_time_ns() - start >= 1000000);
	poller_done = true;
	(void)sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &off);
	return true;
}

static bool is_shut_down(void *arg)
{
	return ((struct domain *)arg)->state == DOMAIN_SHUTDOWN;
}

static void poll_ends_at_its_timeout_and_shutdown_ends_the_domain(void **state)
{
	boot();
	poller_done = false;
	sim_guest_set(v0, poll_then_off, NULL, NULL);
	sim_start_vcpus(d0, false);
	assert_true(sim_run(is_shut_down, d0));
	assert_true(poller_done);
	assert_int_equal(d0->shutdown_code, SHUTDOWN_poweroff);
	sim_end_machine();
}

/* Ended by an event after a millisecond, with nine left; then without a time-out: those nine do not end that one. */
static bool poll_twice(struct vcpu *v, void *arg)
{
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER, .vcpu = v->id };
	struct {
		struct sched_poll op;
		evtchn_port_t port;
	} a = { .op = { .nr_ports = 1, .timeout = arch_time_ns() + 10000000 } };
	uint64_t end;

	sim_map_shared_info(v);
	assert_int_equal(sim_evtchn(v, EVTCHNOP_bind_virq, &virq), 0);
	a.port = virq.port;
	set_xen_guest_handle(
	    a.op.ports, (evtchn_port_t *)(uintptr_t)(sim_arg(v).a + offsetof(__typeof__(a), port)));
	sim_hypercall(v, __HYPERVISOR_set_timer_op, arch_time_ns() + 1000000);
	assert_int_equal(sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &a), 0);
	assert_true(sim_next_event(v));
	a.op.timeout = 0;
	end = arch_time_ns() + 30000000;
	sim_hypercall(v, __HYPERVISOR_set_timer_op, end);
	assert_int_equal(sim_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &a), 0);
	assert_true(arch_time_ns() >= end);
	poller_done = true;
	return false;
}

static bool poller_is_done(void *arg)
{
	return poller_done;
}

static void a_polls_timeout_ends_with_it(void **state)
{
	boot();
	poller_done = false;
	sim_guest_set(v0, poll_twice, NULL, NULL);
	sim_start_vcpus(d0, false);
	assert_true(sim_run(poller_is_done, NULL));
	sim_end_machine();
}

static void poll_is_bounded_and_checks_ports(void **state)
{
	struct {
		struct sched_poll op;
		evtchn_port_t port;
	} a = { .op = { .nr_ports = 129 } };

	boot();
	assert_int_equal(sim_call(v0, __HYPERVISOR_sched_op, SCHEDOP_poll, &a), -EINVAL);
	assert_int_equal(v0->refusal.id, R_POLL_TOO_MANY);
	a.op.nr_ports = 1;
	a.port = 100000;
	set_xen_guest_handle(
	    a.op.ports, (evtchn_port_t *)(uintptr_t)(sim_arg(v0).a + offsetof(__typeof__(a), port)));
	assert_int_equal(sim_call(v0, __HYPERVISOR_sched_op, SCHEDOP_poll, &a), -EINVAL);
	assert_int_equal(v0->refusal.id, R_POLL_BAD_PORT);
	assert_false(v0->polling);
	sim_end_machine();
}

static void remote_shutdown_is_for_managers(void **state)
{
	struct sched_remote_shutdown op = { .reason = SHUTDOWN_reboot };
	struct domain *u;

	boot();
	u = sim_caller(0);
	op.domain_id = d0->id;
	assert_int_equal(sim_call(u->vcpu[0], __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op),
			 -EPERM);
	op.domain_id = 4000;
	assert_int_equal(sim_call(v0, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op), -ESRCH);
	sim_end_machine();
}

/* ---- parameters and platform ---------------------------------------------------------------------- */

static void parameters_are_read_by_all_and_set_by_managers_once(void **state)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = HVM_NR_PARAMS };
	struct domain *u;

	boot();
	u = sim_caller(0);
	assert_int_equal(sim_call(v0, __HYPERVISOR_hvm_op, HVMOP_get_param, &p), -EINVAL);
	p.index = HVM_PARAM_STORE_EVTCHN;
	p.domid = u->id;
	p.value = 5;
	assert_int_equal(sim_call(v0, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), 0);
	p.value = 6;
	assert_int_equal(sim_call(v0, __HYPERVISOR_hvm_op, HVMOP_set_param, &p), -EEXIST);
	p.domid = DOMID_SELF;
	p.value = 0;
	assert_int_equal(sim_call(u->vcpu[0], __HYPERVISOR_hvm_op, HVMOP_get_param, &p), 0);
	assert_int_equal(p.value, 5);
	p.domid = d0->id;
	assert_int_equal(sim_call(u->vcpu[0], __HYPERVISOR_hvm_op, HVMOP_get_param, &p), -EPERM);
	p.domid = 4000;
	assert_int_equal(sim_call(v0, __HYPERVISOR_hvm_op, HVMOP_get_param, &p), -ESRCH);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_hvm_op, 99), -ENOSYS);
	sim_end_machine();
}

static void wall_clock_reaches_every_domain(void **state)
{
	struct xen_platform_op op = {
		.cmd = XENPF_settime64,
		.interface_version = XENPF_INTERFACE_VERSION,
		.u.settime64 = { .secs = 1700000000, .nsecs = 5, .system_time = 0 },
	};
	struct domain *u;
	uint32_t version;

	boot();
	u = sim_caller(0);
	version = u->shared_info->wc_version;
	assert_true(sim_poke(v0, sim_arg(v0), &op, sizeof(op)));
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_platform_op, sim_arg(v0).a), 0);
	assert_int_equal(u->shared_info->wc_sec, 1700000000);
	assert_int_equal(u->shared_info->wc_nsec, 5);
	assert_int_equal(u->shared_info->wc_version, version + 2);
	assert_true(sim_poke(u->vcpu[0], sim_arg(u->vcpu[0]), &op, sizeof(op)));
	assert_int_equal(sim_hypercall(u->vcpu[0], __HYPERVISOR_platform_op, sim_arg(u->vcpu[0]).a),
			 -EPERM);
	op.u.settime64.nsecs = 1000000000;
	assert_true(sim_poke(v0, sim_arg(v0), &op, sizeof(op)));
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_platform_op, sim_arg(v0).a), -EINVAL);
	op.interface_version++;
	assert_true(sim_poke(v0, sim_arg(v0), &op, sizeof(op)));
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_platform_op, sim_arg(v0).a), -EACCES);
	sim_end_machine();
}

static void assists_switch_on_and_off(void **state)
{
	boot();
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_vm_assist, VMASST_CMD_enable,
				       VMASST_TYPE_runstate_update_flag),
			 0);
	assert_int_equal(d0->vm_assist, 1u << VMASST_TYPE_runstate_update_flag);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_vm_assist, VMASST_CMD_disable,
				       VMASST_TYPE_runstate_update_flag),
			 0);
	assert_int_equal(d0->vm_assist, 0);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_vm_assist, VMASST_CMD_enable, 77), -EINVAL);
	sim_end_machine();
}

/* ---- filling a domain ------------------------------------------------------------------------------ */

#define PAGES 64u
#define BYTES (PAGES * PAGE_SIZE)

static struct vcpu *filler; /* of a domain with PAGES of memory, as its target has */
static struct domain *target;

static void boot_fill(uint32_t roles, uint64_t seed)
{
	struct domain_config cfg = sim_small;

	sim_boot(1, MEMORY, seed);
	cfg.max_frames = 2 * PAGES;
	cfg.roles = roles;
	filler = sim_domain_cfg(&cfg, PAGES)->vcpu[0];
	cfg.roles = 0;
	target = sim_domain_cfg(&cfg, PAGES);
}

/* Nobody holds what was filled, nor what it was filled from. */
static void end_fill(void)
{
	for (uint64_t g = 0; g < PAGES; g++) {
		struct p2m_entry e = p2m_lookup(target, gfn(g));

		if (p2m_type_is_ram(e.type))
			assert_int_equal(frame_of(e.mfn)->refs, 1);
		assert_int_equal(frame_of(p2m_lookup(filler->domain, gfn(g)).mfn)->refs, 1);
	}
	sim_end_machine();
}

static int64_t fill(uint64_t to, uint64_t from, uint64_t n)
{
	return sim_hypercall(filler, KRYPTON_HYPERCALL_FILL, target->id, to, from, n);
}

static void what_is_filled_is_exactly_what_was_given(void **state)
{
	static uint8_t model[BYTES], source[BYTES], got[BYTES];

	for (uint64_t seed = 1; seed <= 4; seed++) {
		boot_fill(ROLE_CONTROL, seed);
		memset(model, 0, sizeof(model));
		for (unsigned i = 0; i < BYTES; i++)
			source[i] = (uint8_t)sim_random(256);
		assert_true(sim_poke(filler, gva(0), source, BYTES));
		for (unsigned i = 0; i < 200; i++) {
			uint64_t n = sim_random(i % 4 ? 3 * PAGE_SIZE : BYTES) + 1;
			uint64_t to = sim_random(BYTES - n + 1), from = sim_random(BYTES - n + 1);
			int64_t done;

			if (i % 2) { /* whole pages */
				to &= PAGE_MASK;
				from &= PAGE_MASK;
			}
			done = fill(to, from, n);
			assert_in_range(done, 1, n);
			assert_true(done == (int64_t)n || done <= 32 * PAGE_SIZE);
			memcpy(model + to, source + from, (size_t)done);
		}
		assert_int_equal(guest_phys_read(target, got, gpa(0), BYTES), 0);
		assert_memory_equal(got, model, BYTES);
		end_fill();
	}
}

static void filling_stops_before_what_it_cannot_reach(void **state)
{
	boot_fill(ROLE_CONTROL, 1);
	assert_int_equal(domain_depopulate(target, gfn(5), 0), 0);
	assert_int_equal(fill(4 << PAGE_SHIFT, 0, 2 * PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(fill(5 << PAGE_SHIFT, 0, PAGE_SIZE), -EINVAL);
	assert_int_equal(filler->refusal.id, R_FILL_NO_RAM);
	assert_int_equal(filler->refusal.object, 5);
	assert_int_equal(fill((5 << PAGE_SHIFT) - 3, 0, ~0ull), 3);
	/* The end of each memory, of each address space. */
	assert_int_equal(fill(BYTES - 7, 0, 100), 7);
	assert_int_equal(fill(BYTES, 0, 100), -EINVAL);
	assert_int_equal(fill(~0ull, 0, ~0ull), -EINVAL);
	assert_int_equal(fill(0, BYTES - 7, 100), 7);
	assert_int_equal(fill(0, BYTES, 100), -EFAULT);
	assert_int_equal(filler->refusal.id, R_BAD_GUEST_ADDRESS);
	assert_int_equal(filler->refusal.object, BYTES);
	assert_int_equal(fill(0, ~0ull, ~0ull), -EFAULT);
	assert_int_equal(fill(0, WILD, 1), -EFAULT);
	/* Nothing is never refused. */
	assert_int_equal(fill(~0ull, WILD, 0), 0);
	end_fill();
}

static void only_writable_ram_of_its_own_is_filled(void **state)
{
	struct p2m_entry e;

	boot_fill(ROLE_CONTROL, 1);
	e = p2m_lookup(target, gfn(3));
	assert_int_equal(p2m_change(target, gfn(3), e.mfn, 0, P2M_RAM_RO), 0);
	assert_int_equal(fill(2 << PAGE_SHIFT, 0, 2 * PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(fill(3 << PAGE_SHIFT, 0, 1), -EINVAL);
	/* The hypervisor's own, shown to it; a frame of the caller's; registers. */
	assert_int_equal(sim_add_to_physmap(target->vcpu[0], XENMAPSPACE_shared_info, 0, 70), 0);
	assert_int_equal(fill(70 << PAGE_SHIFT, 0, 1), -EINVAL);
	assert_int_equal(p2m_get_frame(filler->domain, gfn(9), true, &e.mfn), 0);
	assert_int_equal(p2m_change(target, gfn(71), e.mfn, 0, P2M_FOREIGN), 0);
	assert_int_equal(fill(71 << PAGE_SHIFT, 0, 1), -EINVAL);
	assert_int_equal(p2m_change(target, gfn(72), mfn(9), 0, P2M_MMIO_DIRECT), 0);
	assert_int_equal(fill(72 << PAGE_SHIFT, 0, 1), -EINVAL);
	assert_int_equal(filler->refusal.id, R_FILL_NO_RAM);
	assert_int_equal(p2m_remove(target, gfn(71), 0), 0);
	end_fill();
}

static void only_who_manages_a_domain_fills_it(void **state)
{
	boot_fill(0, 1);
	assert_int_equal(fill(0, 0, PAGE_SIZE), -EPERM);
	/* Everybody manages itself: a page onto itself, and overlapping. */
	target = filler->domain;
	assert_int_equal(fill(PAGE_SIZE, PAGE_SIZE, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(fill(1, 0, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(sim_hypercall(filler, KRYPTON_HYPERCALL_FILL, 4711, 0, 0, 1), -ESRCH);
	assert_int_equal(filler->refusal.id, R_NO_SUCH_DOMAIN);
	end_fill();
}

static void a_domain_that_dies_is_not_filled(void **state)
{
	boot_fill(ROLE_CONTROL, 1);
	assert_int_equal(fill(0, 0, 1), 1);
	domid_t id = target->id;

	sim_end(target);
	assert_int_equal(sim_hypercall(filler, KRYPTON_HYPERCALL_FILL, id, 0, 0, 1), -ESRCH);
	target = filler->domain;
	end_fill();
}

/* ---- multicall ----------------------------------------------------------------------------------- */

static void multicall_runs_each_and_does_not_nest(void **state)
{
	struct multicall_entry e[3] = {
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
		{ .op = __HYPERVISOR_multicall, .args = { 0, 1 } },
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } },
	};

	boot();
	assert_true(sim_poke(v0, sim_arg(v0), e, sizeof(e)));
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_multicall, sim_arg(v0).a, 3), 0);
	assert_true(sim_peek(v0, sim_arg(v0), e, sizeof(e)));
	assert_int_equal(e[0].result, 4 << 16 | 17);
	assert_int_equal((int64_t)e[1].result, -EINVAL);
	assert_int_equal(e[2].result, 4096);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_multicall, WILD, 1), -EFAULT);
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_multicall, WILD, 0), 0);
	assert_false(v0->in_multicall);
	sim_end_machine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_numbers_are_enosys),
		cmocka_unit_test(last_reason_can_be_read),
		cmocka_unit_test(every_reason_formats_within_its_buffer),
		cmocka_unit_test(version_is_that_of_xen_4_17),
		cmocka_unit_test(command_line_is_for_managers),
		cmocka_unit_test(vcpu_without_context_does_not_come_up),
		cmocka_unit_test(only_a_paused_domain_has_its_ports_reset_by_another),
		cmocka_unit_test(the_last_vcpu_that_goes_down_switches_the_domain_off),
		cmocka_unit_test(vcpu_info_moves_once_and_stays_in_its_frame),
		cmocka_unit_test(another_vcpu_is_set_up_only_while_it_is_down),
		cmocka_unit_test(runstate_area_may_straddle_frames),
		cmocka_unit_test(singleshot_timer_is_its_vcpus_own_the_periodic_one_the_domains),
		cmocka_unit_test(stopped_timer_stays_stopped),
		cmocka_unit_test(poll_ends_at_its_timeout_and_shutdown_ends_the_domain),
		cmocka_unit_test(a_polls_timeout_ends_with_it),
		cmocka_unit_test(poll_is_bounded_and_checks_ports),
		cmocka_unit_test(remote_shutdown_is_for_managers),
		cmocka_unit_test(parameters_are_read_by_all_and_set_by_managers_once),
		cmocka_unit_test(wall_clock_reaches_every_domain),
		cmocka_unit_test(assists_switch_on_and_off),
		cmocka_unit_test(what_is_filled_is_exactly_what_was_given),
		cmocka_unit_test(filling_stops_before_what_it_cannot_reach),
		cmocka_unit_test(only_writable_ram_of_its_own_is_filled),
		cmocka_unit_test(only_who_manages_a_domain_fills_it),
		cmocka_unit_test(a_domain_that_dies_is_not_filled),
		cmocka_unit_test(multicall_runs_each_and_does_not_nest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
