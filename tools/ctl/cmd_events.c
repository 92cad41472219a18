/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr events: what happened to domains. Two sources: lines of the hypervisor's log that are about a domain, which say why, and the record of kr create and
 * the supervisor, which says when, and what was done. The latter survives the domain, its name and this boot of the hypervisor.
 */
#include "ctl.h"
#include "domain/log_line.h"
#include "supervisor/record.h"
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_LEN 2048

struct wanted {
	const char *who; /* NULL: all */
	int domid;       /* -1: only a name is known, that of a domain that is gone */
};

/* The domain that a line of the log is about: "d5 ...", "d5v0: ...", "(d5) ..."; -1: none. *rest is what is said about it. */
static int domain_of(const char *line, const char **rest)
{
	for (const char *p = line; (p = strchr(p, 'd')); p++) {
		char *end;
		unsigned long n;

		if ((p > line && (isalnum((unsigned char)p[-1]) || p[-1] == '_')) ||
		    !isdigit((unsigned char)p[1]))
			continue;
		n = strtoul(p + 1, &end, 10);
		if (*end == 'v' && isdigit((unsigned char)end[1]))
			for (end++; isdigit((unsigned char)*end); end++)
				;
		if (n > 0xffff || (*end != ' ' && *end != ':' && *end))
			continue;
		*rest = end + strspn(end, ": ");
		return (int)n;
	}
	return -1;
}

static void show(struct ctl *c, json_t *list, json_t *event)
{
	const char *when = json_string_value(json_object_get(event, "when"));
	const char *name = json_string_value(json_object_get(event, "name"));
	const char *what = json_string_value(json_object_get(event, "what"));
	const char *why = json_string_value(json_object_get(event, "why"));
	const char *action = json_string_value(json_object_get(event, "action"));

	if (!c->json)
		printf("%-19s  %5lld  %-16s  %s%s%s%s%s\n", when ? when : "-",
		       (long long)json_integer_value(json_object_get(event, "domid")),
		       name && *name ? name : "-", what ? what : "", why ? ": " : "",
		       why ? why : "", action ? " -> " : "", action ? action : "");
	json_array_append_new(list, event);
}

/* ---- the hypervisor's log ---------------------------------------------------------------------------- */

static void show_line(struct ctl *c, const struct system *s, const struct wanted *w,
		      const char *line, json_t *list)
{
	char name[CONFIG_NAME_MAX + 1], when[40];
	const char *rest, *text = log_line_text(line, when, sizeof(when));
	json_t *event;
	int domid;

	if (!text)
		return;
	domid = domain_of(text, &rest);
	if (domid < 0 || (w->who && domid != w->domid))
		return;
	store_name(s, (uint16_t)domid, name, sizeof(name));
	event = json_pack("{s:i, s:s, s:s, s:s}", "domid", domid, "name", name, "from",
			  "hypervisor", "what", rest);
	if (event && *when)
		json_object_set_new(event, "when", json_string(when));
	if (event) /* NULL: not UTF-8 */
		show(c, list, event);
}

static int show_log(struct ctl *c, const struct system *s, const struct wanted *w, json_t *list)
{
	char *text, *line, *next;
	long err = log_read(s->hcall, &text);

	for (line = text; line && *line && !err; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		show_line(c, s, w, line, list);
	}
	free(text);
	return ctl_result(c, s, (int)err, "events");
}

/* ---- the supervisor's record ------------------------------------------------------------------------- */

static bool is_wanted(const struct wanted *w, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "name"));

	return !w->who || (name && strcmp(name, w->who) == 0) ||
	       (w->domid >= 0 && json_integer_value(json_object_get(event, "domid")) == w->domid);
}

static void show_recorded(struct ctl *c, const struct wanted *w, json_t *list)
{
	FILE *file = fopen(EVENTS_FILE, "re");
	char line[LINE_MAX_LEN], when[32];

	while (file && fgets(line, sizeof(line), file)) {
		json_t *event = json_loads(line, 0, NULL); /* a line that was cut by a crash: none */
		time_t t = json_integer_value(json_object_get(event, "time"));
		struct tm tm;

		if (!json_is_object(event) || !is_wanted(w, event)) {
			json_decref(event);
			continue;
		}
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
		json_object_set_new(event, "when", json_string(when));
		if (!json_object_get(event, "from")) /* of an older one */
			json_object_set_new(event, "from", json_string("supervisor"));
		show(c, list, event);
	}
	if (file)
		fclose(file);
}

int cmd_events(struct ctl *c, int argc, char **argv)
{
	json_t *list = json_array();
	struct wanted w = { .domid = -1 };
	struct system s;
	struct fault f;
	uint16_t domid;
	int status;

	json_object_set_new(c->object, "events", list);
	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (argc - optind > 1)
		return ctl_usage(c, "one domain, or none for all of them");
	if (!ctl_system(&s, &f))
		return ctl_refuse(c, &f);
	if (optind < argc) {
		w.who = argv[optind];
		if (s.store && store_find(&s, w.who, &domid, &f))
			w.domid = domid;
		else if (store_is_number(w.who))
			w.domid = atoi(w.who);
	}
	if (!c->json)
		puts("when                 domid  name              what");
	show_recorded(c, &w, list);
	status = show_log(c, &s, &w, list);
	system_close(&s);
	return status;
}
