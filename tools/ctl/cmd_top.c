/* SPDX-License-Identifier: Apache-2.0 */
/* kr top: what the domains use, as shares of one CPU's time between two looks. In a terminal it goes on until q; otherwise it prints. */
#include "ctl.h"
#include "lib/hcall/sysctl.h"
#include <curses.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH         64u
#define MOST          4096u
#define MOST_CPUS     256u
#define DEFAULT_DELAY 2.0

static const struct option long_options[] = { { "delay", required_argument, NULL, 'd' },
					      { "count", required_argument, NULL, 'n' },
					      { NULL, 0, NULL, 0 } };

/* A look at all of them. */
struct look {
	struct hcall_domain *domain;
	unsigned nr;
	uint64_t at_ns, idle_ns; /* of all CPUs together */
	unsigned cpus;
};

struct row {
	const struct hcall_domain *d;
	char name[CONFIG_NAME_MAX + 1];
	double percent;
};

struct view {
	struct ctl *c;
	struct system s;
	double delay;
	uint32_t count; /* 0: live */
	char order;     /* 'c', 'm', 'n' */
	struct look before, now;
	struct row *row;
};

/* ---- looking ----------------------------------------------------------------------------------------- */

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int look_at_domains(const struct system *s, struct look *l)
{
	unsigned next = 0;
	int n;

	l->nr = 0;
	do {
		n = hcall_domains(s->hcall, next, l->domain + l->nr,
				  MOST - l->nr < BATCH ? MOST - l->nr : BATCH);
		if (n <= 0)
			return n;
		l->nr += (unsigned)n;
		next = l->domain[l->nr - 1].id + 1u;
	} while (l->nr < MOST);
	return 0;
}

static int look(const struct system *s, struct look *l)
{
	uint64_t idle[MOST_CPUS];
	int n = hcall_idle(s->hcall, idle, MOST_CPUS);

	l->at_ns = clock_ns();
	l->idle_ns = 0;
	for (int i = 0; i < n; i++)
		l->idle_ns += idle[i];
	l->cpus = n > 0 ? (unsigned)n : 0;
	return n < 0 ? n : look_at_domains(s, l);
}

/* In percent of one CPU; numbers are used again, so that a domain's time may have become less. */
static double share(uint64_t before, uint64_t now, uint64_t elapsed)
{
	return now > before && elapsed ? 100.0 * (double)(now - before) / (double)elapsed : 0;
}

static uint64_t time_before(const struct look *l, const struct hcall_domain *d)
{
	for (unsigned i = 0; i < l->nr; i++)
		if (l->domain[i].id == d->id &&
		    memcmp(l->domain[i].uuid, d->uuid, sizeof(d->uuid)) == 0)
			return l->domain[i].cpu_ns;
	return 0;
}

static char order; /* qsort() passes nothing on */

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (order == 'n')
		return strcmp(x->name, y->name);
	if (order == 'm' && x->d->pages != y->d->pages)
		return x->d->pages < y->d->pages ? 1 : -1;
	if (order == 'c' && x->percent != y->percent)
		return x->percent < y->percent ? 1 : -1;
	return (int)x->d->id - (int)y->d->id;
}

static void make_rows(struct view *v)
{
	uint64_t elapsed = v->now.at_ns - v->before.at_ns;

	for (unsigned i = 0; i < v->now.nr; i++) {
		struct row *r = &v->row[i];

		r->d = &v->now.domain[i];
		store_name(&v->s, r->d->id, r->name, sizeof(r->name));
		r->percent = share(time_before(&v->before, r->d), r->d->cpu_ns, elapsed);
	}
	order = v->order;
	qsort(v->row, v->now.nr, sizeof(*v->row), compare);
}

/* The next look, after the time between two; false: *status says why not. */
static bool next_look(struct view *v, int *status)
{
	struct look spare = v->before;

	v->before = v->now;
	v->now = spare;
	*status = ctl_result(v->c, &v->s, look(&v->s, &v->now), "top");
	if (*status == CTL_DONE)
		make_rows(v);
	return *status == CTL_DONE;
}

/* ---- showing ----------------------------------------------------------------------------------------- */

static void head_line(const struct view *v, char *line, size_t room)
{
	uint64_t elapsed = v->now.at_ns - v->before.at_ns;

	snprintf(line, room, "%u domains, %u CPUs, %.1f%% of one idle", v->now.nr, v->now.cpus,
		 share(v->before.idle_ns, v->now.idle_ns, elapsed));
}

static void row_line(const struct row *r, char *line, size_t room)
{
	snprintf(line, room, "%5u  %-24s %-10s %6.1f %8" PRIu64 " %8" PRIu64 " %5u %10" PRIu64 ".%u",
		 r->d->id, *r->name ? r->name : "-", ctl_state(r->d), r->percent, r->d->pages / 256,
		 r->d->max_pages / 256, r->d->online, r->d->cpu_ns / 1000000000u,
		 (unsigned)(r->d->cpu_ns / 100000000u % 10));
}

static const char title[] =
    "   id  name                     state        CPU%      MiB      max vCPUs      seconds";

