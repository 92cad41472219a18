/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Debian's static libraries expect of a C library and hv/lib does not have. They are compiled for user
 * space with the stack protector on: the canary is a constant here, for they run only while
 * booting, libfdt on trees that dt_check() has judged.
 */
#include <hv/assert.h>
#include <hv/compiler.h>
#include <hv/payload.h>
#include <hv/string.h>

extern uintptr_t __stack_chk_guard;
NORETURN void __stack_chk_fail(void);

uintptr_t __stack_chk_guard = (uintptr_t)0x4b72797074300aff;

NORETURN void __stack_chk_fail(void)
{
	panic("a library: stack canary overwritten");
}

/* The decompression libraries are given allocators, but keep their defaults linked. */
void *malloc(size_t n);
void *calloc(size_t n, size_t each);
void free(void *p);

void *malloc(size_t n)
{
	return payload_take(n);
}

void *calloc(size_t n, size_t each)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(n, each, &all))
		return NULL;
	p = payload_take(all);
	if (p)
		memset(p, 0, all);
	return p;
}

void free(void *p) {}
