/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: one event loop, one read of bounded size per ready connection and round, so nobody waits longer for a
 * flooding client than for a quiet one. Every input goes through the journal before the store sees it.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "journal.h"
#include "ring.h"
#include "saving.h"
#include "serve.h"
#include "upgrade.h"

#define CHUNK        4096 /* bytes read from one connection in one round */
#define MANY         64   /* connections and transactions whose memory is worth giving back */
#define FORGIVE_SECS 10 /* how long a peer that takes nothing holds up whoever causes its events */

/* A socket's descriptor and events; a ring has only its place in the queue. */
struct link {
	struct conn *conn;
	int fd;
	bool reading;
	bool queued; /* ring: to be looked at in this round or the next */
	struct link *next;
	uint64_t done_then; /* its output when it was last looked at for progress */
	struct event read;
	struct event *write; /* only while it is waited for */
};

/* What a record about a ring that begins anew holds. */
struct ring_restart {
	struct ring_state state;
	uint32_t error; /* XENSTORE_ERROR_*; not 0: it ends instead */
};

struct introduced {
	int32_t err;
	struct ring_state state;
};

static struct setup *setup;
static struct event_base *base;
static struct event rings_event, save_event;
static const struct timeval
    at_once; /* after whatever else is there; an event_active() would come before */
static struct link *ring_queue, **ring_queue_tail = &ring_queue;
static int exit_status = -1;
static char *new_program;

/* ---- what the store asks (struct store_host) --------------------------------------------------------- */

static void link_ring(struct conn *c)
{
	struct link *l = must_alloc(sizeof(*l));

	memset(l, 0, sizeof(*l));
	l->conn = c;
	l->fd = -1;
	c->host = l;
}

/* A domain is released: its link may still stand in the queue. */
static void ring_leaves(struct conn *c)
{
	struct link *l = c->host;

	l->conn = NULL;
	if (!l->queued)
		free(l);
}

static void queue_ring(struct conn *c)
{
	struct link *l = c->host;

	if (!l || l->queued)
		return;
	l->queued = true;
	l->next = NULL;
	*ring_queue_tail = l;
	ring_queue_tail = &l->next;
	event_add(&rings_event, &at_once);
}

static int host_introduce(domid id, uint64_t gfn, uint32_t port, struct ring_state *start)
{
	struct introduced answer;

	if (!journal_result(&answer, sizeof(answer))) {
		memset(&answer, 0, sizeof(answer));
		answer.err = ring_connect(id, port, gfn, &answer.state, NULL);
		journal_append(REC_RESULT, id, &answer, sizeof(answer));
	}
	*start = answer.state;
	return answer.err;
}

static void host_release(domid id)
{
	if (!journal_replaying())
		ring_disconnect(id);
}

static bool host_domain_exists(unsigned id)
{
	uint32_t answer;

	if (!journal_result(&answer, sizeof(answer))) {
		answer = ring_domain_exists(id);
		journal_append(REC_RESULT, id, &answer, sizeof(answer));
	}
	return answer;
}

static int live_update(char **s, unsigned n)
{
	if (n < 2)
		return -EINVAL;
	if (strcmp(s[1], "-a") == 0) {
		free(new_program);
		new_program = NULL;
		return 0;
	}
	if (strcmp(s[1], "-s") == 0) {
		if (!new_program)
			return -EINVAL;
		if (!journal_replaying())
			exit_status = EXIT_UPGRADE;
		return 0;
	}
	if (n == 3 && strcmp(s[1], "-f") == 0) {
		free(new_program);
		new_program = strdup(s[2]);
		if (!journal_replaying())
			control_send(setup->control, CONTROL_PROGRAM, 0, -1, s[2]);
		return 0;
	}
	if (n == 3 && strcmp(s[1], "-c") == 0) {
		if (!journal_replaying())
			control_send(setup->control, CONTROL_ARGS, 0, -1, s[2]);
		return 0;
	}
	return -EINVAL;
}

static int report(void)
{
	log_line("memory: %u connections, journal %zu bytes, root of %u children", nr_conns,
		 journal_size(), store_root->nr_kids);
	return 0;
}