static void print_text(const struct view *v)
{
	char line[200];

	head_line(v, line, sizeof(line));
	printf("%s\n%s\n", line, title);
	for (unsigned i = 0; i < v->now.nr; i++) {
		row_line(&v->row[i], line, sizeof(line));
		puts(line);
	}
}

static void print_json(const struct view *v)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < v->now.nr; i++) {
		const struct row *r = &v->row[i];

		json_array_append_new(
		    list,
		    json_pack("{s:i, s:s, s:s, s:f, s:I, s:I, s:i, s:I}", "domid", (int)r->d->id,
			      "name", r->name, "state", ctl_state(r->d), "cpu_percent", r->percent,
			      "memory_kib", (json_int_t)r->d->pages * 4, "maxmem_kib",
			      (json_int_t)r->d->max_pages * 4, "vcpus", (int)r->d->online, "cpu_ns",
			      (json_int_t)r->d->cpu_ns));
	}
	json_object_set_new(v->c->object, "domains", list);
	json_object_set_new(v->c->object, "cpus", json_integer(v->now.cpus));
	json_object_set_new(
	    v->c->object, "idle_percent",
	    json_real(share(v->before.idle_ns, v->now.idle_ns, v->now.at_ns - v->before.at_ns)));
}

static void wait_text(const struct view *v)
{
	const struct timespec t = { (time_t)v->delay,
				    (long)((v->delay - (double)(time_t)v->delay) * 1e9) };

	nanosleep(&t, NULL);
}

static int print_looks(struct view *v)
{
	int status = CTL_DONE;

	for (uint32_t i = 0; i < v->count; i++) {
		wait_text(v);
		if (!next_look(v, &status))
			return status;
		if (v->c->json)
			print_json(v);
		else
			print_text(v);
		fflush(stdout);
	}
	return status;
}

/* ---- live -------------------------------------------------------------------------------------------- */

static void draw(const struct view *v)
{
	char line[200];

	erase();
	head_line(v, line, sizeof(line));
	mvaddnstr(0, 0, line, COLS);
	attron(A_REVERSE);
	mvaddnstr(1, 0, title, COLS);
	attroff(A_REVERSE);
	for (unsigned i = 0; i < v->now.nr && (int)i + 2 < LINES; i++) {
		row_line(&v->row[i], line, sizeof(line));
		mvaddnstr((int)i + 2, 0, line, COLS);
	}
	refresh();
}

static int live(struct view *v)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);
	struct fault f;
	int key = 0, status = CTL_DONE;

	if (!screen) {
		fault_fill(
		    &f, F_USAGE,
		    "nothing is known of this terminal (TERM=%s): kr top -n 1 prints without",
		    getenv("TERM") ? getenv("TERM") : "");
		return ctl_refuse(v->c, &f);
	}
	cbreak();
	noecho();
	curs_set(0);
	timeout((int)(v->delay * 1000));
	while (key != 'q' && next_look(v, &status)) {
		draw(v);
		key = getch();
		if (key == 'c' || key == 'm' || key == 'n')
			v->order = (char)key;
	}
	endwin();
	delscreen(screen);
	return status;
}

/* ---- the command ------------------------------------------------------------------------------------- */

static int read_options(struct view *v, int argc, char **argv)
{
	char *end;
	int option;

	while ((option = ctl_option(v->c, argc, argv, "d:n:", long_options)) != -1) {
		if (option == '?')
			return CTL_USAGE;
		if (option == 'n' && !ctl_number(optarg, 1, UINT32_MAX, &v->count))
			return ctl_usage(v->c, "%s is no number of looks", optarg);
		if (option == 'd') {
			v->delay = strtod(optarg, &end);
			if (*end || end == optarg || !(v->delay >= 0.1 && v->delay <= 3600))
				return ctl_usage(v->c, "%s is no delay: 0.1 to 3600 seconds",
						 optarg);
		}
	}
	if (optind < argc)
		return ctl_usage(v->c, "there are no arguments");
	if (v->c->json)
		v->count = 1;
	if (!v->count && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return ctl_usage(v->c, "this is no terminal: say how many looks, -n 1");
	return CTL_DONE;
}

int cmd_top(struct ctl *c, int argc, char **argv)
{
	struct view v = { .c = c, .delay = DEFAULT_DELAY, .order = 'c' };
	struct fault f;
	int status = read_options(&v, argc, argv);

	if (status)
		return status;
	if (!ctl_system(&v.s, &f))
		return ctl_refuse(c, &f);
	v.before.domain = calloc(MOST, sizeof(*v.before.domain));
	v.now.domain = calloc(MOST, sizeof(*v.now.domain));
	v.row = calloc(MOST, sizeof(*v.row));
	if (!v.before.domain || !v.now.domain || !v.row) {
		fault_fill(&f, F_NO_MEMORY, "no memory for a list of domains");
		status = ctl_refuse(c, &f);
	} else {
		status = ctl_result(c, &v.s, look(&v.s, &v.now), "top");
		if (status == CTL_DONE)
			status = v.count ? print_looks(&v) : live(&v);
	}
	free(v.row);
	free(v.now.domain);
	free(v.before.domain);
	system_close(&v.s);
	return status;
}
