/* SPDX-License-Identifier: Apache-2.0 */
/* How the daemons start: daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Somebody who was killed holds the lock until the kernel has taken all of his memory apart: up to ten seconds. */
#define LOCK_TRIES   200
#define LOCK_WAIT_NS 50000000

static int waiting_parent = -1;

void daemon_die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* Descriptors 0 to 2 that the caller closed: nothing of ours gets their numbers, for somebody writes there. */
static void fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			daemon_die("/dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
}

void daemon_background(void)
{
	int line[2], null;
	char ok;

	fill_standard();
	if (pipe2(line, O_CLOEXEC) < 0)
		daemon_die("pipe");
	switch (fork()) {
	case -1: daemon_die("fork");
	case 0: break;
	default: close(line[1]); _exit(read(line[0], &ok, 1) == 1 ? 0 : 1);
	}
	close(line[0]);
	waiting_parent = line[1];
	setsid();
	if (chdir("/") < 0)
		daemon_die("/");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		daemon_die("/dev/null");
	dup2(null, STDIN_FILENO);
	close(null);
}

void daemon_ready(void)
{
	if (waiting_parent < 0)
		return;
	dup2(STDIN_FILENO, STDOUT_FILENO);
	dup2(STDIN_FILENO, STDERR_FILENO);
	if (write(waiting_parent, "", 1) != 1)
		exit(1);
	close(waiting_parent);
	waiting_parent = -1;
}

bool daemon_hold(int fd)
{
	for (unsigned tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == LOCK_TRIES)
			return false;
		nanosleep(&(struct timespec){ 0, LOCK_WAIT_NS }, NULL);
	}
	return true;
}

void daemon_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 && daemon_hold(fd))
		return;
	if (fd < 0 || errno != EWOULDBLOCK)
		daemon_die(path);
	fprintf(stderr, "%s: another one is running\n", program_invocation_short_name);
	exit(1);
}

void daemon_write_pid(const char *path)
{
	FILE *f = path ? fopen(path, "we") : NULL;

	if (path && (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0))
		daemon_die(path);
}

void daemon_more_files(void)
{
	struct rlimit limit = { 65536, 65536 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