static int host_control(struct conn *c, char **s, unsigned n, char **answer)
{
	if (strcmp(s[0], "live-update") == 0)
		return live_update(s, n);
	if (strcmp(s[0], "print") == 0 && n == 2) {
		log_line("control: %s", s[1]);
		return 0;
	}
	if (strcmp(s[0], "log") == 0 && n == 2) {
		setup->verbose = strcmp(s[1], "on") == 0;
		return setup->verbose || strcmp(s[1], "off") == 0 ? 0 : -EINVAL;
	}
	if (strcmp(s[0], "memreport") == 0 && n == 1)
		return report();
	return -ENOSYS;
}

static const struct store_host host = { host_introduce, host_release, host_domain_exists,
					host_control };

static void log_to(const char *line)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	if (setup->log_fd < 0 || journal_replaying())
		return;
	strftime(stamp, sizeof(stamp), "%Y%m%d %H:%M:%S", localtime_r(&now, &tm));
	dprintf(setup->log_fd, "%s kr-stored: %s\n", stamp, line);
}

/* ---- connections --------------------------------------------------------------------------------------- */

static void set_reading(struct link *l, bool on)
{
	if (l->fd < 0 || l->reading == on)
		return;
	l->reading = on;
	if (on)
		event_add(&l->read, NULL);
	else
		event_del(&l->read);
}

static void socket_writable(int fd, short what, void *context);

static void set_writing(struct link *l, bool on)
{
	if ((l->write != NULL) == on)
		return;
	if (on) {
		l->write = event_new(base, l->fd, EV_WRITE | EV_PERSIST, socket_writable, l);
		event_add(l->write, NULL);
	} else {
		event_free(l->write);
		l->write = NULL;
	}
}

static void close_socket(struct conn *c)
{
	struct link *l = c->host;
	uint32_t id = c->id;

	journal_append(REC_CLOSE, id, NULL, 0);
	set_reading(l, false);
	set_writing(l, false);
	close(l->fd);
	free(l);
	c->host = NULL;
	conn_free(c);
	control_send(setup->control, CONTROL_LET_GO, id, -1, NULL);
}

/* What it takes of its output; then it is read from again, or waited for. */
static void send_socket(struct conn *c)
{
	struct link *l = c->host;
	ssize_t n;

	while (conn_queued(c) > 0) {
		n = journal_send(c->id, l->fd, c->out + c->out_at, conn_queued(c));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET) && !conn_may_read(c)) {
			close_socket(c);
			return;
		}
		if (n <= 0)
			break; /* full, or gone: reading will tell */
		conn_sent(c, (size_t)n);
	}
	set_writing(l, conn_queued(c) > 0);
	set_reading(l, conn_may_read(c));
}

/* One that is not connected (its port was refused) takes nothing: what there is waits for the next introduction. */
static void send_ring(struct conn *c)
{
	bool any = false;
	size_t n;

	if (!ring_is_connected(c->dom))
		return;
	while (!c->dead && conn_queued(c) > 0 && (n = ring_room(c)) > 0) {
		if (n > conn_queued(c))
			n = conn_queued(c);
		ring_put(c, c->out + c->out_at, n);
		journal_before_ring(c->id, n, c->ring.rsp_prod + (uint32_t)n);
		ring_publish(c, n);
		journal_after_ring(c->id, n);
		conn_sent(c, n);
		any = true;
	}
	if (any)
		ring_notify(c);
}

/* Everything that has output gets as much of it as it takes. */
static void flush(void)
{
	struct conn *c;

	while ((c = conn_next_dirty()) != NULL) {
		if (!c->host)
			continue;
		if (c->is_ring)
			send_ring(c);
		else
			send_socket(c);
	}
}

/* Those whom somebody's slow reading held up may go on. */
static void resume_readers(void)
{
	for (struct conn *c = conns; c; c = c->next)
		if (c->host && !c->dead && conn_may_read(c)) {
			if (c->is_ring)
				queue_ring(c);
			else
				set_reading(c->host, true);
		}
}

/* ---- turns of the loop --------------------------------------------------------------------------------- */

/* What many connections and transactions took goes back to the system when a quarter of them have ended. */
static void give_back(void)
{
	static uint32_t most;
	uint32_t n = nr_conns + nr_txns;

	if (n > most)
		most = n;
	if (most < MANY || n > most - most / 4)
		return;
	malloc_trim(0);
	most = n;
}

