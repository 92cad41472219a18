/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals: the table of reasons and the slot that keeps the last one. A slot belongs to the running vCPU,
 * or to the CPU for work outside any vCPU; only its own CPU writes it, so there is no lock.
 * Everything that can say no calls in.
 */
#include <hv/reason.h>

#include <hv/cpu.h>
#include <hv/err.h>
#include <hv/string.h>
#include <hv/vcpu.h>

#define NOTHING "nothing was refused"

/* All texts, what and then advice, in one object: the table says where in it in two bytes, for pointers would be most of it. */
static const struct texts {
	char R_NONE_text[sizeof(NOTHING "\0")];
#define REASON(id, err, what, advice) char id##_text[sizeof(what "\0" advice)];
#include <hv/reasons.def>
#undef REASON
} texts = {
	NOTHING "\0",
#define REASON(id, err, what, advice) what "\0" advice,
#include <hv/reasons.def>
#undef REASON
};
_Static_assert(sizeof(texts) <= UINT16_MAX, "places in it are 16 bits");

static const struct {
	uint16_t err, at;
} reasons[NR_REASONS] = {
	[R_NONE] = { 0, 0 },
#define REASON(id, err, what, advice) [id] = { err, offsetof(struct texts, id##_text) },
#include <hv/reasons.def>
#undef REASON
};

static struct refusal *slot(void)
{
	struct vcpu *v = current_vcpu();

	return v ? &v->refusal : &this_cpu()->refusal;
}

int reason_store(enum reason id, uint64_t object, uint64_t limit, uint64_t actual)
{
	struct refusal *r = slot();

	r->id = id;
	r->count++;
	r->object = object;
	r->limit = limit;
	r->actual = actual;
	return -(int)reasons[id].err;
}

int reason_code(enum reason id)
{
	return -(int)reasons[id].err;
}

const struct refusal *reason_last(void)
{
	return slot();
}

/* What follows the % of a reason's text: which number, and in which base. */
static bool format_field(char *buf, size_t n, char c, const struct refusal *r)
{
	uint64_t value;

	switch (c | 0x20) {
	case 'o': value = r->object; break;
	case 'l': value = r->limit; break;
	case 'a': value = r->actual; break;
	default: return false;
	}
	snprint(buf, n, c & 0x20 ? "%llu" : "0x%llx", (unsigned long long)value);
	return true;
}

/* `text` with its fields filled in, behind what is there already; returns the new length. */
static size_t append(char *buf, size_t n, size_t len, const char *text, const struct refusal *r)
{
	char number[24];

	for (const char *s = text; *s; s++) {
		const char *piece = number;

		if (*s == '%' && format_field(number, sizeof(number), s[1], r)) {
			s++;
		} else {
			number[0] = *s;
			number[1] = '\0';
		}
		for (; *piece; piece++, len++)
			if (len + 1 < n)
				buf[len] = *piece;
	}
	return len;
}

int reason_format(char *buf, size_t n, const struct refusal *r)
{
	unsigned id = r->id < NR_REASONS ? r->id : R_NONE;
	const char *what = (const char *)&texts + reasons[id].at, *advice = what + strlen(what) + 1;
	size_t len = append(buf, n, 0, what, r);

	if (advice[0])
		len = append(buf, n, append(buf, n, len, ": ", r), advice, r);
	if (n)
		buf[MIN(len, n - 1)] = '\0';
	return (int)len;
}
