/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr console: this terminal becomes a guest's console, until Ctrl-] or until the guest ends. The console daemon has the guest's ring and offers a
 * terminal for it, whose name it keeps in the store.
 */
#include "ctl.h"
#include "domain/store_write.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LEAVE    0x1d /* Ctrl-] */
#define WAIT_MS  20
#define WAIT_MAX 250 /* of them: 5 s for the daemon to notice a new guest */
#define CHUNK    512

/* ---- terminals --------------------------------------------------------------------------------------- */

/* Keys go to the guest as they are pressed. False: this is no terminal, and stays as it is. */
static bool make_raw(int fd, struct termios *before)
{
	struct termios raw;

	if (tcgetattr(fd, before) < 0)
		return false;
	raw = *before;
	cfmakeraw(&raw);
	return tcsetattr(fd, TCSANOW, &raw) == 0;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* Copy what there is from `from` to `to`, up to `leave` (0: nothing ends it). False: the end. */
static bool pass_on(int from, int to, char leave)
{
	char buf[CHUNK], *end;
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	end = leave ? memchr(buf, leave, (size_t)n) : NULL;
	return write_all(to, buf, end ? (size_t)(end - buf) : (size_t)n) && !end;
}

static void relay(int guest)
{
	struct pollfd p[2] = { { guest, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	struct termios before;
	bool raw = make_raw(STDIN_FILENO, &before);

	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[0].revents && !pass_on(guest, STDOUT_FILENO, 0))
			break;
		if (p[1].revents && !pass_on(STDIN_FILENO, guest, LEAVE))
			break;
	}
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	write_all(STDOUT_FILENO, "\r\n", 2);
}

/* ---- the command --------------------------------------------------------------------------------------- */

/* The daemon takes a moment after a guest was made. */
static bool find_terminal(const struct system *s, uint16_t domid, char *path, size_t room,
			  struct fault *f)
{
	const struct timespec moment = { 0, WAIT_MS * 1000000L };

	for (unsigned i = 0; i < WAIT_MAX; i++) {
		if (store_get(s, path, room, "/local/domain/%u/console/tty", domid) && *path)
			return true;
		nanosleep(&moment, NULL);
	}
	return fault_set(f, F_NO_CONSOLE,
			 "domain %u has no console: the console daemon offers no terminal for it",
			 domid);
}

int ctl_console(struct ctl *c, const struct system *s, uint16_t domid)
{
	char path[STORE_PATH_MAX];
	struct termios ignored;
	struct fault f;
	int guest;

	if (!find_terminal(s, domid, path, sizeof(path), &f))
		return ctl_refuse(c, &f);
	guest = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (guest < 0) {
		fault_fill(&f, F_NO_CONSOLE, "domain %u's console %s cannot be opened: %s", domid,
			   path, strerror(errno));
		return ctl_refuse(c, &f);
	}
	/* Its line discipline must not echo what the guest prints back to it. */
	make_raw(guest, &ignored);
	relay(guest);
	close(guest);
	return CTL_DONE;
}

int cmd_console(struct ctl *c, int argc, char **argv)
{
	struct system s;
	uint16_t domid;
	int status = ctl_domain(c, argc, argv, &s, &domid);

	if (status)
		return status;
	if (c->json)
		status = ctl_usage(c, "a console is no JSON");
	else
		status = ctl_console(c, &s, domid);
	system_close(&s);
	return status;
}
