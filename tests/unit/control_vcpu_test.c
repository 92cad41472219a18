/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of what toolstacks ask of a PVH vCPU with calls made for PV guests (hv/arch/x86_64/hvm/control_vcpu.c, the shipped file):
 * what Xen 4.17 was seen to answer, row by row; and that nothing is loaded which its own check has refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The simulated machine has functions of these names, over its own vCPUs and domains. */
#define reason_store    store
#define control_hold    hold
#define control_release release
#define guest_read      read_memory
#define guest_write     write_memory
#include "../../hv/arch/x86_64/hvm/control_vcpu.c"

#include <hv/err.h>

#define AREA    (512u + 64u + 256u) /* with AVX */
#define WHOLE   (16u + AREA)
#define ALLOWED 7u
#define BAD     8u /* an address where nothing is */

static uint8_t area[PAGE_SIZE], memory[2 * PAGE_SIZE];
static struct domain toolstack, guest;
static struct vcpu caller, vcpu;
static struct vcpu *vcpus_of_toolstack[] = { &caller }, *vcpus_of_guest[] = { &vcpu, NULL };
static unsigned held, loads, last_reason;
static bool record_bad;
static struct xstate loaded;

/* ---- what control_vcpu.c asks of the rest ----------------------------------------------------------------- */

int store(enum reason id, uint64_t object, uint64_t limit, uint64_t actual)
{
	last_reason = id;
	return id == R_VCPU_NOT_MADE || id == R_EXT_ON_SELF ? -ESRCH : -EINVAL;
}

int hold(const struct domain *by, struct domain *d)
{
	assert_ptr_equal(by, &toolstack);
	assert_ptr_equal(d, &guest);
	held++;
	return 0;
}

void release(struct domain *d)
{
	held--;
}

int read_memory(struct vcpu *v, void *dst, gva_t src, size_t len)
{
	assert_ptr_equal(v, &caller);
	if (src.a < PAGE_SIZE)
		return -EFAULT;
	memcpy(dst, memory + (src.a - PAGE_SIZE), len);
	return 0;
}

int write_memory(struct vcpu *v, gva_t dst, const void *src, size_t len)
{
	assert_ptr_equal(v, &caller);
	if (dst.a < PAGE_SIZE)
		return -EFAULT;
	memcpy(memory + (dst.a - PAGE_SIZE), src, len);
	return 0;
}

uint64_t fpu_xcr0_allowed(void)
{
	return ALLOWED;
}

uint32_t fpu_area_size(void)
{
	return AREA;
}

int hvm_xsave_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	assert_int_equal(held, 1);
	return record_bad ? -EINVAL : 0;
}

void hvm_xsave_load(struct domain *d, struct vcpu *v, const void *record)
{
	assert_false(record_bad);
	assert_int_equal(held, 1);
	memcpy(&loaded, record, sizeof(loaded));
	loads++;
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	memset(&vcpu, 0, sizeof(vcpu));
	for (size_t i = 0; i < sizeof(area); i++)
		area[i] = (uint8_t)i;
	memset(memory, 0xee, sizeof(memory));
	toolstack.vcpu = vcpus_of_toolstack;
	guest.vcpu = vcpus_of_guest;
	toolstack.max_vcpus = 1;
	guest.max_vcpus = 2; /* the second was not made */
	caller.domain = &toolstack;
	vcpu.domain = &guest;
	vcpu.arch.fpu = area;
	vcpu.arch.xcr0 = 3;
	guest.id = 1;
	held = loads = 0;
	record_bad = false;
	return 0;
}

static int call_of(struct domain *d, uint32_t cmd, struct xen_domctl *op)
{
	struct xen_domctl before;
	bool answer = false;
	int err;

	op->cmd = cmd;
	before = *op;
	err = control_vcpu(&caller, d, op, &answer);
	assert_int_equal(held, 0);
	assert_int_equal(answer, !err);
	if (err)
		assert_memory_equal(op, &before, sizeof(before));
	return err;
}

static int call(uint32_t cmd, struct xen_domctl *op)
{
	return call_of(&guest, cmd, op);
}

static int get_ext(struct xen_domctl *op)
{
	*op = (struct xen_domctl){ .u.ext_vcpucontext.size = 7 };
	return call(XEN_DOMCTL_get_ext_vcpucontext, op);
}

static int xstate(uint32_t cmd, uint64_t size, uint64_t mask, uint64_t at, struct xen_domctl *op)
{
	*op = (struct xen_domctl){ .u.vcpuextstate = { .size = size, .xfeature_mask = mask } };
	op->u.vcpuextstate.buffer.p = (void *)(uintptr_t)at;
	return call(cmd, op);
}

static int get_x(uint64_t size, uint64_t mask, uint64_t at, struct xen_domctl *op)
{
	return xstate(XEN_DOMCTL_getvcpuextstate, size, mask, at, op);
}

static int set_x(uint64_t size, uint64_t at)
{
	struct xen_domctl op;

	return xstate(XEN_DOMCTL_setvcpuextstate, size, 0, at, &op);
}

/* ---- rules -------------------------------------------------------------------------------------------------- */

