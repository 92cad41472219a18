/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of core/console share; nobody else includes this. */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include <hv/console.h>
#include <hv/domain.h>

#define CONSOLE_LINE  256u
#define CONSOLE_QUEUE 512u /* power of two */

struct console_state {
	struct lock lock;           /* rank CONSOLE_DOM */
	struct domain *domain;      /* [c] */
	struct pin ring;            /* [l] page of the PV ring, while we serve it */
	uint32_t port;              /* [l] its event channel, 0: none */
	uint32_t out_cons, in_prod; /* [l] our indices: the guest's copies are not trusted */
	void (*input_hook)(struct domain *d); /* [c] */
	uint32_t line_used;                   /* [l] */
	uint8_t escape;                       /* [l] how far into a terminal's escape sequence */
	bool taken;                /* [l, a] dom0 serves the ring, and nothing else takes input */
	char line[CONSOLE_LINE];   /* [l] output without its newline yet */
	uint32_t in_head, in_tail; /* [l] free-running */
	char in[CONSOLE_QUEUE];    /* [l] input not taken yet */
};

/* output.c: `owner` prints to the device; DOMID_XEN: the hypervisor. */
void output_line(domid_t owner, const char *s, size_t n);
/* The owner of the input prints character by character; its line may stay open. */
void output_direct(domid_t owner, const char *s, size_t n);

/* domain.c: a typed character for `d`. */
void domain_input(struct domain *d, char c);
/* The line that `d` has begun becomes visible. */
void domain_show_partial(struct domain *d);

/* input.c: `d` takes no input any more. */
void input_leave(const struct domain *d);
/* Characters waiting in the device. */
bool input_take(struct console_device *dev);

/* ring.c */
void ring_append(const char *s, size_t n);

/* pv.c, with state->lock held: move what the guest printed / what was typed. */
void pv_input(struct console_state *s);
/* pv.c: take what `d` has in its ring, as if it had just said so. False: it has none. */
bool pv_serve(struct domain *d);

/* output.c */
extern struct lock console_lock; /* rank CONSOLE: device, its buffer, the ring */
struct console_device *console_device(void);

#endif
