/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output to the console device. Lines are marked with who printed them: "(d1) ..."; the hypervisor's come
 * with their own mark from core/log.c. The domain that has the input is shown character by
 * character, everybody else in whole lines; when one comes while another's line is open,
 * the open line is ended first and goes on in a new one.
 *
 * Text waits in a buffer until the device takes it; nobody waits for the device except while booting, with
 * sync_console, and in a panic. What does not fit is counted and the loss is printed; domains fill half of the buffer at most,
 * so that no flood of theirs keeps out the hypervisor or who has its console. The lock ranks last, so every place may print.
 */
#include "console.h"
#include <hv/domain.h>
#include <hv/option.h>
#include <hv/softirq.h>
#include <hv/string.h>

#define BUFFER_SIZE 16384u
#define MARK_SIZE   16u
/* The end of an open line, a note of lost output, the mark, and the end. */
#define FRAMING     (MARK_SIZE + 64u)
/* Polls of a device that takes nothing before it is given up: far above a character at 9600 baud. */
#define PATIENCE    10000000u

struct lock console_lock = LOCK_INIT(RANK_CONSOLE);

static struct console_device *device; /* [console_lock] NULL: none yet */
static char buffer[BUFFER_SIZE];      /* [console_lock] */
static uint32_t head, tail; /* [console_lock] free-running: filled to head, sent to tail */
static uint32_t lost;       /* [console_lock] bytes */
static domid_t open_owner = DOMID_INVALID; /* [console_lock] whose line is open; INVALID: none is */
static bool synchronous = true;            /* [a] */
static bool panicking;                     /* [a] */
static bool held_up; /* [a] somebody found the buffer full and waits for room */

/* How far `owner` may fill the buffer. Half of it is for the hypervisor and for domains with its console. */
static uint32_t share_of(domid_t owner)
{
	const struct domain *d = owner == DOMID_XEN ? NULL : domain_find(owner);

	return !d || (d->roles & ROLE_CONSOLE) ? BUFFER_SIZE : BUFFER_SIZE / 2;
}

/* In a panic the lock may be held by whoever panicked. */
static void console_take(void) ACQUIRES(console_lock) NO_LOCK_CHECK
{
	if (!read_once(&panicking))
		lock_take(&console_lock);
}

static void console_give(void) RELEASES(console_lock) NO_LOCK_CHECK
{
	if (!read_once(&panicking))
		lock_release(&console_lock);
}

struct console_device *console_device(void)
{
	return read_once(&device);
}

/* Give the device what it takes. */
static void push(void)
{
	uint32_t polls = 0;

	while (device && head != tail) {
		uint32_t at = tail % BUFFER_SIZE;
		size_t n = device->write(device, buffer + at, MIN(head - tail, BUFFER_SIZE - at));

		tail += (uint32_t)n;
		polls = n ? 0 : polls + 1;
		if (!n && (polls == PATIENCE || (!read_once(&synchronous) && device->want_write)))
			break;
	}
	if (device && device->want_write)
		device->want_write(device, head != tail);
}

/* Room for n bytes of `owner` and what frames them; otherwise they are counted as lost. */
static bool fits(domid_t owner, size_t n)
{
	uint32_t share = share_of(owner);

	n += FRAMING;
	if (head - tail + n > share)
		push();
	if (head - tail + n <= share)
		return true;
	lost += (uint32_t)(n - FRAMING);
	return false;
}

static void put(char c)
{
	if (head - tail == BUFFER_SIZE)
		push();
	if (head - tail == BUFFER_SIZE)
		lost++;
	else
		buffer[head++ % BUFFER_SIZE] = c;
}

static void put_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			put('\r');
		put(s[i]);
	}
}

/* End a line that somebody else has open; begin one of `owner`. */
static void begin_line(domid_t owner)
{
	char mark[MARK_SIZE];
	int n;

	if (open_owner == owner && owner != DOMID_INVALID)
		return;
	if (open_owner != DOMID_INVALID)
		put_text("\n", 1);
	if (lost && head - tail < BUFFER_SIZE / 2) {
		char text[48];

		n = snprint(text, sizeof(text), "[%u bytes of output lost]\n", lost);
		lost = 0;
		put_text(text, (size_t)n);
	}
	open_owner = owner;
	if (owner == DOMID_XEN)
		return;
	n = snprint(mark, sizeof(mark), "(d%u) ", owner);
	put_text(mark, (size_t)n);
}

void output_line(domid_t owner, const char *s, size_t n)
{
	console_take();
	if (fits(owner, n)) {
		begin_line(owner);
		put_text(s, n);
		put_text("\n", 1);
		open_owner = DOMID_INVALID;
		push();
	}
	console_give();
}

void output_direct(domid_t owner, const char *s, size_t n)
{
	console_take();
	if (!fits(owner, 2 * n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		/* An end of line does not open another one. */
		if (s[i] == '\n' && open_owner == owner) {
			put_text("\n", 1);
			open_owner = DOMID_INVALID;
			continue;
		}
		if (s[i] == '\r' && open_owner != owner)
			continue;
		begin_line(owner);
		put_text(s + i, 1);
		if (s[i] == '\n')
			open_owner = DOMID_INVALID;
	}
	push();
	console_give();
}

void console_hypervisor_write(const char *s, size_t n, bool show)
{
	console_take();
	ring_append(s, n);
	if (show) {
		begin_line(DOMID_XEN);
		put_text(s, n);
		if (n && s[n - 1] == '\n')
			open_owner = DOMID_INVALID;
		push();
	}
	console_give();
}

void console_attach(struct console_device *dev)
{
	console_take();
	device = dev;
	push();
	console_give();
}

void console_boot_done(void)
{
	write_once(&synchronous, options.sync_console);
}

void console_drain(void)
{
	write_once(&synchronous, true);
	console_take();
	push();
	console_give();
}

bool console_congested(const struct domain *d)
{
	if (read_once(&head) - read_once(&tail) <= share_of(d->id) / 4 * 3)
		return false;
	write_once(&held_up, true);
	return true;
}

/* Somebody was held up: below half of the smaller share, rings are fetched again, in turns. */
static void go_on(void)
{
	static domid_t turn; /* [a] whose ring is first, roughly */
	domid_t from = read_once(&turn);

	if (!read_once(&held_up) || read_once(&head) - read_once(&tail) > BUFFER_SIZE / 4)
		return;
	write_once(&held_up, false);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (struct domain *d = domain_first(); d; d = domain_next(d)) {
			if ((d->id >= from) != (pass == 0) || !pv_serve(d))
				continue;
			if (read_once(&held_up)) { /* the next one begins the next round */
				write_once(&turn, (domid_t)(d->id + 1));
				return;
			}
		}
	}
}

void console_panic_mode(void)
{
	write_once(&synchronous, true);
	write_once(&panicking, true);
}

void console_interrupt(void)
{
	softirq_raise_here(SOFTIRQ_CONSOLE);
}

void console_run(void)
{
	struct console_device *dev = console_device();

	if (!dev)
		return;
	console_take();
	push();
	console_give();
	go_on();
	if (input_take(dev))
		softirq_raise_here(SOFTIRQ_CONSOLE);
	if (dev->rearm) {
		console_take();
		dev->rearm(dev);
		console_give();
	}
}
