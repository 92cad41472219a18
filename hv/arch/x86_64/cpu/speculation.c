/* SPDX-License-Identifier: Apache-2.0 */
/* Which barriers a machine gets (asm/speculation.h). Knows no hardware: the test runs on the host. */
#include "../include/asm/speculation.h"

#include "../include/asm/msr.h"
#include <hv/log.h>
#include <hv/option.h>
#include <hv/string.h>

/* 8000_0008 EBX. */
#define C_IBPB         BIT(12)
#define C_IBRS         BIT(14)
#define C_STIBP        BIT(15)
#define C_IBRS_ALWAYS  BIT(16)
#define C_STIBP_ALWAYS BIT(17)
#define C_IBRS_PREFER  BIT(18)
#define C_IBRS_SAME    BIT(19)
#define C_SSBD         BIT(24)
#define C_SSB_NO       BIT(26)
#define C_PSFD         BIT(28)
#define C_BTC_NO       BIT(29)
#define C_IBPB_RET     BIT(30)

#define F_HYPERVISOR   BIT(31) /* 1 ECX */
#define S_SPEC_CTRL    BIT(20) /* 8000_000A EDX: the CPU keeps a guest's SPEC_CTRL apart */
#define F2_LFENCE      BIT(2)  /* 8000_0021 EAX */
#define F2_AUTO_IBRS   BIT(8)

/* Bits that only say what a CPU does; those that promise PRED_CMD; those that promise SPEC_CTRL. */
#define TELLS          (C_SSB_NO | C_BTC_NO)
#define WITH_PRED_CMD  (C_IBPB | C_IBPB_RET)
#define WITH_SPEC_CTRL                                                                     \
	(C_IBRS | C_STIBP | C_IBRS_ALWAYS | C_STIBP_ALWAYS | C_IBRS_PREFER | C_IBRS_SAME | \
	 C_SSBD | C_PSFD)

/* ---- spec-ctrl= ------------------------------------------------------------------------------------- */

enum wish { IBRS, IBPB, STIBP, SSBD, RSB, GUESTS, NR_WISHES };
enum { NO, YES, AUTO };

static const char *const wish_name[NR_WISHES] = { "ibrs", "ibpb", "stibp", "ssbd", "rsb", "msr-sc" };

static void set_all(uint8_t *want, unsigned n, bool value)
{
	for (unsigned i = 0; i < n; i++)
		want[i] = value ? AUTO : NO;
}

/* name, no-name or name=<boolean>. False: not understood. */
static bool parse_named(char *part, uint8_t *want)
{
	char *equals = strchr(part, '=');
	bool negative = !strncmp(part, "no-", 3), value = true;

	if (equals)
		*equals++ = '\0';
	if (negative && equals)
		return false;
	if (negative)
		part += 3;
	if (!option_bool(equals ? equals : "", &value))
		return false;
	value &= !negative;
	if (!strcmp(part, "xen")) { /* the hypervisor's own, not what guests have */
		set_all(want, GUESTS, value);
		return true;
	}
	for (unsigned i = 0; i < NR_WISHES; i++)
		if (!strcmp(part, wish_name[i])) {
			want[i] = value;
			return true;
		}
	return false;
}

static void parse_part(const char *from, size_t n, uint8_t *want)
{
	char part[24], copy[24];
	bool value;

	n = MIN(n, sizeof(part) - 1);
	memcpy(part, from, n);
	part[n] = '\0';
	memcpy(copy, part, sizeof(copy));
	if (!n)
		return;
	if (!strcmp(part, "auto"))
		set_all(want, NR_WISHES, true);
	else if (option_bool(part, &value))
		set_all(want, NR_WISHES, value);
	else if (!parse_named(part, want))
		log_warning("spec-ctrl: \"%s\" is not supported, ignored", copy);
}

static void parse(const char *option, uint8_t *want)
{
	set_all(want, NR_WISHES, true);
	for (;;) {
		const char *comma = strchr(option, ',');

		parse_part(option, comma ? (size_t)(comma - option) : strlen(option), want);
		if (!comma)
			return;
		option = comma + 1;
	}
}

/* ---- the choice ------------------------------------------------------------------------------------- */

static unsigned family(const struct x86_identity *id)
{
	unsigned base = id->signature >> 8 & 15;

	return base == 15 ? base + (id->signature >> 20 & 0xff) : base;
}

/* "TCGTCGTCGTCG": QEMU translating code. It offers no controls either, and exits would only cost more. */
static bool emulated(const struct x86_identity *id)
{
	return (id->features & F_HYPERVISOR) && id->below[0] == 0x54474354 &&
	       id->below[1] == 0x43544743 && id->below[2] == 0x47435447;
}

/* Families 0Fh and 11h have no DE_CFG, and LFENCE always waits there. Whoever is below us may not have the register. */
static enum x86_lfence lfence(const struct x86_identity *id)
{
	if ((id->features2 & F2_LFENCE) || family(id) == 0xf || family(id) == 0x11)
		return LFENCE_ALWAYS;
	return id->features & F_HYPERVISOR ? LFENCE_LEFT : LFENCE_SET;
}

static bool wanted(uint8_t wish, bool otherwise)
{
	return wish == AUTO ? otherwise : wish == YES;
}

static void choose_spec_ctrl(const struct x86_identity *id, const uint8_t *want,
			     struct x86_speculation *out)
{
	uint32_t has = id->controls;
	bool swapped = id->svm & S_SPEC_CTRL;
	bool preferred = swapped && (has & (C_IBRS_ALWAYS | C_IBRS_PREFER));

