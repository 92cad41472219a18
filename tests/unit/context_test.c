/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of a PVH vCPU's registers as XEN_DOMCTL_setvcpucontext and _getvcpucontext carry them (hv/arch/x86_64/hvm/context.c, the
 * shipped file): what goes both ways, what is only reported, what is refused whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The simulated machine has functions of these names, and keeps reasons with its own vCPUs. */
#define reason_store          store
#define arch_vcpu_set_context set_context
#define arch_vcpu_get_context get_context
#include "../../hv/arch/x86_64/hvm/context.c"

#include <hv/err.h>

#define MXCSR_MASK 0xffbfu
#define RESET_FLAG 2u /* the bit of RFLAGS that is always 1 */
#define AVX        4u

static uint8_t area[PAGE_SIZE];
static struct hvm_state held;
static struct vcpu vcpu;
static unsigned started;

/* ---- what context.c asks of the rest -------------------------------------------------------------------- */

static void get_state(struct vcpu *v, struct hvm_state *s)
{
	*s = held;
}

static void set_state(struct vcpu *v, const struct hvm_state *s)
{
	held = *s;
}

int store(enum reason id, uint64_t object, uint64_t limit, uint64_t actual)
{
	assert_int_equal(id, R_BAD_HVM_CONTEXT);
	return -EINVAL;
}

static const struct hvm_ops model = { .get_state = get_state, .set_state = set_state };
const struct hvm_ops *hvm = &model;

uint32_t fpu_mxcsr_mask(void)
{
	return MXCSR_MASK;
}

void hvm_started(struct vcpu *v)
{
	started++;
}

/* ---- a vCPU in the middle of something -------------------------------------------------------------------- */

static int setup(void **state)
{
	memset(&vcpu, 0, sizeof(vcpu));
	memset(area, 0xa5, sizeof(area));
	memset(area + FXSAVE_SIZE, 0, 8);
	area[FXSAVE_SIZE] = AVX;
	vcpu.arch.fpu = area;
	held = (struct hvm_state){
		.cr0 = 0x80050033,
		.cr2 = 0x1000,
		.cr3 = 0x3ee8000,
		.cr4 = 0x3506b0,
		.efer = 0xd01,
		.pat = 0x0007040600070406,
		.rflags = RESET_FLAG,
		.seg[SEG_CS] = { .selector = 0x10, .base = 0, .limit = ~0u, .attr = 0xa9b },
		.seg[SEG_FS] = { .selector = 0x28, .base = 0x7f0000 },
		.interrupt_shadow = 1,
	};
	started = 0;
	return 0;
}

