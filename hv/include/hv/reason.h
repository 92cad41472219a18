/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reasons, not error numbers. The place that refuses names a row of reasons.def; the caller gets
 * the row's error code, the row and its three numbers stay with the running vCPU (or, while
 * booting and in idle work, with the CPU), can be read by hypercall 63, and are logged at a
 * limited rate. Nothing is formatted on the way: refusing costs a few stores.
 */
#ifndef HV_REASON_H
#define HV_REASON_H

#include <hv/compiler.h>

enum reason {
	R_NONE,
#define REASON(id, err, what, advice) id,
#include <hv/reasons.def>
#undef REASON
	NR_REASONS
};

/* The last refusal, as hypercall 63 returns it (after the text). */
struct refusal {
	uint32_t id;     /* enum reason; R_NONE: never refused anything */
	uint32_t count;  /* refusals so far in this slot */
	uint64_t object; /* which object: the row's text says what kind of number it is */
	uint64_t limit;
	uint64_t actual;
};

/*
 * Remember why, and return the negated error code of the row. `object`, `limit` and `actual` mean
 * what the row's text says of %o, %l and %a; 0 where it names none.
 */
MUST_USE static inline int refuse(enum reason id, uint64_t object, uint64_t limit, uint64_t actual);

/* The negated error code of a row, for the few places that must compare. */
MUST_USE static inline int reason_err(enum reason id);

/* What the two above are made of (core/reason.c). */
int reason_store(enum reason id, uint64_t object, uint64_t limit, uint64_t actual);
int reason_code(enum reason id);

/* An error is never zero: said here so that every caller's compiler knows. */
static inline int reason_negative(int err)
{
	if (err >= 0)
		__builtin_unreachable();
	return err;
}

static inline int refuse(enum reason id, uint64_t object, uint64_t limit, uint64_t actual)
{
	return reason_negative(reason_store(id, object, limit, actual));
}

static inline int reason_err(enum reason id)
{
	return reason_negative(reason_code(id));
}

/* One line of text without newline: what, object, limit, actual, advice. Returns its length. */
int reason_format(char *buf, size_t n, const struct refusal *r);

/* The slot that refuse() writes now: the current vCPU's, or the CPU's own. */
const struct refusal *reason_last(void);

#endif