/* The end of each turn of the loop. */
static void settle(void)
{
	/* New rings. */
	for (struct conn *c = conns; c && c->is_ring && !c->host; c = c->next) {
		link_ring(c);
		queue_ring(c);
	}
	flush();
	while (conn_let_on) {
		conn_let_on = false;
		resume_readers();
		flush();
	}
	if (saving_turn()) /* goes on also when nobody asks for anything */
		event_add(&save_event, &at_once);
	if (exit_status == EXIT_UPGRADE)
		saving_all();
	give_back();
	if (exit_status >= 0)
		event_base_loopbreak(base);
}

static void save_more(int fd, short what, void *context)
{
	settle();
}

static void socket_readable(int fd, short what, void *context)
{
	struct link *l = context;
	struct conn *c = l->conn;
	const void *bytes;
	ssize_t n = journal_recv(c->id, fd, CHUNK, &bytes);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		conn_input(c, bytes, (size_t)n);
	if (n <= 0 || c->dead)
		close_socket(c);
	else
		set_reading(l, conn_may_read(c));
	settle();
}

static void socket_writable(int fd, short what, void *context)
{
	struct link *l = context;

	send_socket(l->conn);
	settle();
}

static void link_socket(struct conn *c, int fd)
{
	struct link *l = must_alloc(sizeof(*l));

	memset(l, 0, sizeof(*l));
	l->conn = c;
	l->fd = fd;
	c->host = l;
	event_assign(&l->read, base, fd, EV_READ | EV_PERSIST, socket_readable, l);
	set_reading(l, true);
	set_writing(l, conn_queued(c) > 0);
}

/* The keeper has it already: whatever ends this server, the client stays. */
static void new_client(int control, short what, void *context)
{
	uint32_t id;
	int fd;

	if (!control_client(control, &id, &fd)) {
		event_del(context); /* the keeper is gone */
		return;
	}
	if (fd < 0) {
		control_send(setup->control, CONTROL_LET_GO, id, -1, NULL);
		return;
	}
	journal_append(REC_ACCEPT, id, NULL, 0);
	link_socket(conn_new(id, 0, false), fd);
	settle();
}

/* ---- rings ------------------------------------------------------------------------------------------------ */

static void restart_ring(struct conn *c, uint32_t error)
{
	struct ring_restart r = { .state = c->ring, .error = error };

	if (!error)
		r.state.req_cons = r.state.rsp_prod = 0;
	journal_append(REC_RESET, c->id, &r, sizeof(r));
	conn_reset(c);
	c->ring = r.state;
	c->error = (uint8_t)error;
	c->dead = error != 0;
	if (error)
		ring_fail(c);
	else
		ring_restart(c);
}

static void serve_ring(struct conn *c)
{
	uint8_t bytes[XENSTORE_RING_SIZE];
	enum ring_trouble trouble;
	size_t n;

	n = ring_peek(c, bytes, sizeof(bytes), &trouble);
	if (trouble == RING_RECONNECT) {
		restart_ring(c, XENSTORE_ERROR_NONE);
		return;
	}
	send_ring(c);
	if (c->dead || !conn_may_read(c))
		return;
	if (trouble == RING_BAD_INDEX) {
		log_line("ring of domain %u: its indices cannot be: disconnected", c->dom);
		restart_ring(c, XENSTORE_ERROR_RINGIDX);
	} else if (n > 0) {
		journal_append(REC_INPUT, c->id, bytes, n);
		conn_input(c, bytes, n);
		ring_taken(c, n);
		if (c->dead)
			ring_fail(c);
		else
			queue_ring(c); /* there may be more; after the others */
	}
}

/* One chunk of each ring that is waiting. */
static void serve_rings(int fd, short what, void *context)
{
	struct link *l = ring_queue, *next;

	ring_queue = NULL;
	ring_queue_tail = &ring_queue;
	for (; l; l = next) {
		next = l->next;
		l->queued = false;
		if (!l->conn) { /* released meanwhile */
			free(l);
			continue;
		}
		if (ring_is_connected(l->conn->dom))
			serve_ring(l->conn);
	}
	settle();
}

static void domain_is(domid id, char state)
{
	struct domain *d = domain_find(id);

	if (d)
		d->state = state;
}

static void shut_down(domid id)
{
	journal_append(REC_SHUT_DOWN, id, NULL, 0);
	domain_shut_down(id);
}

