/* SPDX-License-Identifier: Apache-2.0 */
/* What a vCPU's control block intercepts (hv/arch/x86_64/svm/svm.c, the shipped file), in a block that is a variable here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <asm/hvm.h>
#include <hv/domain.h>

static struct vmcb *block_va(void);
#define frame_va(m)        block_va()
#define pool_alloc(pool)   ((mfn_t){ 1 })
#define pool_free(pool, m) ((void)(m))

#include "../../hv/arch/x86_64/svm/inject.c"
#include "../../hv/arch/x86_64/svm/state.c"
#include "../../hv/arch/x86_64/svm/svm.c"

static struct vmcb block, *volatile made_of =
			      &block; /* not known to the compiler: permission maps are larger */
struct x86_speculation x86_speculation;
uint8_t svm_host_block[8], svm_forget[8];

static struct vmcb *block_va(void)
{
	return made_of;
}

void svm_run(struct vcpu *v) {}
void hvm_work(struct vcpu *v) {}

static const struct vmcb *made(bool devices)
{
	static struct domain d;
	static struct vcpu v;

	memset(&block, 0, sizeof(block));
	d.arch.physdev = devices;
	v = (struct vcpu){ .domain = &d };
	assert_int_equal(svm_vcpu_init(&v), 0);
	return &block;
}

static void what_would_empty_everybodys_caches_is_intercepted(void **state)
{
	assert_true(made(false)->icpt3 & ICPT3_INVD);
	assert_true(made(false)->icpt4 & ICPT4_WBINVD);
}

/* One whose devices may not look into caches needs it. */
static void whoever_has_the_devices_may_write_them_back(void **state)
{
	assert_true(made(true)->icpt3 & ICPT3_INVD);
	assert_false(made(true)->icpt4 & ICPT4_WBINVD);
}

/* The counters of the host's CPU: programs may read them where the processor has the instruction, shown or not. */
static void what_is_not_shown_is_intercepted(void **state)
{
	assert_true(made(false)->icpt4 & ICPT4_RDPRU);
	assert_true(made(true)->icpt4 & ICPT4_MONITOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_would_empty_everybodys_caches_is_intercepted),
		cmocka_unit_test(what_is_not_shown_is_intercepted),
		cmocka_unit_test(whoever_has_the_devices_may_write_them_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
