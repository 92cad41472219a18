/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's log: one formatted line goes to the console, whose lock (rank CONSOLE) is the only one. `loglvl=`
 * and `guest_loglvl=` say which levels reach the device and which only at a limited rate; the rest of
 * our own lines is kept for dom0 to read, while a guest cannot fill that memory: its lines above
 * the threshold or over the rate are dropped and counted.
 */
#include <hv/log.h>

#include <arch/timer.h>
#include <hv/atomic.h>
#include <hv/console.h>
#include <hv/option.h>
#include <hv/string.h>

#define LINE_SIZE   256

/* Ten lines at once, then one every half second. */
#define BURST       10
#define INTERVAL_NS 500000000ull

struct rate {
	uint64_t full_at; /* [a] ns, when the bucket would be full again */
	uint32_t dropped; /* [a] lines since the last one that passed */
};

static struct rate own_rate, guest_rate;

/* May one more line pass now? */
static bool rate_pass(struct rate *r)
{
	uint64_t now = arch_time_ns(), old = read_once(&r->full_at), new;

	do {
		new = MAX(old, now) + INTERVAL_NS;
		if (new > now + BURST * INTERVAL_NS) {
			(void)atomic_add(&r->dropped, 1u);
			return false;
		}
	} while (!atomic_cas(&r->full_at, &old, new));
	return true;
}

/* Fits text of `length` (as snprint returned it) into the room of n. */
static size_t fitted(int length, size_t n)
{
	return (size_t)length < n ? (size_t)length : n - 1;
}

static size_t begin_line(char *buf, size_t n)
{
	uint64_t us;

	if (!options.console_timestamps)
		return fitted(snprint(buf, n, "(KR) "), n);
	us = arch_time_ns() / 1000;
	return fitted(snprint(buf, n, "(KR) [%5u.%06u] ", (unsigned)(us / 1000000),
			      (unsigned)(us % 1000000)),
		      n);
}

static void report_dropped(struct rate *r)
{
	uint32_t dropped = read_once(&r->dropped) ? atomic_xchg(&r->dropped, 0u) : 0;
	char line[80];
	size_t n;

	if (!dropped)
		return;
	n = begin_line(line, sizeof(line));
	n += fitted(snprint(line + n, sizeof(line) - n, "(%u lines left out)\n", dropped),
		    sizeof(line) - n);
	console_hypervisor_write(line, n, true);
}

void log_vline(unsigned level, const char *fmt, va_list ap)
{
	bool guest = level & LOG_GUEST;
	const struct log_threshold *t = guest ? &options.loglvl_guest : &options.loglvl;
	struct rate *rate = guest ? &guest_rate : &own_rate;
	int severity = (int)(level & ~LOG_GUEST);
	bool show = severity <= t->always;
	char line[LINE_SIZE + 1];
	size_t n;

	if (!show && severity <= t->limited) {
		if (!rate_pass(rate))
			return;
		show = true;
		report_dropped(rate);
	}
	if (!show && guest)
		return;
	n = begin_line(line, LINE_SIZE);
	n += fitted(vsnprint(line + n, LINE_SIZE - n, fmt, ap), LINE_SIZE - n);
	line[n++] = '\n';
	console_hypervisor_write(line, n, show);
}

void log_line(unsigned level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}
