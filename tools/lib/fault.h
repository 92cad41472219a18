/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong in a tool: a reason that programs can compare and one line for a person. The line says which file or
 * object, what about it, where, and why; the table (faults.def) adds what it means and what to do. Filled once, by whoever finds
 * the fault; those above pass it on.
 */
#ifndef TOOLS_FAULT_H
#define TOOLS_FAULT_H

#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))

enum fault_id {
	F_NONE,
#define FAULT(id, meaning, advice) id,
#include "faults.def"
#undef FAULT
	NR_FAULTS
};

struct fault {
	enum fault_id id;
	char text[512]; /* one line; control characters of what is quoted are shown as '?' */
};

/* Fill `f` (overwriting) as printf() does. Always false, visibly to the compiler, so that whoever refuses can return it. */
#define fault_set(f, id, ...) (fault_fill((f), (id), __VA_ARGS__), false)

void fault_fill(struct fault *f, enum fault_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "F_KERNEL_ARCH" without its "F_", as shown and accepted everywhere. */
const char *fault_name(enum fault_id id);
const char *fault_advice(enum fault_id id);

#endif
