/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's socket, where it runs in this domain, or the kernel's device, which has a ring to it. Both carry the same bytes. */
#include "client.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICE "/dev/xen/xenbus"

struct linux_client {
	struct store_client base;
	int fd;
};

static int fd_of(struct store_client *c)
{
	return ((struct linux_client *)c)->fd;
}

/* Not a moment too early: the descriptor does not block, so that events can be looked for without waiting. */
static int until(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int linux_send(struct store_client *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		/* A daemon that is gone is told by the result, not by a signal; the device is no socket. */
		ssize_t done = send(fd_of(c), p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == ENOTSOCK)
			done = write(fd_of(c), p, n);
		if (done < 0 && errno == EAGAIN) {
			int err = until(fd_of(c), POLLOUT);

			if (err)
				return err;
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno == ECONNRESET ? -EPIPE : -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static ssize_t linux_receive(struct store_client *c, void *bytes, size_t n, bool wait)
{
	for (;;) {
		ssize_t got = read(fd_of(c), bytes, n);
		int err;

		if (got > 0)
			return got;
		if (got == 0 || errno == ECONNRESET)
			return -EPIPE;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || !wait)
			return errno == EAGAIN ? 0 : -errno;
		err = until(fd_of(c), POLLIN);
		if (err)
			return err;
	}
}

static void linux_close(struct store_client *c)
{
	close(fd_of(c));
	free(c);
}

static const struct client_ops linux_ops = { linux_send, linux_receive, fd_of, linux_close };

/* Where xenstored(8) listens, with its environment's names for other places. */
static int open_socket(void)
{
	const char *path = getenv("XENSTORED_PATH"), *folder = getenv("XENSTORED_RUNDIR");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, n;

	if (path)
		n = snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	else
		n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket",
			     folder ? folder : "/run/xenstored");
	if (n >= (int)sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

struct store_client *client_open(void)
{
	struct linux_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	client_init(&c->base, &linux_ops);
	c->fd = open_socket();
	if (c->fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
		c->fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (c->fd < 0) {
		free(c);
		return NULL;
	}
	return &c->base;
}
