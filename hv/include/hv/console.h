/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's console and the consoles of boot-time domains.
 *
 * Output: whole lines go to a ring (read by dom0) and to the device, each line of a domain with its name in
 * front: "(d1) ...". Input goes to one owner at a time, first dom0; Ctrl-a three times moves it on to
 * the next domain that has a console and then to the hypervisor's own keys, and says to whom.
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <hv/evtchn.h>
#include <hv/guest.h>
#include <hv/lock.h>
#include <hv/compiler.h>

struct domain;

/* A console device: the UART drivers implement it. Called with the console lock held or in a panic. */
struct console_device {
	const char *name;
	/* Wait-free: bytes taken, fewer than n when the FIFO is full. */
	size_t (*write)(struct console_device *dev, const char *s, size_t n);
	/* The next received byte or -1. */
	int (*read)(struct console_device *dev);
	/* Output space interrupt on or off; NULL when the device is polled. */
	void (*want_write)(struct console_device *dev, bool on);
	/*
	 * After what an interrupt asked for was done: let its line fall and rise again if more is to do, where the line is
	 * edge-triggered. Under the console's lock. NULL: the line is level-triggered.
	 */
	void (*rearm)(struct console_device *dev);
};

/* Early boot: prints at once. A second call replaces the device. */
void console_attach(struct console_device *dev);
/* The device has input or room: raises SOFTIRQ_CONSOLE. Interrupt path. */
void console_interrupt(void);
/* SOFTIRQ_CONSOLE: move input to its owner and buffered output to the device. */
void console_run(void);
/*
 * core/log.c: finished lines, newlines included. They are kept in the ring; `show`: they go to the device too. Any
 * context.
 */
void console_hypervisor_write(const char *s, size_t n, bool show);
/* Boot is over: output is buffered from now on unless options.sync_console. */
void console_boot_done(void);
/* The machine is about to end: wait until everything is out. */
void console_drain(void);
/*
 * Is the buffer so full that `d` should be held up rather than lose output? A domain without the hypervisor's console may fill half
 * of it, so that it cannot hold up who has that console. What is in a PV ring is fetched once there is room again.
 */
bool console_congested(const struct domain *d);
/* Write without buffering from now on, whatever the locks say. */
void console_panic_mode(void);

/* ---- consoles of domains ---- */

enum console_kind { CONSOLE_IO /* HYPERVISOR_console_io */, CONSOLE_PV_RING, CONSOLE_UART };

/* Line assembly for output, and a small queue for input. One frame of the domain's pool. */
struct console_state;

/* Give `d` a console served by the hypervisor. Several kinds may share one state. */
MUST_USE int console_domain_init(struct domain *d);
void console_domain_free(struct domain *d);
/* The PV ring: page at `g`, port from evtchn_alloc_served(..., console_served, ...). */
evtchn_served_fn console_served;
MUST_USE int console_set_ring(struct domain *d, gfn_t g, uint32_t port);
/* The domain ends: its ring is let go. */
void console_release_ring(struct domain *d);
/*
 * Another domain has bound to the ring's port and serves the ring when this returns: what the guest printed and we had not taken is still in it. A line that
 * was begun is shown. The input moves on, unless an emulated UART takes it: that stays with us. No locks held.
 */
void console_taken(struct domain *d);

/* Give the input to domain `id` (DOMID_XEN: the hypervisor's keys) and say so. */
void console_input_to(domid_t id);
/* The domain that has the input. */
domid_t console_input_owner(void);

/* Output of a domain, from console_io or a UART. */
void console_domain_write(struct domain *d, const char *s, size_t n);
/* Up to n bytes of input waiting for `d`. */
size_t console_domain_read(struct domain *d, char *buf, size_t n);
/* More input can be taken from console_domain_read(); set by the emulated UART. */
void console_set_input_hook(struct domain *d, void (*fn)(struct domain *d));
/* The newest of the hypervisor's own text, kept for dom0. */
#define CONSOLE_RING_SIZE 16384u
/* Copy the ring's text for dom0 (CONSOLEIO / SYSCTL_readconsole); returns bytes. */
size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear, bool incremental);

/* Debug keys (also SYSCTL_debug_keys and the hypervisor's own input): 'h' lists them. */
void debug_key(char c);
void debug_key_register(char c, const char *what, void (*fn)(void));

#endif
