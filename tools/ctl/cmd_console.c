/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr console: this terminal becomes a guest's console, until Ctrl-] or until the guest ends. The console daemon has the guest's ring and offers a
 * terminal for it, whose name it keeps in the store.
 */
#include "ctl.h"
#include "domain/store_write.h"
#include "relay.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* 20 s for the daemon to notice a new guest, in a dom0 that has much else to do. */
#define WAIT_MS  20
#define WAIT_MAX 1000

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

/* As keys are pressed, not line by line. */
static void converse(int guest)
{
	struct termios before;
	bool raw = make_raw(STDIN_FILENO, &before);

	relay(guest, STDIN_FILENO, STDOUT_FILENO);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	dprintf(STDOUT_FILENO, "\r\n");
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
	converse(guest);
	close(guest);
	return CTL_DONE;
}

/* For a program, which opens it by itself. */
static int name_terminal(struct ctl *c, const struct system *s, uint16_t domid)
{
	char path[STORE_PATH_MAX];
	struct fault f;

	if (!find_terminal(s, domid, path, sizeof(path), &f))
		return ctl_refuse(c, &f);
	json_object_set_new(c->object, "domid", json_integer(domid));
	json_object_set_new(c->object, "tty", json_string(path));
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
		status = name_terminal(c, &s, domid);
	else
		status = ctl_console(c, &s, domid);
	system_close(&s);
	return status;
}