static void a_vcpu_that_is_not_there_is_esrch_for_all(void **state)
{
	static const uint32_t cmd[] = {
		XEN_DOMCTL_get_ext_vcpucontext, XEN_DOMCTL_set_ext_vcpucontext,
		XEN_DOMCTL_getvcpuextstate,     XEN_DOMCTL_setvcpuextstate,
		XEN_DOMCTL_get_vcpu_msrs,       XEN_DOMCTL_set_vcpu_msrs,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cmd); i++) {
		struct xen_domctl op = { .u.ext_vcpucontext.vcpu = 9 };

		assert_int_equal(call(cmd[i], &op), -ESRCH);
		assert_int_equal(last_reason, R_VCPU_NOT_MADE);
		op.u.ext_vcpucontext.vcpu = 1;
		assert_int_equal(call(cmd[i], &op), -ESRCH);
		op = (struct xen_domctl){ .u.ext_vcpucontext.vcpu = 1 };
		assert_int_equal(call_of(&toolstack, cmd[i], &op), -ESRCH);
	}
}

static void nobody_asks_of_himself(void **state)
{
	struct xen_domctl op = { 0 };

	assert_int_equal(call_of(&toolstack, XEN_DOMCTL_get_ext_vcpucontext, &op), -ESRCH);
	assert_int_equal(call_of(&toolstack, XEN_DOMCTL_set_ext_vcpucontext, &op), -ESRCH);
	assert_int_equal(call_of(&toolstack, XEN_DOMCTL_getvcpuextstate, &op), -EINVAL);
	assert_int_equal(call_of(&toolstack, XEN_DOMCTL_setvcpuextstate, &op), -EINVAL);
	assert_int_equal(call_of(&toolstack, XEN_DOMCTL_get_vcpu_msrs, &op), -EINVAL);
	assert_int_equal(call_of(&toolstack, XEN_DOMCTL_set_vcpu_msrs, &op), -EINVAL);
}

static void msrs_are_of_pv_guests(void **state)
{
	struct xen_domctl op = { .u.vcpu_msrs.msr_count = 5 };

	assert_int_equal(call(XEN_DOMCTL_get_vcpu_msrs, &op), -EINVAL);
	assert_int_equal(call(XEN_DOMCTL_set_vcpu_msrs, &op), -EINVAL);
	assert_int_equal(op.u.vcpu_msrs.msr_count, 5);
}

static void extended_context_is_empty_and_of_its_own_size(void **state)
{
	struct xen_domctl op;

	assert_int_equal(get_ext(&op), 0);
	assert_int_equal(op.u.ext_vcpucontext.size, 64);
	assert_int_equal(op.u.ext_vcpucontext.mcg_cap, 0);
	assert_int_equal(op.u.ext_vcpucontext.syscall32_callback_eip, 0);
	/* It can be set again as it was read. */
	assert_int_equal(call(XEN_DOMCTL_set_ext_vcpucontext, &op), 0);
}

static void extended_context_may_end_behind_what_pv_guests_have(void **state)
{
	static const uint32_t refused[] = { 0, 8, 24, 28, 31 }, taken[] = { 32, 40, 64, 200, ~0u };
	struct xen_domctl op;

	assert_int_equal(get_ext(&op), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		op.u.ext_vcpucontext.size = refused[i];
		assert_int_equal(call(XEN_DOMCTL_set_ext_vcpucontext, &op), -EINVAL);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++) {
		op.u.ext_vcpucontext.size = taken[i];
		assert_int_equal(call(XEN_DOMCTL_set_ext_vcpucontext, &op), 0);
	}
}

static int set_ext_with(size_t offset, uint64_t value, size_t n)
{
	struct xen_domctl op = { .u.ext_vcpucontext.size = sizeof(op.u.ext_vcpucontext) };

	memcpy((char *)&op.u.ext_vcpucontext + offset, &value, n);
	return call(XEN_DOMCTL_set_ext_vcpucontext, &op);
}
#define SET_EXT(field, value)                                                     \
	set_ext_with(offsetof(struct xen_domctl_ext_vcpucontext, field), (value), \
		     sizeof(((struct xen_domctl_ext_vcpucontext *)0)->field))

static void call_backs_of_pv_guests_are_refused(void **state)
{
	assert_int_equal(SET_EXT(sysenter_callback_eip, 4), -EINVAL);
	assert_int_equal(SET_EXT(syscall32_callback_eip, 4), -EINVAL);
	assert_int_equal(SET_EXT(sysenter_callback_cs, 8), -EINVAL);
	assert_int_equal(SET_EXT(syscall32_callback_cs, 8), -EINVAL);
	assert_int_equal(SET_EXT(sysenter_callback_cs, 3), 0);
	assert_int_equal(SET_EXT(sysenter_disables_events, 2), 0);
}

static void machine_check_capabilities_are_their_number_of_banks(void **state)
{
	assert_int_equal(SET_EXT(mcg_cap, ~0ull), -EINVAL);
	assert_int_equal(SET_EXT(mcg_cap, 0), 0);
	assert_int_equal(SET_EXT(mcg_cap, 2), 0); /* as it comes from Xen */
}

