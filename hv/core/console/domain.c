/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console of one domain, as the hypervisor serves it: lines are put together for output, input waits in
 * a queue until the domain takes it by one of three ways (console_io, the PV ring, an emulated
 * UART). The state is one frame of the domain's pool, made before the domain runs and freed with it.
 * Its lock is taken before any lock that printing or notifying needs.
 */
#include "console.h"
#include <hv/log.h>
#include <hv/pool.h>

_Static_assert(sizeof(struct console_state) <= PAGE_SIZE, "one frame of the domain's pool");

int console_domain_init(struct domain *d)
{
	struct console_state *s;
	mfn_t m;

	if (d->console)
		return 0;
	m = pool_alloc(&d->pool);
	if (!mfn_valid(m))
		return reason_err((enum reason)reason_last()->id);
	s = frame_va(m);
	lock_init(&s->lock, RANK_CONSOLE_DOM);
	s->domain = d;
	d->console = s;
	return 0;
}

void console_domain_free(struct domain *d)
{
	struct console_state *s = d->console;

	if (!s)
		return;
	console_release_ring(d);
	d->console = NULL;
	pool_free(&d->pool, frame_from_va(s));
}

static void flush_line(struct console_state *s)
{
	output_line(s->domain->id, s->line, s->line_used);
	s->line_used = 0;
}

/* Is `c` part of an escape sequence (ESC [ parameters letter, or ESC and one character)? */
static bool in_escape(struct console_state *s, char c)
{
	enum { NONE, BEGUN, PARAMETERS };

	switch (s->escape) {
	case NONE: s->escape = c == 0x1b ? BEGUN : NONE; return s->escape != NONE;
	case BEGUN: s->escape = c == '[' ? PARAMETERS : NONE; return true;
	default:
		if (c >= '@' && c <= '~')
			s->escape = NONE;
		return c != '\n';
	}
}

/* Everybody but the owner of the input: whole lines, and nothing that moves the cursor. */
static void assemble(struct console_state *s, char c)
{
	if (in_escape(s, c))
		return;
	if (c == '\n') {
		s->escape = 0;
		flush_line(s);
		return;
	}
	if ((unsigned char)c < ' ' && c != '\t')
		return;
	s->line[s->line_used++] = c;
	if (s->line_used == CONSOLE_LINE)
		flush_line(s);
}

void console_domain_write(struct domain *d, const char *s, size_t n)
{
	struct console_state *c = d->console;

	if (!c)
		return;
	lock_take(&c->lock);
	if (console_input_owner() == d->id && c->line_used == 0) {
		output_direct(d->id, s, n);
	} else {
		for (size_t i = 0; i < n; i++)
			assemble(c, s[i]);
	}
	if (c->taken && c->line_used) /* the last of it, which another CPU had fetched */
		flush_line(c);
	lock_release(&c->lock);
}

void console_taken(struct domain *d)
{
	struct console_state *s = d->console;

	if (!s)
		return;
	console_release_ring(d);
	lock_take(&s->lock);
	if (s->line_used)
		flush_line(s);
	write_once(&s->taken, !s->input_hook);
	lock_release(&s->lock);
	log_info("d%u: dom0 serves its console%s", d->id, s->taken ? "" : ", but not its UART");
	if (s->taken)
		input_leave(d);
}

void domain_show_partial(struct domain *d)
{
	struct console_state *s = d->console;

	if (!s)
		return;
	lock_take(&s->lock);
	output_direct(d->id, s->line, s->line_used);
	s->line_used = 0;
	lock_release(&s->lock);
}

void domain_input(struct domain *d, char c)
{
	struct console_state *s = d->console;

	lock_take(&s->lock);
	if (s->in_head - s->in_tail < CONSOLE_QUEUE)
		s->in[s->in_head++ % CONSOLE_QUEUE] = c;
	if (pin_held(&s->ring))
		pv_input(s);
	lock_release(&s->lock);
	if (s->input_hook)
		s->input_hook(d);
	else if (d->roles & ROLE_CONSOLE)
		evtchn_send_global_virq(VIRQ_CONSOLE);
}

size_t console_domain_read(struct domain *d, char *buf, size_t n)
{
	struct console_state *s = d->console;
	size_t done = 0;

	if (!s)
		return 0;
	lock_take(&s->lock);
	while (done < n && s->in_tail != s->in_head)
		buf[done++] = s->in[s->in_tail++ % CONSOLE_QUEUE];
	lock_release(&s->lock);
	return done;
}

void console_set_input_hook(struct domain *d, void (*fn)(struct domain *d))
{
	if (d->console)
		d->console->input_hook = fn;
}
