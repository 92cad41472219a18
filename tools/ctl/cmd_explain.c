/* SPDX-License-Identifier: Apache-2.0 */
/* kr explain: the reasons of the tools (lib/faults.def) and of the hypervisor (hv/reasons.def). */
#include "ctl.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct reason {
	const char *name, *meaning, *advice, *whose;
};

static const struct reason reasons[] = {
#define FAULT(id, meaning, advice) { &#id[2], meaning, advice, "kr" },
#include "lib/faults.def"
#undef FAULT
#define REASON(id, error, meaning, advice) { &#id[2], meaning, advice, "hypervisor (-" #error ")" },
#include "../../hv/include/hv/reasons.def"
#undef REASON
};
#define NR_REASONS (sizeof(reasons) / sizeof(reasons[0]))

/* The hypervisor's texts have places for numbers (hv/reasons.def). */
static const char *readable(const char *text, char *buf, size_t room)
{
	size_t n = 0;

	for (; *text && n + 16 < room; text++) {
		const char *word = *text != '%'            ? NULL
				   : strchr("oO", text[1]) ? "<object>"
				   : strchr("lL", text[1]) ? "<limit>"
				   : strchr("aA", text[1]) ? "<actual>"
							   : NULL;

		if (word && text[1])
			n += (size_t)snprintf(buf + n, room - n, "%s", word), text++;
		else
			buf[n++] = *text;
	}
	buf[n] = 0;
	return buf;
}

static void print(struct ctl *c, const struct reason *r)
{
	char meaning[512];

	readable(r->meaning, meaning, sizeof(meaning));
	json_object_set_new(c->object, r->name,
			    json_pack("{s:s, s:s, s:s}", "meaning", meaning, "advice", r->advice,
				      "from", r->whose));
	if (!c->json)
		printf("%s\n  from:    %s\n  meaning: %s\n  advice:  %s\n", r->name, r->whose,
		       meaning, r->advice);
}

/* By its whole name, in any case, with the prefix of the table or without. */
static bool is(const struct reason *r, const char *name)
{
	if ((name[0] == 'F' || name[0] == 'R') && name[1] == '_')
		name += 2;
	return strcasecmp(r->name, name) == 0;
}

/* Those for which `match` holds: how many. */
static unsigned print_all(struct ctl *c, const char *word,
			  bool (*match)(const struct reason *, const char *))
{
	unsigned n = 0;

	for (size_t i = 0; i < NR_REASONS; i++) {
		if (!match(&reasons[i], word))
			continue;
		print(c, &reasons[i]);
		n++;
	}
	return n;
}

static bool has(const struct reason *r, const char *word)
{
	return strcasestr(r->name, word) || strcasestr(r->meaning, word);
}

int cmd_explain(struct ctl *c, int argc, char **argv)
{
	struct fault f;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (argc - optind != 1)
		return ctl_usage(c, "one reason is expected");
	if (print_all(c, argv[optind], is) || print_all(c, argv[optind], has))
		return CTL_DONE;
	fault_fill(&f, F_USAGE, "no reason has \"%s\" in its name or meaning", argv[optind]);
	return ctl_refuse(c, &f);
}
