/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a long operation is, in one line of the terminal that the next one overwrites and that is gone at the end; and whether Ctrl-C was pressed.
 * Where the standard error output is no terminal, nothing is shown.
 */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 300 /* what takes less is not shown */
#define REDRAW_MS   100
#define MIB         (1024 * 1024ull)

static struct {
	bool wanted; /* somebody is there to see it */
	bool drawn;  /* a line stands there now */
	const char *name;
	long long next_ms; /* not before */
	const char *what;  /* that the line is about */
} line;

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Waiting is shown at once, for nothing may follow for a long time. */
static bool is_due(const char *what, uint64_t total)
{
	const long long now = now_ms();
	const bool due = now >= line.next_ms || (total == 0 && what != line.what);

	if (due)
		line.next_ms = now + REDRAW_MS;
	return due;
}

static void draw(const char *what, uint64_t done, uint64_t total)
{
	if (!line.wanted || !is_due(what, total))
		return;
	line.drawn = true;
	line.what = what;
	if (total)
		fprintf(stderr, "\r%s: %s: %llu of %llu MiB\033[K", line.name, what,
			(unsigned long long)(done / MIB), (unsigned long long)(total / MIB));
	else
		fprintf(stderr, "\r%s: %s ...\033[K", line.name, what);
}

/* Ctrl-C and its like wait until a step is done (create.h, system_lock()), and then undo it. */
static bool interrupted(struct fault *f)
{
	sigset_t pending;

	sigpending(&pending);
	if (!sigismember(&pending, SIGINT) && !sigismember(&pending, SIGTERM) &&
	    !sigismember(&pending, SIGHUP))
		return false;
	fault_fill(f, F_INTERRUPTED, "interrupted; what was done is undone");
	return true;
}

static bool step(const char *what, uint64_t done, uint64_t total, struct fault *f)
{
	if (what)
		draw(what, done, total);
	return !interrupted(f);
}

const struct watch *progress_begin(const char *name)
{
	static const struct watch watch = { step };

	memset(&line, 0, sizeof(line));
	line.wanted = isatty(STDERR_FILENO);
	line.name = name;
	line.next_ms = line.wanted ? now_ms() + PATIENCE_MS : 0;
	return &watch;
}

void progress_end(void)
{
	if (line.drawn)
		fprintf(stderr, "\r\033[K");
	memset(&line, 0, sizeof(line));
}