static void without_a_buffer_or_a_size_the_state_says_how_large_it_is(void **state)
{
	struct xen_domctl op;

	assert_int_equal(get_x(0, 0, 0, &op), 0);
	assert_int_equal(op.u.vcpuextstate.size, WHOLE);
	assert_int_equal(op.u.vcpuextstate.xfeature_mask, ALLOWED);
	assert_int_equal(get_x(WHOLE, ALLOWED, 0, &op), 0);
	assert_int_equal(get_x(0, 0, PAGE_SIZE, &op), 0);
	assert_int_equal(op.u.vcpuextstate.size, WHOLE);
	assert_int_equal(memory[0], 0xee);
}

static void the_state_is_read_where_there_is_room_and_the_mask_is_right(void **state)
{
	struct xen_domctl op;
	uint64_t xcr0[2];

	assert_int_equal(get_x(0, ALLOWED, PAGE_SIZE, &op), -EINVAL);
	assert_int_equal(get_x(WHOLE - 1, ALLOWED, PAGE_SIZE, &op), -EINVAL);
	assert_int_equal(get_x(WHOLE, 0, PAGE_SIZE, &op), -EINVAL);
	assert_int_equal(get_x(WHOLE, ALLOWED | 1ull << 62, PAGE_SIZE, &op), -EINVAL);
	assert_int_equal(memory[0], 0xee);
	assert_int_equal(get_x(WHOLE, ALLOWED, BAD, &op), -EFAULT);
	assert_int_equal(get_x(WHOLE + 8, ALLOWED, PAGE_SIZE, &op), 0);
	assert_int_equal(op.u.vcpuextstate.size, WHOLE);
	memcpy(xcr0, memory, sizeof(xcr0));
	assert_int_equal(xcr0[0], 3);
	assert_int_equal(xcr0[1], ALLOWED);
	assert_memory_equal(memory + 16, area, AREA);
	assert_int_equal(memory[WHOLE], 0xee);
}

/* A state in memory: the two words and the area's first. */
static void write_state(uint64_t xcr0, uint64_t accumulated, uint64_t components)
{
	memset(memory, 0, sizeof(memory));
	memcpy(memory, &xcr0, 8);
	memcpy(memory + 8, &accumulated, 8);
	memcpy(memory + 16 + 512, &components, 8);
	memory[WHOLE - 1] = 0x5a;
}

static void what_was_read_is_loaded(void **state)
{
	write_state(7, 7, 7);
	assert_int_equal(set_x(WHOLE, PAGE_SIZE), 0);
	assert_int_equal(loads, 1);
	assert_int_equal(loaded.r.xcr0, 7);
	assert_memory_equal(&loaded.r.save_area, memory + 16, AREA);
	/* Without AVX it may be shorter; what it does not have is zero. */
	write_state(3, 3, 3);
	assert_int_equal(set_x(16 + 576, PAGE_SIZE), 0);
	assert_int_equal(loads, 2);
	assert_int_equal(((uint8_t *)&loaded.r.save_area)[AREA - 1], 0);
}

static void a_header_alone_changes_nothing(void **state)
{
	write_state(0, 0, 0);
	assert_int_equal(set_x(16, PAGE_SIZE), 0);
	assert_int_equal(loads, 0);
}

static void what_cannot_be_loaded_is_not(void **state)
{
	static const uint64_t size[] = { 0,         8,          15,         17,        24,
					 528,       16 + 575,   16 + 576,   WHOLE - 1, WHOLE + 1,
					 WHOLE + 8, 1ull << 20, 1ull << 40, ~0ull };

	write_state(7, 7, 7);
	for (unsigned i = 0; i < ARRAY_SIZE(size); i++)
		assert_int_equal(set_x(size[i], PAGE_SIZE), -EINVAL);
	assert_int_equal(set_x(WHOLE, BAD), -EFAULT);
	assert_int_equal(set_x(WHOLE, 0), -EFAULT);
	write_state(7, 3, 3); /* more than there ever was */
	assert_int_equal(set_x(WHOLE, PAGE_SIZE), -EINVAL);
	write_state(3, 3, 7);
	assert_int_equal(set_x(WHOLE, PAGE_SIZE), -EINVAL);
	record_bad = true;
	write_state(7, 7, 7);
	assert_int_equal(set_x(WHOLE, PAGE_SIZE), -EINVAL);
	assert_int_equal(loads, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(a_vcpu_that_is_not_there_is_esrch_for_all),
		TEST(nobody_asks_of_himself),
		TEST(msrs_are_of_pv_guests),
		TEST(extended_context_is_empty_and_of_its_own_size),
		TEST(extended_context_may_end_behind_what_pv_guests_have),
		TEST(call_backs_of_pv_guests_are_refused),
		TEST(machine_check_capabilities_are_their_number_of_banks),
		TEST(without_a_buffer_or_a_size_the_state_says_how_large_it_is),
		TEST(the_state_is_read_where_there_is_room_and_the_mask_is_right),
		TEST(what_was_read_is_loaded),
		TEST(a_header_alone_changes_nothing),
		TEST(what_cannot_be_loaded_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
