/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: holds what must outlive a server (the devices, the journal's files, a copy of each client's socket), accepts
 * clients (whom a server that ends in between would lose), and reads nothing of theirs, so that nothing a client sends can reach it. When
 * the server ends it starts another one, which finds everything as the last one left it. In a live update it
 * becomes the new program with all descriptors open; KR_STORED_HELD says which is which.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "serve.h"

#define HELD       "KR_STORED_HELD"
#define FAILURES   5    /* servers that end in a row before they serve: no more are started */
#define RETRY_MSEC 1000 /* how long a keeper without room for a descriptor accepts nobody */

/* Of a server. */
enum stage { REPLAYING, STARTING, SERVING };

struct control {
	uint32_t op, id;
	char text[1024];
};

static volatile sig_atomic_t stopping;
static volatile pid_t server;
static struct setup *kept;
static char *new_program, *new_args;
static uint32_t next_id = FIRST_SOCKET;
static struct held unsent = { 0, -1 }; /* accepted, and the server has not been told yet */
static bool no_room;                   /* for another descriptor */

static bool control_try(int control, enum control_op op, uint32_t id, int fd, const char *text,
			int flags)
{
	struct control m = { op, id, "" };
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &m, offsetof(struct control, text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (text) {
		snprintf(m.text, sizeof(m.text), "%s", text);
		iov.iov_len = sizeof(m);
	}
	if (fd >= 0) {
		msg.msg_control = space;
		msg.msg_controllen = sizeof(space);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	while (sendmsg(control, &msg, MSG_NOSIGNAL | flags) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

void control_send(int control, enum control_op op, uint32_t id, int fd, const char *text)
{
	/* Without its keeper the server goes on; it could not be started again. */
	(void)control_try(control, op, id, fd, text, 0);
}

static ssize_t control_receive(int control, struct control *m, int *fd)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	ssize_t n = recvmsg(control, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*fd = -1;
	if (n <= 0)
		return n;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	m->text[sizeof(m->text) - 1] = 0;
	return n;
}

bool control_client(int control, uint32_t *id, int *fd)
{
	struct control m;

	if (control_receive(control, &m, fd) <= 0)
		return false;
	*id = m.id;
	return true;
}

static void hold(uint32_t id, int fd)
{
	if ((kept->nr_held & (kept->nr_held - 1)) == 0) {
		uint32_t size = kept->nr_held ? 2 * kept->nr_held : 1;

		kept->held = must_realloc(kept->held, size * sizeof(*kept->held));
	}
	kept->held[kept->nr_held++] = (struct held){ id, fd };
	if (id >= next_id)
		next_id = id + 1;
	if (next_id == 0)
		next_id = FIRST_SOCKET;
}

static void let_go(uint32_t id)
{
	for (uint32_t i = 0; i < kept->nr_held; i++)
		if (kept->held[i].id == id) {
			close(kept->held[i].fd);
			kept->held[i] = kept->held[--kept->nr_held];
			no_room = false;
			return;
		}
}

/* The server never waits for the keeper to take what it sends, so the keeper must not wait for the server. */
static void tell_server(int control)
{
	if (unsent.fd >= 0 &&
	    (control_try(control, CONTROL_HOLD, unsent.id, unsent.fd, NULL, MSG_DONTWAIT) ||
	     errno != EAGAIN))
		unsent.fd =
		    -1; /* a server that is gone has a successor, which finds it among the held */
}

static void accept_client(int control)
{
	int fd = accept4(kept->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		no_room = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
		return;
	}
	unsent = (struct held){ next_id, fd };
	hold(unsent.id, fd);
	tell_server(control);
}

static void obey(const struct control *m, void (**ready)(void))
{
	switch (m->op) {
	case CONTROL_READY:
		if (*ready)
			(*ready)();
		*ready = NULL;
		break;
	case CONTROL_HOLD:
	case CONTROL_REPLAYED: break;
	case CONTROL_LET_GO: let_go(m->id); break;
	case CONTROL_PROGRAM:
		free(new_program);
		new_program = strdup(m->text);
		break;
	case CONTROL_ARGS:
		free(new_args);
		new_args = strdup(m->text);
		break;
	}
}

static void on_signal(int sig)
{
	stopping = 1;
	if (server > 0)
		kill(server, SIGTERM);
}

static void start_server(int control[2])
{
	sigset_t set, before;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		perror("kr-stored: socketpair");
		exit(1);
	}
	/* Nobody is told to stop between the two: on_signal() must know its server. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &before);
	server = stopping ? 0 : fork();
	if (server < 0) {
		perror("kr-stored: fork");
		exit(1);
	}
	if (stopping)
		exit(0);
	if (server == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(control[0]);
		kept->control = control[1];
		exit(serve(kept));
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(control[1]);
}

/* ---- becoming another program ------------------------------------------------------------------------ */

static int keep_open(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
	return fd;
}

static void become(char **argv)
{
	char *text, *args[64];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	unsigned n = 0;

	fprintf(f, "1 %d %d %d %d %d %u %u %d", keep_open(kept->listener),
		keep_open(kept->state[0]), keep_open(kept->state[1]), kept->xen,
		keep_open(kept->evtchn), kept->virq_port, kept->dom0_port, keep_open(kept->log_fd));
	for (uint32_t i = 0; i < kept->nr_held; i++)
		fprintf(f, " %u %d", kept->held[i].id, keep_open(kept->held[i].fd));
	fclose(f);
	setenv(HELD, text, 1);
	args[n++] = new_program;
	if (new_args)
		for (char *s = strtok(new_args, " "); s && n < 63; s = strtok(NULL, " "))
			args[n++] = s;
	else
		for (argv++; *argv && n < 63; argv++)
			args[n++] = *argv;
	args[n] = NULL;
	execv(new_program, args);
	/* The old program still knows how to serve what it saved. */
	fprintf(stderr, "kr-stored: cannot run %s: %s; going on with the old program\n",
		new_program, strerror(errno));
	unsetenv(HELD);
	free(text);
}

bool keep_resume(struct setup *setup)
{
	const char *text = getenv(HELD);
	int version, used, xen;
	struct held h;

	kept = setup;
	if (!text)
		return false;
	if (sscanf(text, "%d %d %d %d %d %d %u %u %d%n", &version, &setup->listener,
		   &setup->state[0], &setup->state[1], &xen, &setup->evtchn, &setup->virq_port,
		   &setup->dom0_port, &setup->log_fd, &used) != 9 ||
	    version != 1) {
		fprintf(stderr, "kr-stored: the program before this one was of another kind\n");
		exit(1);
	}
	setup->xen = xen;
	setup->kept_ports = true;
	text += used;
	while (sscanf(text, " %u %d%n", &h.id, &h.fd, &used) == 2) {
		fcntl(h.fd, F_SETFD, FD_CLOEXEC);
		hold(h.id, h.fd);
		text += used;
	}
	unsetenv(HELD);
	return true;
}

/* Obey the server until it ends: how far it came. */
static enum stage follow_server(int control, void (**ready)(void))
{
	enum stage stage = REPLAYING;
	struct control m;
	int fd;

	for (;;) {
		struct pollfd polled[2] = {
			{ .fd = control, .events = unsent.fd >= 0 ? POLLIN | POLLOUT : POLLIN },
			{ .fd = unsent.fd >= 0 || no_room ? -1 : kept->listener, .events = POLLIN },
		};

		if (poll(polled, 2, no_room ? RETRY_MSEC : -1) < 0)
			continue; /* a signal */
		if (polled[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t n = control_receive(control, &m, &fd);

			if (n == 0 || (n < 0 && errno != EINTR))
				return stage;
			if (n > 0) {
				if (fd >= 0)
					close(fd); /* it has none to give */
				if (m.op == CONTROL_REPLAYED)
					stage = STARTING;
				if (m.op == CONTROL_READY)
					stage = SERVING;
				obey(&m, ready);
			}
		}
		if (polled[0].revents & POLLOUT)
			tell_server(control);
		no_room &= polled[0].revents != 0;
		if (polled[1].revents)
			accept_client(control);
	}
}

/*
 * Was it the server's own doing? Then an input may be at fault, which a next one meets again (journal_drop_last). A signal
 * from outside says nothing about the input that it interrupted, nor does a server that could not open its devices.
 */
static bool crashed(int status)
{
	if (!WIFSIGNALED(status))
		return false;
	switch (WTERMSIG(status)) {
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGSEGV:
	case SIGSYS:
	case SIGTRAP: return true;
	default: return false;
	}
}

int keep(struct setup *setup, char **argv, void (*ready)(void))
{
	struct sigaction act = { .sa_handler = on_signal };
	unsigned failures = 0;

	kept = setup;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	signal(SIGHUP, SIG_IGN);
	for (;;) {
		int control[2], status;
		enum stage stage;

		start_server(control);
		stage = follow_server(control[0], &ready);
		close(control[0]);
		unsent.fd = -1;
		while (waitpid(server, &status, 0) < 0 && errno == EINTR)
			continue;
		server = 0;
		if (stopping)
			return 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && ready)
			return 1; /* it could not even begin */
		setup->kept_ports = true;
		setup->no_recovery = false;
		if (stage == SERVING)
			setup->attempt = failures = 0;
		else if (crashed(status) || WIFEXITED(status))
			failures++;
		if (stage == REPLAYING && crashed(status))
			setup->attempt++;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UPGRADE && new_program)
			become(argv);
		if (failures > FAILURES) {
			fprintf(stderr, "kr-stored: %u servers ended without serving: giving up\n",
				failures);
			return 1;
		}
	}
}
