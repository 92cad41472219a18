/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For an architecture's offsets.c, which the build compiles to assembly text and reads back:
 * each line here becomes `#define NAME number` in <asm/offsets.h>, for entry.S.
 */
#ifndef SCRIPTS_OFFSETS_H
#define SCRIPTS_OFFSETS_H

#include <stddef.h>

#define DEFINE(name, value)                                                          \
	static void __attribute__((used)) offset_##name(void)                        \
	{                                                                            \
		__asm__ volatile("/* @offset " #name " %0 */" ::"i"((long)(value))); \
	}
#define OFFSET(name, type, field) DEFINE(name, offsetof(type, field))

#endif
