/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consoles and their event loop. Everything from a guest is bounded: at most ROUND_BYTES of one domain in a round, TICK_BYTES in a tick (then its
 * ring stays as it is, so that it is the guest that waits), BACKLOG bytes for a terminal that nobody reads.
 */
#include "consoled.h"
#include "lib/hcall/sysctl.h"
#include "ring.h"
#include "tail.h"
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <xen/grant_table.h>

#define DOMAINS     0x7ff0u /* DOMID_FIRST_RESERVED */
#define ROUND_BYTES 2048u
#define TICK_MS     100
#define TICK_BYTES  (64u * 1024) /* 640 KiB a second */
#define BACKLOG     (64u * 1024)
#define JOIN_TRIES  10 /* a second each */
#define LINGER_SECS 2  /* how long the terminal of a dead domain can still be read */
#define HV_CHUNK    16384u
#define PATH_LEN    128

struct console {
	uint16_t domid;
	bool seen;      /* in the present round over all domains */
	bool throttled; /* until the next tick */
	bool dead;      /* the domain is gone; the terminal lingers */
	bool complained;
	uint8_t uuid[16];
	uint32_t port, remote_port;
	uint64_t gfn;
	bool granted;
	struct ring ring;
	uint32_t tick_bytes; /* taken since tick_ms */
	uint64_t tick_ms;
	int master, slave;
	struct event readable, linger;
	struct event writable;
	struct tail out;
	struct logfile log;
};

static const struct setup *setup;
static struct event_base *base;
static struct event tick_event, again_event, store_event, ports_event, term_event, hup_event,
    hv_event;
static struct console *consoles[DOMAINS];
static struct console **by_port;
static uint32_t nr_ports;
static struct logfile hv_log;
static uint32_t hv_index;
static unsigned tries_left = JOIN_TRIES;
static int status;

bool say_to_syslog;

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (say_to_syslog) {
		vsyslog(LOG_WARNING, format, args);
	} else {
		fputs("kr-consoled: ", stderr);
		vfprintf(stderr, format, args);
		fputc('\n', stderr);
	}
	va_end(args);
}

/* ---- the store --------------------------------------------------------------------------------------- */

static bool read_node(uint16_t domid, const char *node, char *buf, size_t room)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
	if (client_read(setup->store, 0, path, buf, room) < 0)
		*buf = 0;
	return *buf != 0;
}

static void write_tty(const struct console *c, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "/local/domain/%u/console/tty", c->domid);
	if (client_write(setup->store, 0, path, name, strlen(name)))
		say("domain %u: the name of its terminal cannot be stored", c->domid);
}

static void watch_node(uint16_t domid, const char *node, bool on)
{
	char path[PATH_LEN], token[16];
	int err;

	snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
	snprintf(token, sizeof(token), "%u", domid);
	err = on ? client_watch(setup->store, path, token)
		 : client_unwatch(setup->store, path, token);
	if (err && err != -EEXIST && err != -ENOENT)
		say("domain %u: a watch on its %s: %s", domid, node, strerror(-err));
}

/* Where its console is, and its name, which its log has. */
static void watch_domain(uint16_t domid, bool on)
{
	watch_node(domid, "console", on);
	watch_node(domid, "name", on);
}

/* ---- output ------------------------------------------------------------------------------------------ */

/* To the terminal, as much as it takes; the rest waits for it. */
static void flush(struct console *c)
{
	const char *p;
	size_t n;

	while ((p = tail_peek(&c->out, &n)) != NULL) {
		ssize_t done = write(c->master, p, n);

		if (done <= 0)
			break;
		tail_taken(&c->out, (size_t)done);
	}
	if (p)
		event_add(&c->writable, NULL);
	else
		event_del(&c->writable);
}

static void on_writable(evutil_socket_t fd, short what, void *console)
{
	flush(console);
}

static void broken_ring(struct console *c)
{
	if (!c->complained)
		say("domain %u: its console ring has impossible indices; what it printed is lost",
		    c->domid);
	c->complained = true;
}

/* One round for one domain. True: it has more, and may go on. */
static bool take_output(struct console *c)
{
	char bytes[ROUND_BYTES];
	bool broken;
	size_t n = ring_take(&c->ring, bytes, sizeof(bytes), &broken);

	if (broken)
		broken_ring(c);
	if (!n)
		return false;
	c->tick_bytes += (uint32_t)n;
	events_notify(setup->events, c->port);
	tail_add(&c->out, bytes, n);
	flush(c);
	log_write(&c->log, bytes, n); /* last: who has seen it there finds it on the terminal */
	return ring_has_output(&c->ring);
}

/* ---- input ------------------------------------------------------------------------------------------- */

