/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input from the console device: to one domain at a time, or to the hypervisor's own keys. The
 * switch character (Ctrl-a) three times in a row moves it on; a single one is passed on when
 * something else follows.
 */
#include "console.h"
#include <hv/log.h>
#include <hv/option.h>
#include <hv/string.h>

#define INPUT_BATCH 64u /* characters in one go */

static domid_t owner = DOMID_XEN; /* [a] */
static uint32_t switches;         /* [console_lock] switch characters seen in a row */

domid_t console_input_owner(void)
{
	return read_once(&owner);
}

static bool takes_input(const struct domain *d)
{
	return d->console && !read_once(&d->dying) && !read_once(&d->console->taken);
}

void console_input_to(domid_t id)
{
	struct domain *d = id == DOMID_XEN ? NULL : domain_find(id);
	char text[96], who[16] = "Krypton";
	int n;

	if (d)
		(void)snprint(who, sizeof(who), "d%u", id);
	write_once(&owner, d ? id : DOMID_XEN);
	n = snprint(text, sizeof(text), "*** Input to %s%s", who, d ? "" : " ('h' for help)");
	if (options.conswitch)
		n += snprint(text + n, sizeof(text) - (size_t)n,
			     "; Ctrl-%c three times moves it on", (int)options.conswitch + 'a' - 1);
	output_line(DOMID_XEN, text, (size_t)n);
	if (d)
		domain_show_partial(d);
}

/* The next domain with a console behind the present owner, then the hypervisor. */
static void move_on(void)
{
	domid_t now = read_once(&owner);

	for (struct domain *d = domain_first(); d; d = domain_next(d)) {
		if (takes_input(d) && (now == DOMID_XEN || d->id > now)) {
			console_input_to(d->id);
			return;
		}
	}
	console_input_to(DOMID_XEN);
}

void input_leave(const struct domain *d)
{
	if (read_once(&owner) == d->id)
		move_on();
}

static void deliver(char c)
{
	struct domain *d = NULL;

	if (read_once(&owner) != DOMID_XEN) {
		d = domain_find(read_once(&owner));
		if (!d || !takes_input(d)) { /* it is gone, or being built again */
			if (!d)
				move_on();
			return;
		}
	}
	if (d)
		domain_input(d, c);
	else
		debug_key(c);
}

static void typed(char c)
{
	if (options.conswitch && c == (char)options.conswitch) {
		if (++switches == 3) {
			switches = 0;
			move_on();
		}
		return;
	}
	for (; switches; switches--)
		deliver((char)options.conswitch);
	deliver(c);
}

/* True when there may be more. SOFTIRQ_CONSOLE of any CPU: characters are taken one by one in order. */
bool input_take(struct console_device *dev)
{
	for (uint32_t i = 0; i < INPUT_BATCH; i++) {
		int c;

		lock_take(&console_lock);
		c = dev->read(dev);
		lock_release(&console_lock);
		if (c < 0)
			return false;
		typed((char)c);
	}
	return true;
}
