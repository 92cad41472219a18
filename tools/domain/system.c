/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the hypervisor's devices and the store, with a cause that a person can act on. */
#include "device.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIVCMD "/dev/xen/privcmd"

static bool no_hypervisor(struct fault *f)
{
	if (errno == EACCES || errno == EPERM)
		return fault_set(f, F_PRIVILEGE, "%s cannot be opened: %s", PRIVCMD,
				 strerror(errno));
	if (access("/sys/hypervisor/type", F_OK) != 0)
		return fault_set(f, F_NO_HYPERVISOR,
				 "this system does not run on a Xen-compatible hypervisor: there "
				 "is no /sys/hypervisor");
	return fault_set(f, F_NO_HYPERVISOR,
			 "%s cannot be opened: %s: is the module xen-privcmd loaded?", PRIVCMD,
			 strerror(errno));
}

/*
 * The file is empty while nobody works, or when whoever did has finished; else it has what is being made. So if it is not empty and nobody holds the lock, a
 * process was killed.
 */

static bool no_lock(struct fault *f)
{
	return fault_set(f, F_PRIVILEGE, "%s: %s", SYSTEM_LOCK, strerror(errno));
}

static bool note(int lock, const struct unfinished *u)
{
	return pwrite(lock, u, sizeof(*u), 0) == sizeof(*u);
}

static void clean_after(const struct system *s, int lock)
{
	struct unfinished u;

	if (pread(lock, &u, sizeof(u), 0) != sizeof(u))
		return;
	u.type[sizeof(u.type) - 1] = u.id[sizeof(u.id) - 1] = 0;
	system_clean(s, &u);
}

static void held_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void system_let_signals(void)
{
	sigset_t set;

	held_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void system_hold_signals(void)
{
	sigset_t set;

	held_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Whoever waits for the lock may go at any moment. */
static bool take_lock(const struct system *s, int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	watch_tell(s->watch, "waiting for another kr to finish");
	return flock(fd, LOCK_EX) == 0;
}

int system_lock(const struct system *s, struct fault *f)
{
	const struct unfinished nothing = { .domid = 0 };
	int fd = open(SYSTEM_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && take_lock(s, fd);

	if (ok) {
		system_hold_signals();
		clean_after(s, fd);
		ok = note(fd, &nothing);
	}
	if (ok)
		return fd;
	no_lock(f);
	if (fd >= 0)
		close(fd);
	return -1;
}

bool system_announce(int lock, const uint8_t *uuid, struct fault *f)
{
	struct unfinished u = { .domid = 0 };

	memcpy(u.uuid, uuid, sizeof(u.uuid));
	return note(lock, &u) || no_lock(f);
}

bool system_announce_device(int lock, const char *type, uint16_t domid, uint32_t id, struct fault *f)
{
	struct unfinished u = { .domid = domid };

	snprintf(u.type, sizeof(u.type), "%s", type);
	snprintf(u.id, sizeof(u.id), "%u", id);
	return note(lock, &u) || no_lock(f);
}

void system_unlock(int lock)
{
	if (lock < 0)
		return;
	(void)!ftruncate(lock, 0);
	close(lock);
}

/* Whatever is asked next is asked of a system in which nothing is half done. */
static void clean_if_killed(const struct system *s)
{
	struct stat st;
	int fd;

	if (stat(SYSTEM_LOCK, &st) < 0 || st.st_size == 0)
		return;
	fd = open(SYSTEM_LOCK, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		clean_after(s, fd);
		(void)!ftruncate(fd, 0);
	}
	if (fd >= 0)
		close(fd);
}

bool system_open(struct system *s, enum system_parts parts, struct fault *f)
{
	*s = (struct system){ 0 };
	errno = 0;
	s->hcall = hcall_open();
	if (!s->hcall)
		return no_hypervisor(f);
	if (parts >= SYSTEM_STORE) {
		s->store = client_open();
		if (!s->store) {
			fault_fill(f, F_NO_STORE,
				   "the store daemon does not answer: %s: is it running?",
				   strerror(errno));
			system_close(s);
			return false;
		}
	}
	if (parts >= SYSTEM_STORE)
		clean_if_killed(s);
	if (parts >= SYSTEM_ALL) {
		s->fmem = fmem_open();
		if (!s->fmem) {
			system_close(s);
			return no_hypervisor(f);
		}
	}
	return true;
}

void system_close(struct system *s)
{
	int err = errno;

	fmem_close(s->fmem);
	client_close(s->store);
	hcall_close(s->hcall);
	*s = (struct system){ 0 };
	errno = err;
}