/* The terminal is read only while the ring has room: what is typed meanwhile waits in the kernel. */
static void on_readable(evutil_socket_t fd, short what, void *console)
{
	struct console *c = console;
	char bytes[RING_IN];
	size_t room = ring_room(&c->ring);
	ssize_t n;

	if (c->dead || !room) {
		event_del(&c->readable); /* the guest says by its port when it has taken some */
		return;
	}
	n = read(c->master, bytes, room);
	if (n <= 0)
		return;
	ring_put(&c->ring, bytes, (size_t)n);
	events_notify(setup->events, c->port);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void serve_console(struct console *c)
{
	uint64_t now = now_ms();

	if (c->dead)
		return;
	if (now - c->tick_ms >= TICK_MS) {
		c->tick_bytes = 0;
		c->tick_ms = now;
	}
	while (take_output(c) && c->tick_bytes < TICK_BYTES)
		;
	if (ring_room(&c->ring))
		event_add(&c->readable, NULL);
	if (c->tick_bytes >= TICK_BYTES && ring_has_output(&c->ring)) {
		const struct timeval soon = { 0, TICK_MS * 1000 };

		c->throttled = true;
		if (!event_pending(&tick_event, EV_TIMEOUT, NULL))
			event_add(&tick_event, &soon);
		return;
	}
	events_unmask(setup->events, c->port);
}

/* Those that had used their budget go on. A tick is only due while there are such. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	for (uint32_t p = 0; p < nr_ports; p++) {
		struct console *c = by_port[p];

		if (!c || !c->throttled)
			continue;
		c->throttled = false;
		c->tick_bytes = 0;
		c->tick_ms = now_ms();
		serve_console(c);
	}
}

/* One port a call: the descriptor stays readable, and others get their turn. */
static void on_ports(evutil_socket_t fd, short what, void *arg)
{
	uint32_t port;

	if (events_pending(setup->events, &port) <= 0)
		return;
	if (port < nr_ports && by_port[port])
		serve_console(by_port[port]);
	else
		events_unmask(setup->events, port);
}

/* ---- a console's life -------------------------------------------------------------------------------- */

static bool know_port(struct console *c)
{
	if (c->port >= nr_ports) {
		uint32_t n = c->port + 64;
		struct console **list = realloc(by_port, n * sizeof(*list));

		if (!list)
			return false;
		memset(list + nr_ports, 0, (n - nr_ports) * sizeof(*list));
		by_port = list;
		nr_ports = n;
	}
	by_port[c->port] = c;
	return true;
}

/* The reserved grant first: it needs no right over the domain's memory. */
static bool map_ring(struct console *c)
{
	static const uint32_t reserved = GNTTAB_RESERVED_CONSOLE;
	void *page = grants_map(setup->grants, c->domid, &reserved, 1, true);

	c->granted = page != NULL;
	if (!page)
		page = fmem_map(setup->fmem, c->domid, &c->gfn, 1);
	if (page)
		ring_attach(&c->ring, page);
	return page != NULL;
}

static void unmap_ring(struct console *c)
{
	if (c->ring.page && c->granted)
		grants_unmap(setup->grants, c->ring.page, 1);
	else if (c->ring.page)
		fmem_unmap(setup->fmem, c->ring.page, 1);
	c->ring.page = NULL;
}

static bool bind_port(struct console *c)
{
	int err = events_bind(setup->events, c->domid, c->remote_port, &c->port);

	errno = -err;
	return !err && know_port(c);
}

static void unbind_port(struct console *c)
{
	if (!c->port)
		return;
	if (c->port < nr_ports)
		by_port[c->port] = NULL;
	events_unbind(setup->events, c->port);
	c->port = 0;
}

/* A raw terminal. Our own hold on the slave keeps the master from hanging up when a user leaves. */
static bool open_terminal(struct console *c)
{
	struct termios raw;
	char name[64];

	if (openpty(&c->master, &c->slave, name, NULL, NULL) < 0)
		return false;
	fcntl(c->master, F_SETFD, FD_CLOEXEC);
	fcntl(c->slave, F_SETFD, FD_CLOEXEC);
	fcntl(c->master, F_SETFL, O_NONBLOCK);
	fchmod(c->slave, 0600);
	if (tcgetattr(c->slave, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(c->slave, TCSANOW, &raw);
	}
	event_assign(&c->readable, base, c->master, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, base, c->master, EV_WRITE | EV_PERSIST, on_writable, c);
	event_add(&c->readable, NULL);
	write_tty(c, name);
	return true;
}

static void close_terminal(struct console *c)
{
	if (c->master < 0)
		return;
	event_del(&c->readable);
	event_del(&c->writable);
	close(c->master);
	close(c->slave);
	c->master = c->slave = -1;
}

static void disconnect(struct console *c)
{
	unbind_port(c);
	unmap_ring(c);
}

static void forget(struct console *c)
{
	if (event_initialized(&c->linger))
		event_del(&c->linger);
	disconnect(c);
	close_terminal(c);
	log_close(&c->log);
	tail_free(&c->out);
	if (consoles[c->domid] == c)
		consoles[c->domid] = NULL;
	free(c);
}

static void on_linger(evutil_socket_t fd, short what, void *console)
{
	forget(console);
}

/* What the domain printed last is taken; its number may be another's from now on. */
static void leave(struct console *c)
{
	const struct timeval wait = { LINGER_SECS, 0 };

	for (unsigned i = 0; i < 2 * RING_OUT / ROUND_BYTES && take_output(c); i++)
		;
	disconnect(c);
	log_close(&c->log);
	c->dead = true;
	consoles[c->domid] = NULL;
	event_del(&c->readable);
	event_assign(&c->linger, base, -1, 0, on_linger, c);
	event_add(&c->linger, &wait);
	if (setup->verbose)
		say("domain %u is gone", c->domid);
}

/* The daemon before us may be ending, and the kernel has not let go of its event channels yet: we look again, at first. */
static bool refuse(struct console *c, const char *what)
{
	const struct timeval second = { 1, 0 };

	say("domain %u: %s: %s", c->domid, what, strerror(errno));
	forget(c);
	if (tries_left && !event_pending(&again_event, EV_TIMEOUT, NULL) &&
	    event_add(&again_event, &second) == 0)
		tries_left--;
	return false;
}

/* What the store says about a console that is ours; false: there is none yet. */
static bool read_place(uint16_t domid, uint32_t *port, uint64_t *gfn)
{
	char text[64];

	if (read_node(domid, "console/type", text, sizeof(text)) && strcmp(text, "xenconsoled") != 0)
		return false;
	if (!read_node(domid, "console/port", text, sizeof(text)))
		return false;
	*port = (uint32_t)strtoul(text, NULL, 10);
	if (!read_node(domid, "console/ring-ref", text, sizeof(text)))
		return false;
	*gfn = strtoull(text, NULL, 10);
	return true;
}

/* The log is called after the domain, which may be renamed. */
static void name_log(struct console *c)
{
	struct logfile log;
	char name[100];

	if (!read_node(c->domid, "name", name, sizeof(name)))
		snprintf(name, sizeof(name), "domain-%u", c->domid);
	log_init(&log, &setup->guests, "guest-", name);
	if (strcmp(log.name, c->log.name) == 0)
		return;
	log_close(&c->log);
	c->log = log;
}

static bool join(uint16_t domid, const uint8_t *uuid, uint32_t port, uint64_t gfn)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	*c = (struct console){ .domid = domid,
			       .remote_port = port,
			       .gfn = gfn,
			       .master = -1,
			       .slave = -1,
			       .log = { .fd = -1 } };
	memcpy(c->uuid, uuid, sizeof(c->uuid));
	c->out.limit = BACKLOG;
	name_log(c);
	if (!map_ring(c))
		return refuse(c, "its console ring cannot be mapped");
	if (!bind_port(c))
		return refuse(c, "its console's event channel cannot be bound");
	/* Again: until now the hypervisor may have served it. */
	ring_attach(&c->ring, c->ring.page);
	if (!open_terminal(c))
		return refuse(c, "no terminal");
	consoles[domid] = c;
	if (setup->verbose)
		say("domain %u is connected: %s", domid, c->log.name);
	serve_console(c); /* what was printed before */
	return true;
}

/*
 * Is it the one that we serve? A boot-time domain that was built again while we did not look has its number, its places and no UUID, as before; but our event
 * channel ended with the one before it.
 */
static bool is_same(const struct console *c, const struct hcall_domain *d, uint32_t port,
		    uint64_t gfn)
{
	return c->remote_port == port && c->gfn == gfn &&
	       memcmp(c->uuid, d->uuid, sizeof(c->uuid)) == 0 &&
	       hcall_joined(setup->hcall, c->port, c->domid, c->remote_port) != 0;
}

/* A domain that is there: connect it, or again when it has new places, or is another one of the same number. */
static void look_at(const struct hcall_domain *d)
{
	struct console *c = consoles[d->id];
	uint32_t port;
	uint64_t gfn;

	if (!read_place(d->id, &port, &gfn))
		return;
	if (c && is_same(c, d, port, gfn)) {
		name_log(c);
		return;
	}
	if (c)
		leave(c);
	if (join(d->id, d->uuid, port, gfn))
		consoles[d->id]->seen = true;
}

static void look_at_one(unsigned long domid)
{
	struct hcall_domain d;

	if (!domid || domid >= DOMAINS)
		return;
	if (hcall_domains(setup->hcall, (unsigned)domid, &d, 1) == 1 && d.id == domid && !d.dying)
		look_at(&d);
	else if (consoles[domid]) /* nobody announces the end of one that has no ring to the store */
		leave(consoles[domid]);
}

static bool watched[DOMAINS];

/* All domains: those that are gone leave, new ones are watched for their consoles. */
static void look_at_all(void)
{
	struct hcall_domain d[64];
	unsigned next = 0;
	int n;

	for (unsigned i = 0; i < DOMAINS; i++)
		if (consoles[i])
			consoles[i]->seen = false;
	while ((n = hcall_domains(setup->hcall, next, d, 64)) > 0) {
		for (int i = 0; i < n; i++) {
			uint16_t id = d[i].id;

			if (id == 0 || id >= DOMAINS || d[i].dying)
				continue;
			if (consoles[id])
				consoles[id]->seen = true;
			if (!watched[id])
				watch_domain(id, true);
			watched[id] = true;
			look_at(&d[i]);
		}
		next = d[n - 1].id + 1u;
	}
	for (unsigned i = 0; i < DOMAINS && n == 0; i++)
		if (consoles[i] && !consoles[i]->seen) {
			watch_domain((uint16_t)i, false);
			watched[i] = false;
			leave(consoles[i]);
		}
}

/* ---- events of the loop ------------------------------------------------------------------------------ */

static void on_store(evutil_socket_t fd, short what, void *arg)
{
	static struct client_event event;
	int got;

	while ((got = client_event(setup->store, &event, false)) > 0) {
		if (strcmp(event.token, "all") == 0)
			look_at_all();
		else
			look_at_one(strtoul(event.token, NULL, 10));
	}
	if (got < 0) {
		say("the store daemon is gone: %s", strerror(-got));
		status = 1;
		event_base_loopbreak(base);
	}
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	look_at_all();
	on_store(-1, 0, NULL); /* as below */
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(base);
}

/* SIGHUP: logs were moved (logrotate). */
static void on_hup(evutil_socket_t fd, short what, void *arg)
{
	for (unsigned i = 0; i < DOMAINS; i++)
		if (consoles[i])
			log_reopen(&consoles[i]->log);
	log_reopen(&hv_log);
}

/* The hypervisor's own log has no event: it is looked at once a second. */
static void on_hv(evutil_socket_t fd, short what, void *arg)
{
	static char text[HV_CHUNK];
	long n;

	while ((n = hcall_readconsole(setup->hcall, &hv_index, text, HV_CHUNK)) > 0)
		log_write(&hv_log, text, (size_t)n);
}

static void start_loop(void)
{
	const struct timeval second = { 1, 0 };

	event_assign(&tick_event, base, -1, 0, on_tick, NULL);
	event_assign(&again_event, base, -1, 0, on_again, NULL);
	event_assign(&ports_event, base, events_fd(setup->events), EV_READ | EV_PERSIST, on_ports,
		     NULL);
	event_add(&ports_event, NULL);
	event_assign(&store_event, base, client_fd(setup->store), EV_READ | EV_PERSIST, on_store,
		     NULL);
	event_add(&store_event, NULL);
	event_assign(&term_event, base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term, NULL);
	event_add(&term_event, NULL);
	event_assign(&hup_event, base, SIGHUP, EV_SIGNAL | EV_PERSIST, on_hup, NULL);
	event_add(&hup_event, NULL);
	event_assign(&hv_event, base, -1, EV_PERSIST, on_hv, NULL);
	if (setup->hypervisor.folder >= 0)
		event_add(&hv_event, &second);
}

static bool drop_privileges(void)
{
	if (setup->user == 0 || getuid() != 0)
		return true;
	return setgroups(0, NULL) == 0 && setgid(setup->user) == 0 && setuid(setup->user) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

int serve(const struct setup *s, void (*ready)(void))
{
	setup = s;
	signal(SIGPIPE, SIG_IGN);
	log_init(&hv_log, &s->hypervisor, "", "hypervisor");
	if (!drop_privileges()) {
		say("user %u: %s", s->user, strerror(errno));
		return 1;
	}
	base = event_base_new();
	if (!base) {
		say("no event loop");
		return 1;
	}
	start_loop();
	if (client_watch(s->store, "@introduceDomain", "all") ||
	    client_watch(s->store, "@releaseDomain", "all")) {
		say("the store takes no watch");
		return 1;
	}
	look_at_all();
	ready();
	/* Events that came with answers are kept: the descriptor does not show them. */
	on_store(-1, 0, NULL);
	event_base_dispatch(base);
	return status;
}