/* The n domains that are gone; with one, others that were only owners may go. */
static void forget(uint32_t n)
{
	domid *gone = n ? must_alloc(n * sizeof(*gone)) : NULL;
	uint32_t i = 0;

	for (struct domain *d = domains; d && i < n; d = d->next)
		if (d->introduced && d->id != 0 && (d->state == 0 || d->state == 'd'))
			gone[i++] = d->id;
	while (i > 0) {
		journal_append(REC_GONE, gone[--i], NULL, 0);
		domain_gone(gone[i]);
	}
	free(gone);
}

static void ask_xen(void)
{
	uint32_t n = 0;

	for (struct domain *d = domains; d; d = d->next)
		d->state = 0;
	if (!ring_domains(domain_is)) {
		log_line("cannot ask Xen for its domains");
		return;
	}
	for (struct domain *d = domains; d; d = d->next) {
		if (!d->introduced || d->id == 0)
			continue;
		if (d->state == 0 || d->state == 'd')
			n++;
		else if (d->state == 's' && !d->shutdown)
			shut_down(d->id);
	}
	forget(n);
}

static void port_event(int fd, short what, void *context)
{
	int from = ring_pending();
	struct conn *c;

	if (from == RING_VIRQ)
		ask_xen();
	else if (from >= 0 && (c = conn_find((uint32_t)from)) != NULL)
		queue_ring(c);
	settle();
}

static void tick(int fd, short what, void *context)
{
	for (struct conn *c = conns; c; c = c->next) {
		struct link *l = c->host;

		if (l && c->pending && l->done_then == c->out_done) {
			log_line("connection %u takes nothing: those that it holds up go on", c->id);
			journal_append(REC_FORGIVE, c->id, NULL, 0);
			conn_forgive(c);
		}
		if (l)
			l->done_then = c->out_done;
	}
	conn_let_on = true; /* and whoever else waits without need */
	settle();
}

/* ---- starting ------------------------------------------------------------------------------------------------ */

/* One record of the journal, played again. */
static void apply(const struct record *r, const void *bytes)
{
	struct conn *c = conn_find(r->conn);
	const struct ring_restart *restart = bytes;

	switch (r->type) {
	case REC_INPUT:
		if (c)
			conn_input(c, bytes, r->n);
		break;
	case REC_OUTPUT:
		if (c && r->n <= conn_queued(c))
			conn_sent(c, r->n);
		break;
	case REC_ACCEPT: conn_new(r->conn, 0, false); break;
	case REC_CLOSE:
		if (c)
			conn_free(c);
		break;
	case REC_FORGIVE:
		if (c)
			conn_forgive(c);
		break;
	case REC_RESET:
		if (!c)
			break;
		conn_reset(c);
		c->ring = restart->state;
		c->error = (uint8_t)restart->error;
		c->dead = restart->error != 0;
		break;
	case REC_GONE: domain_gone((domid)r->conn); break;
	case REC_SHUT_DOWN: domain_shut_down((domid)r->conn); break;
	}
	while (conn_next_dirty())
		continue;
}

/* The state that a former server left, if there is one. */
static bool recover(void)
{
	const void *state;
	long dropped = -1;
	struct conn *c;
	size_t len;

	if (!journal_open(setup->state) || setup->no_recovery)
		return false;
	if (setup->attempt > 1 && (dropped = journal_drop_last()) >= 0)
		log_line("the last input ended three servers: left out (connection %ld)", dropped);
	state = journal_state(&len);
	if (!upgrade_load(state, len)) {
		log_line("the saved state is damaged or of another version: starting empty");
		store_fini();
		store_init(0, &host);
		return false;
	}
	journal_replay(apply);
	c = dropped >= (long)FIRST_SOCKET ? conn_find((uint32_t)dropped) : NULL;
	if (c) /* what it sends next would be taken for the rest of what is left out */
		c->dead = true;
	return true;
}

/* A byte transfer into a ring that was under way: the ring says whether it was. */
static void decide_undecided(void)
{
	struct conn *c;
	uint32_t id, to;
	size_t n;

	if (!journal_undecided(&id, &n, &to))
		return;
	c = conn_find(id);
	if (c && c->is_ring && !c->dead && n <= conn_queued(c) && ring_rsp_prod(c->dom) == to) {
		journal_after_ring(id, n);
		conn_sent(c, n);
	}
}

