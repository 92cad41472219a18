/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Debian's static libfdt expects of a C library and hv/lib does not have. It is compiled for user
 * space with the stack protector on: the canary is a constant here, for libfdt runs only while
 * booting, on trees that dt_check() has judged.
 */
#include <hv/assert.h>
#include <hv/compiler.h>

extern uintptr_t __stack_chk_guard;
NORETURN void __stack_chk_fail(void);

uintptr_t __stack_chk_guard = (uintptr_t)0x4b72797074300aff;

NORETURN void __stack_chk_fail(void)
{
	panic("libfdt: stack canary overwritten");
}
