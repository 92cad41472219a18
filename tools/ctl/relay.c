/* SPDX-License-Identifier: Apache-2.0 */
/* See relay.h. */
#include "relay.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 4096
#define REST  16 /* CHUNKs: as much as the console daemon keeps for a terminal */

/* What the guest has still to take: n bytes from `start` on. */
struct typed {
	char bytes[RELAY_TYPED];
	size_t start, n;
	bool terminal, ended;
};

static bool again(void)
{
	return errno == EINTR || errno == EAGAIN;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && again()) {
			struct pollfd ready = { fd, POLLOUT, 0 };

			poll(&ready, 1, -1);
			continue;
		}
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* What the guest says. False: its console has ended, or nobody listens. */
static bool hear(int guest, int out)
{
	char buf[CHUNK];
	ssize_t n = read(guest, buf, sizeof(buf));

	if (n < 0)
		return again();
	return n > 0 && write_all(out, buf, (size_t)n);
}

/* How many of `wanted` bytes there is room for, behind those that wait. */
static size_t make_room(struct typed *t, size_t wanted)
{
	if (t->start + t->n + wanted > RELAY_TYPED) {
		memmove(t->bytes, t->bytes + t->start, t->n);
		t->start = 0;
	}
	return wanted < RELAY_TYPED - t->n ? wanted : RELAY_TYPED - t->n;
}

/* Read what there is. False: RELAY_LEAVE, or an error. */
static bool take(struct typed *t, int in, int out)
{
	size_t room = RELAY_TYPED - t->n;
	char buf[CHUNK], *end;
	size_t kept;
	ssize_t n;

	n = read(in, buf, t->terminal || room > CHUNK ? CHUNK : room);
	if (n < 0)
		return again();
	t->ended = n == 0;
	end = memchr(buf, RELAY_LEAVE, (size_t)n);
	if (end)
		n = end - buf;
	kept = make_room(t, (size_t)n);
	memcpy(t->bytes + t->start + t->n, buf, kept);
	t->n += kept;
	if (kept < (size_t)n)
		write_all(out, "\a", 1);
	return !end;
}

/* As much as the guest takes. False: its console has ended. */
static bool give(struct typed *t, int guest)
{
	ssize_t n = t->n ? write(guest, t->bytes + t->start, t->n) : 0;

	if (n < 0)
		return again();
	t->start += (size_t)n;
	t->n -= (size_t)n;
	return true;
}

/* What the guest has said by now, when nobody types any more. */
static void hear_the_rest(int guest, int out)
{
	struct pollfd p = { guest, POLLIN, 0 };

	for (unsigned i = 0; i < REST && poll(&p, 1, 0) == 1 && hear(guest, out); i++)
		;
}

void relay(int guest, int in, int out)
{
	static struct typed t;

	t = (struct typed){ .terminal = isatty(in) };
	fcntl(guest, F_SETFL, fcntl(guest, F_GETFL) | O_NONBLOCK);
	while (t.n || !t.ended) {
		bool listen = !t.ended && (t.terminal || t.n < RELAY_TYPED);
		struct pollfd p[2] = { { guest, (short)(t.n ? POLLIN | POLLOUT : POLLIN), 0 },
				       { listen ? in : -1, POLLIN, 0 } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if ((p[0].revents & ~POLLOUT) && !hear(guest, out))
			break;
		if (p[1].revents && !take(&t, in, out)) {
			give(&t, guest); /* what came before the end */
			break;
		}
		if (!give(&t, guest))
			break;
	}
	if (t.ended)
		hear_the_rest(guest, out);
}
