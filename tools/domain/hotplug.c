/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hotplug scripts: the interface that scripts for Xen know. The script is called with one word, what happens, and for network cards a second one,
 * what kind they are; it finds the back end's folder in XENBUS_PATH, reads there what it needs, and writes there what it did, or `hotplug-error`.
 */
#include "device_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRIPTS "/etc/xen/scripts"
#define SECONDS 60 /* for one script */
#define MOST    400

struct script {
	char path[STORE_PATH_MAX], folder[80];
	const char *action, *type;
	uint16_t domid;
	const char *id, *netdev;
	char said[MOST]; /* the last of its output */
};

/* In the child: never returns. */
static void become(const struct script *x, int out)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP };
	const bool card = strcmp(x->type, "vif") == 0;
	char interface[32];
	sigset_t none;

	setpgid(0, 0);
	/* What the terminal sent until then was for kr, which waits for us and undoes it: forgotten. */
	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		signal(ours[i], SIG_IGN);
		signal(ours[i], SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(interface, sizeof(interface), "vif%u.%s", x->domid, x->id);
	setenv("script", x->path, 1);
	setenv("XENBUS_TYPE", x->type, 1);
	setenv("XENBUS_PATH", x->folder, 1);
	setenv("XENBUS_BASE_PATH", "backend", 1);
	if (card)
		setenv("vif", interface, 1);
	if (card && x->netdev[0])
		setenv("netdev", x->netdev, 1);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(out, 1);
	dup2(out, 2);
	execl(x->path, x->path, x->action, card ? "type_if=vif" : (char *)NULL, (char *)NULL);
	dprintf(2, "%s", strerror(errno));
	_exit(127);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Everything it writes until it closes its output; the end of it is kept. False: it took too long. */
static bool listen_to(struct script *x, int in)
{
	const long long end = now_ms() + SECONDS * 1000ll;
	size_t used = 0;

	for (;;) {
		struct pollfd p = { .fd = in, .events = POLLIN };
		char buf[MOST / 2];
		long long left = end - now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = read(in, buf, sizeof(buf));
		if (n <= 0)
			break;
		if (used + (size_t)n >= sizeof(x->said)) {
			memmove(x->said, x->said + sizeof(buf), used - sizeof(buf));
			used -= sizeof(buf);
		}
		memcpy(x->said + used, buf, (size_t)n);
		used += (size_t)n;
	}
	while (used && x->said[used - 1] == '\n')
		used--;
	x->said[used] = 0;
	return true;
}

/* The script's status as of wait(2); -1: it did not end. */
static int run(struct script *x)
{
	int out[2], status = -1;
	bool ended;
	pid_t child;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0)
		become(x, out[1]);
	close(out[1]);
	ended = child > 0 && listen_to(x, out[0]);
	close(out[0]);
	if (child > 0 && !ended)
		kill(-child, SIGKILL);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return ended ? status : -1;
}

static const char *last_line(const char *text)
{
	const char *newline = strrchr(text, '\n');

	return newline ? newline + 1 : text;
}

/* What it says of itself, else the last line that it printed. */
static bool failed(const struct system *s, const struct script *x, int status, struct fault *f)
{
	char error[MOST], how[60];

	if (!store_get(s, error, sizeof(error), "%s/hotplug-error", x->folder))
		snprintf(error, sizeof(error), "%s", last_line(x->said));
	if (status == -1)
		snprintf(how, sizeof(how), "did not end within %u s", SECONDS);
	else if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "failed with status %d", WEXITSTATUS(status));
	return fault_set(f, F_HOTPLUG, "%s %s: the script %s %s%s%s", x->type, x->id, x->path, how,
			 error[0] ? ": " : "", error);
}

bool hotplug_run(const struct system *s, const char *path, const char *action, const char *type,
		 uint16_t domid, const char *id, struct fault *f)
{
	struct script x = { .action = action, .type = type, .domid = domid, .id = id };
	char netdev[32], text[32];
	int status;

	snprintf(x.path, sizeof(x.path), "%s%s%.200s", path[0] == '/' ? "" : SCRIPTS,
		 path[0] == '/' ? "" : "/", path);
	snprintf(x.folder, sizeof(x.folder), "/local/domain/0/backend/%s/%u/%.10s", type, domid, id);
	store_get(s, netdev, sizeof(netdev), "%s/gatewaydev", x.folder);
	x.netdev = netdev;
	if (access(x.path, X_OK) < 0)
		return fault_set(f, F_HOTPLUG, "%s %s: the script %s: %s", type, id, x.path,
				 strerror(errno));
	watch_tell(s->watch, "waiting for a script");
	status = run(&x);
	if (status != 0)
		return failed(s, &x, status, f);
	/* A script that has nothing to say is taken to have succeeded; the back end waits for the word. */
	if (strcmp(action, "online") == 0 &&
	    !store_get(s, text, sizeof(text), "%s/hotplug-status", x.folder))
		store_set(s, "connected", "%s/hotplug-status", x.folder);
	return true;
}