	out->automatic_ibrs = (id->features2 & F2_AUTO_IBRS) && want[IBRS] != NO;
	if (!out->automatic_ibrs && (has & C_IBRS) && wanted(want[IBRS], preferred)) {
		out->spec_ctrl |= SPEC_CTRL_IBRS;
		/* Unless it works always, it holds against what was learnt before it was written. */
		out->at_exit = has & C_IBRS_ALWAYS ? 0 : 1;
	}
	if ((has & C_STIBP) && wanted(want[STIBP], has & C_STIBP_ALWAYS))
		out->spec_ctrl |= SPEC_CTRL_STIBP;
	if ((has & C_SSBD) && wanted(want[SSBD], false))
		out->spec_ctrl |= SPEC_CTRL_SSBD;
	if (out->at_exit)
		out->at_exit = out->spec_ctrl;
}

static void choose_guests(const struct x86_identity *id, struct x86_speculation *out, bool registers)
{
	uint32_t has = id->controls;

	out->guest_leaf = has & TELLS;
	if (registers && (has & C_IBPB)) {
		out->guest_pred_cmd = true;
		out->guest_leaf |= has & WITH_PRED_CMD;
	}
	if (registers && (id->svm & S_SPEC_CTRL) && (has & (C_IBRS | C_STIBP | C_SSBD))) {
		out->guest_spec_ctrl = true;
		out->guest_leaf |= has & WITH_SPEC_CTRL;
	}
}

void x86_speculation_choose(const struct x86_identity *id, const char *option,
			    struct x86_speculation *out)
{
	uint8_t want[NR_WISHES];

	parse(option, want);
	*out = (struct x86_speculation){ .lfence = lfence(id), .emulated = emulated(id) };
	choose_spec_ctrl(id, want, out);
	out->ibpb = (id->controls & C_IBPB) && want[IBPB] != NO;
	out->fill_returns = out->at_exit ||
			    wanted(want[RSB], !out->automatic_ibrs && !out->emulated);
	choose_guests(id, out, want[GUESTS] != NO);
}

uint64_t x86_spec_ctrl_of(uint32_t leaf)
{
	return (leaf & C_IBRS ? SPEC_CTRL_IBRS : 0) | (leaf & C_STIBP ? SPEC_CTRL_STIBP : 0) |
	       (leaf & C_SSBD ? SPEC_CTRL_SSBD : 0) | (leaf & C_PSFD ? SPEC_CTRL_PSFD : 0);
}

/* ---- the line --------------------------------------------------------------------------------------- */

struct writer {
	char *at;
	size_t left;
	const char *between; /* before the next word */
};

static void put(struct writer *w, const char *s)
{
	size_t n = (size_t)snprint(w->at, w->left, "%s%s", w->between, s);

	n = MIN(n, w->left - 1);
	w->at += n;
	w->left -= n;
	w->between = ", ";
}

static void put_if(struct writer *w, bool yes, const char *s)
{
	if (yes)
		put(w, s);
}

static const char *return_stack(const struct x86_speculation *s)
{
	if (s->fill_returns)
		return "return stack filled at exits";
	if (s->automatic_ibrs)
		return "return stack cleared by exits";
	return s->emulated ? "an emulator, which does not speculate"
			   : "return stack left to guests";
}

static void put_in_force(struct writer *w, const struct x86_speculation *s)
{
	put_if(w, s->automatic_ibrs, "automatic IBRS");
	put_if(w, s->spec_ctrl & SPEC_CTRL_IBRS, s->at_exit ? "IBRS at exits" : "IBRS");
	put_if(w, !s->automatic_ibrs && !(s->spec_ctrl & SPEC_CTRL_IBRS), "no IBRS");
	put(w, s->ibpb ? "IBPB between domains" : "no IBPB");
	put_if(w, s->spec_ctrl & SPEC_CTRL_STIBP, "STIBP");
	put_if(w, s->spec_ctrl & SPEC_CTRL_SSBD, "SSBD");
	put(w, return_stack(s));
	put(w, s->lfence == LFENCE_LEFT ? "LFENCE as found" : "LFENCE serialises");
}

static void put_lacks(struct writer *w, const struct x86_identity *id)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} control[] = {
		{ C_IBRS, "IBRS" }, { C_IBPB, "IBPB" }, { C_STIBP, "STIBP" }, { C_SSBD, "SSBD" }
	};

	w->between = "; the CPU lacks ";
	put_if(w, !(id->features2 & F2_AUTO_IBRS), "automatic IBRS");
	for (unsigned i = 0; i < ARRAY_SIZE(control); i++)
		put_if(w, !(id->controls & control[i].bit), control[i].name);
	put_if(w, !(id->svm & S_SPEC_CTRL), "virtual SPEC_CTRL");
}

void x86_speculation_describe(const struct x86_identity *id, const struct x86_speculation *s,
			      char *line, size_t size)
{
	struct writer w = { .at = line, .left = size, .between = "" };

	put_in_force(&w, s);
	w.between = "; guests have ";
	put_if(&w, s->guest_pred_cmd, "PRED_CMD");
	put_if(&w, s->guest_spec_ctrl, "SPEC_CTRL");
	put_if(&w, !s->guest_pred_cmd && !s->guest_spec_ctrl, "nothing");
	put_lacks(&w, id);
}
