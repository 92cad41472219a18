/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: holds what must outlive a server (the devices, the journal's files, a copy of each client's socket) and does
 * nothing else, so that nothing a client sends can reach it. When the server ends it starts another one,
 * which finds everything as the last one left it. In a live update it becomes the new program with all
 * descriptors open; KR_STORED_HELD says which is which.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "serve.h"

#define HELD "KR_STORED_HELD"

struct control {
	uint32_t op, id;
	char text[1024];
};

static volatile sig_atomic_t stopping;
static volatile pid_t server;
static struct setup *kept;
static char *new_program, *new_args;

void control_send(int control, enum control_op op, uint32_t id, int fd, const char *text)
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
	/* Without its keeper the server goes on; it could not be started again. */
	while (sendmsg(control, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
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

static void hold(uint32_t id, int fd)
{
	if ((kept->nr_held & (kept->nr_held - 1)) == 0) {
		uint32_t size = kept->nr_held ? 2 * kept->nr_held : 1;

		kept->held = must_realloc(kept->held, size * sizeof(*kept->held));
	}
	kept->held[kept->nr_held++] = (struct held){ id, fd };
}

static void let_go(uint32_t id)
{
	for (uint32_t i = 0; i < kept->nr_held; i++)
		if (kept->held[i].id == id) {
			close(kept->held[i].fd);
			kept->held[i] = kept->held[--kept->nr_held];
			return;
		}
}

static void obey(const struct control *m, int fd, void (**ready)(void))
{
	switch (m->op) {
	case CONTROL_READY:
		if (*ready)
			(*ready)();
		*ready = NULL;
		break;
	case CONTROL_HOLD:
		if (fd >= 0)
			hold(m->id, fd);
		break;
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
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		perror("kr-stored: socketpair");
		exit(1);
	}
	server = fork();
	if (server < 0) {
		perror("kr-stored: fork");
		exit(1);
	}
	if (server == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		close(control[0]);
		kept->control = control[1];
		exit(serve(kept));
	}
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

int keep(struct setup *setup, char **argv, void (*ready)(void))
{
	struct sigaction act = { .sa_handler = on_signal };
	void (*awaited)(void);
	int control[2], status, fd;
	struct control m;
	ssize_t n;

	kept = setup;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	signal(SIGHUP, SIG_IGN);
	for (;;) {
		bool was_ready;

		start_server(control);
		awaited = ready;
		was_ready = false;
		while ((n = control_receive(control[0], &m, &fd)) > 0 || (n < 0 && errno == EINTR))
			if (n > 0) {
				was_ready |= m.op == CONTROL_READY;
				obey(&m, fd, &awaited);
				if (!awaited)
					ready = NULL;
			}
		close(control[0]);
		while (waitpid(server, &status, 0) < 0 && errno == EINTR)
			continue;
		server = 0;
		if (stopping || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			return 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && ready)
			return 1; /* it could not even begin */
		setup->kept_ports = true;
		setup->no_recovery = false;
		if (was_ready)
			setup->attempt = 0;
		else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			setup->attempt++; /* of itself */
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UPGRADE && new_program)
			become(argv);
		if (setup->attempt > 5) {
			fprintf(stderr,
				"kr-stored: five servers ended without serving: giving up\n");
			return 1;
		}
	}
}
