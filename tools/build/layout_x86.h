/* SPDX-License-Identifier: Apache-2.0 */
/* A PVH guest's addresses (layout_x86.c draws them), and what the tables at TABLES_BASE are made of. */
#ifndef TOOLS_BUILD_LAYOUT_X86_H
#define TOOLS_BUILD_LAYOUT_X86_H

#include "parts.h"

#define LOW_RAM_END   0x000a0000ull
#define TABLES_BASE   0x000e0000ull
#define TABLES_SIZE   0x00020000u
#define HIGH_RAM_BASE 0x00100000ull
#define HOLE_BASE     0xc0000000ull
#define SHARED_BASE   0xfeff8000ull
#define SHARED_SIZE   0x8000ull
#define ABOVE_4G      0x100000000ull

struct table_module {
	struct build_range at;
	const char *cmdline; /* NULL: none */
};

struct tables {
	const char *cmdline;
	uint32_t vcpus, nr_modules;
	struct table_module module[BUILD_MAX_MODULES + 1];
};

/*
 * start_info.c: the start info (at offset 0), its lists and strings, and the ACPI tables, for TABLES_BASE, into TABLES_SIZE cleared
 * bytes. How many of them are used; 0: they do not fit.
 */
uint32_t tables_write(uint8_t *buf, const struct build_plan *plan, const struct tables *t,
		      struct fault *f);

#endif
