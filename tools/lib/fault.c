/* SPDX-License-Identifier: Apache-2.0 */
/* The table of faults.def, and filling a fault. */
#include "fault.h"
#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name, *advice;
} row[NR_FAULTS] = {
	[F_NONE] = { "NONE", "" },
#define FAULT(id, meaning, advice) [id] = { &#id[2], advice },
#include "faults.def"
#undef FAULT
};

void fault_fill(struct fault *f, enum fault_id id, const char *format, ...)
{
	va_list args;

	f->id = id;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	/* Names come from files and guests: they must not steer a terminal. Bytes above 127 may be UTF-8. */
	for (char *c = f->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
}

const char *fault_name(enum fault_id id)
{
	return row[id < NR_FAULTS ? id : F_NONE].name;
}

const char *fault_advice(enum fault_id id)
{
	return row[id < NR_FAULTS ? id : F_NONE].advice;
}