static void reconnect_rings(void)
{
	struct ring_state now = { 0, 0, 0 };

	for (struct conn *c = conns; c; c = c->next) {
		struct domain *d = domain_find(c->dom);

		if (!c->is_ring || c->dom == 0)
			continue;
		if (!ring_is_connected(c->dom) &&
		    ring_connect(c->dom, d->port, d->gfn, &now, &c->ring))
			log_line("cannot connect to domain %u again", c->dom);
		else if (ring_is_connected(c->dom) && !c->ring.port)
			c->ring.port = now.port;
	}
}

/* dom0's kernel: connected by the keeper's port; the first server makes the connection. */
static void connect_dom0(void)
{
	struct ring_state state;
	struct conn *c = conn_find(0);

	if (!setup->xen || !setup->dom0_port)
		return;
	if (ring_connect_dom0(setup->dom0_port, &state)) {
		log_line("no store page of dom0: its kernel is not served");
		return;
	}
	if (!c) {
		c = conn_new(0, 0, true);
		c->ring = state;
	}
	c->ring.port = setup->dom0_port;
}

/* Sockets that are held without a connection were being accepted, or closed; connections without are gone. */
static void match_sockets(void)
{
	struct conn *c, *next;

	for (uint32_t i = 0; i < setup->nr_held; i++) {
		c = conn_find(setup->held[i].id);
		link_socket(c ? c : conn_new(setup->held[i].id, 0, false), setup->held[i].fd);
		if (c && c->dead)
			close_socket(c);
	}
	for (c = conns; c; c = next) {
		next = c->next;
		if (!c->is_ring && !c->host)
			conn_free(c);
	}
}

static void first_quotas(void)
{
	for (unsigned i = 0; i < setup->nr_quotas; i++)
		if (strcmp(setup->quota[i].name, "soft-memory") == 0)
			quota_soft_memory = setup->quota[i].value;
		else
			quota_set(setup->quota[i].name, setup->quota[i].value);
}

static void drop_privileges(void)
{
	if (setup->user == 0 || getuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setgid(setup->user) < 0 || setuid(setup->user) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_end("cannot become user %u: %s", setup->user, strerror(errno));
}

static void stop(int sig, short what, void *context)
{
	exit_status = 0;
	event_base_loopbreak(base);
}

static void start_loop(struct event *clients, struct event *ports, struct event *term,
		       struct event *timer)
{
	const struct timeval often = { FORGIVE_SECS, 0 };

	event_assign(clients, base, setup->control, EV_READ | EV_PERSIST, new_client, clients);
	event_add(clients, NULL);
	if (setup->xen) {
		event_assign(ports, base, setup->evtchn, EV_READ | EV_PERSIST, port_event, NULL);
		event_add(ports, NULL);
	}
	event_assign(term, base, SIGTERM, EV_SIGNAL | EV_PERSIST, stop, NULL);
	event_add(term, NULL);
	event_assign(timer, base, -1, EV_PERSIST, tick, NULL);
	event_add(timer, &often);
}

static void wake_everything(void)
{
	for (struct conn *c = conns; c; c = c->next) {
		if (!c->is_ring || !ring_is_connected(c->dom))
			continue;
		if (!c->host)
			link_ring(c);
		ring_resume(c);
		ring_notify(c);
		queue_ring(c);
	}
	if (setup->xen)
		ask_xen();
}

int serve(struct setup *s)
{
	struct event clients, ports, term, timer;
	uint64_t seed = 0;
	bool recovered;

	setup = s;
	store_log = log_to;
	conn_leaves = ring_leaves;
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_MXFAST, 0); /* what is freed is joined at once: the heap does not creep */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)getpid();
	base = event_base_new();
	event_assign(&rings_event, base, -1, 0, serve_rings, NULL);
	event_assign(&save_event, base, -1, 0, save_more, NULL);
	ring_init(s);
	store_init(seed, &host);
	recovered = recover();
	control_send(s->control, CONTROL_REPLAYED, 0, -1, NULL);
	if (recovered) {
		reconnect_rings();
		connect_dom0();
		decide_undecided();
	} else {
		first_quotas();
		connect_dom0();
	}
	match_sockets();
	drop_privileges();
	saving_all();
	start_loop(&clients, &ports, &term, &timer);
	log_line("serving%s: %u connections", recovered ? " again" : "", nr_conns);
	control_send(s->control, CONTROL_READY, 0, -1, NULL);
	wake_everything();
	settle();
	event_base_dispatch(base);
	return exit_status;
}