/* Every register another value, so that none stands for another. */
static vcpu_guest_context_t some_context(void)
{
	vcpu_guest_context_t c;
	uint32_t mxcsr = 0x1f80;

	memset(&c, 0, sizeof(c));
	c.flags = VGCF_I387_VALID | VGCF_online;
	c.user_regs.rip = 0x401000;
	c.user_regs.rsp = 0x402000;
	c.user_regs.rflags = 0x246;
	c.user_regs.rax = 1;
	c.user_regs.rbx = 2;
	c.user_regs.rcx = 3;
	c.user_regs.rdx = 4;
	c.user_regs.rbp = 5;
	c.user_regs.rsi = 6;
	c.user_regs.rdi = 7;
	c.user_regs.r8 = 8;
	c.user_regs.r9 = 9;
	c.user_regs.r10 = 10;
	c.user_regs.r11 = 11;
	c.user_regs.r12 = 12;
	c.user_regs.r13 = 13;
	c.user_regs.r14 = 14;
	c.user_regs.r15 = 15;
	for (unsigned i = 0; i < 4; i++)
		c.debugreg[i] = 0x1000 + i;
	c.debugreg[6] = 0xffff0ff0;
	c.debugreg[7] = 0x402;
	memset(c.fpu_ctxt.x, 0x5a, FXSAVE_SIZE);
	memcpy(c.fpu_ctxt.x + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	return c;
}

/* ---- rules ------------------------------------------------------------------------------------------------ */

static void what_was_set_is_what_is_read(void **state)
{
	vcpu_guest_context_t c = some_context(), got;

	assert_int_equal(set_context(&vcpu, &c), 0);
	assert_int_equal(started, 1);
	get_context(&vcpu, &got);
	/* selectors are the vCPU's own */
	c.user_regs.cs = held.seg[SEG_CS].selector;
	c.user_regs.fs = held.seg[SEG_FS].selector;
	assert_memory_equal(&got.user_regs, &c.user_regs, sizeof(c.user_regs));
	assert_memory_equal(got.debugreg, c.debugreg, sizeof(c.debugreg));
	assert_memory_equal(got.fpu_ctxt.x, c.fpu_ctxt.x, FXSAVE_SIZE);
	assert_int_equal(got.flags & VGCF_I387_VALID, VGCF_I387_VALID);
}

static void mode_and_segments_are_only_reported(void **state)
{
	vcpu_guest_context_t c = some_context(), got;
	struct hvm_state before = held;

	memset(c.ctrlreg, 0xff, sizeof(c.ctrlreg));
	c.user_regs.cs = c.user_regs.ss = c.user_regs.fs = 0x1234;
	c.fs_base = c.gs_base_kernel = c.gs_base_user = 0xdead000;
	assert_int_equal(set_context(&vcpu, &c), 0);
	assert_memory_equal(held.seg, before.seg, sizeof(before.seg));
	assert_int_equal(held.cr0, before.cr0);
	assert_int_equal(held.cr3, before.cr3);
	assert_int_equal(held.cr4, before.cr4);
	assert_int_equal(held.efer, before.efer);
	assert_int_equal(held.pat, before.pat);
	get_context(&vcpu, &got);
	assert_int_equal(got.ctrlreg[0], before.cr0);
	assert_int_equal(got.ctrlreg[2], before.cr2);
	assert_int_equal(got.ctrlreg[3], before.cr3);
	assert_int_equal(got.ctrlreg[4], before.cr4);
	assert_int_equal(got.user_regs.cs, 0x10);
	assert_int_equal(got.fs_base, 0x7f0000);
}

/* VMRUN refuses RFLAGS without it. */
static void the_flag_that_is_always_one_is(void **state)
{
	vcpu_guest_context_t c = some_context();

	c.user_regs.rflags = 0;
	assert_int_equal(set_context(&vcpu, &c), 0);
	assert_int_equal(held.rflags, RESET_FLAG);
}

static void state_wider_than_sse_stays(void **state)
{
	vcpu_guest_context_t c = some_context();

	assert_int_equal(set_context(&vcpu, &c), 0);
	assert_memory_equal(area, c.fpu_ctxt.x, FXSAVE_SIZE);
	assert_int_equal(area[FXSAVE_SIZE], X87_AND_SSE | AVX);
	for (size_t i = FXSAVE_SIZE + 8; i < sizeof(area); i++)
		assert_int_equal(area[i], 0xa5);
}

static void the_fpu_is_set_only_where_the_flag_says_so(void **state)
{
	vcpu_guest_context_t c = some_context();

	c.flags = VGCF_online;
	memset(c.fpu_ctxt.x, 0xff, FXSAVE_SIZE); /* its MXCSR could not be loaded */
	assert_int_equal(set_context(&vcpu, &c), 0);
	assert_int_equal(held.rip, c.user_regs.rip);
	assert_int_equal(area[0], 0xa5);
	assert_int_equal(area[FXSAVE_SIZE], AVX);
}

static void refused_whole(const vcpu_guest_context_t *c)
{
	struct hvm_state before = held;
	struct vcpu v = vcpu;

	assert_int_equal(set_context(&vcpu, c), -EINVAL);
	assert_memory_equal(&held, &before, sizeof(held));
	assert_memory_equal(&vcpu, &v, sizeof(v));
	assert_int_equal(area[0], 0xa5);
	assert_int_equal(started, 0);
}

/* Each of these would make VMRUN or FXRSTOR fail, in the hypervisor. */
static void what_the_cpu_would_refuse_is_refused_and_nothing_changes(void **state)
{
	vcpu_guest_context_t c = some_context();
	uint32_t mxcsr = MXCSR_MASK + 1;

	c.user_regs.rflags = 1ull << 22;
	refused_whole(&c);
	c = some_context();
	c.debugreg[6] = 1ull << 32;
	refused_whole(&c);
	c = some_context();
	c.debugreg[7] = 1ull << 63;
	refused_whole(&c);
	c = some_context();
	memcpy(c.fpu_ctxt.x + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	refused_whole(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_set_is_what_is_read, setup),
		cmocka_unit_test_setup(mode_and_segments_are_only_reported, setup),
		cmocka_unit_test_setup(the_flag_that_is_always_one_is, setup),
		cmocka_unit_test_setup(state_wider_than_sse_stays, setup),
		cmocka_unit_test_setup(the_fpu_is_set_only_where_the_flag_says_so, setup),
		cmocka_unit_test_setup(what_the_cpu_would_refuse_is_refused_and_nothing_changes,
				       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
