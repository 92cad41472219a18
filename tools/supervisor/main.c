/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr-supervisor: does what on_poweroff, on_reboot, on_crash and on_watchdog of guests say. It decides; the work is kr's, in processes of its own, so that
 * one guest's device that takes its time holds up nobody. All that it knows is in the records (record.h): it may be killed at any moment, and goes on.
 */
#include "boot.h"
#include "domain/change.h"
#include "domain/create.h"
#include "domain/device.h"
#include "domain/log_line.h"
#include "domain/store_write.h"
#include "lib/daemon.h"
#include "lib/folder.h"
#include "record.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FILE  "/run/kr-supervisor.lock"
#define DUMPS      "/var/lib/xen/dump" /* xl.cfg(5), on_poweroff */
#define SOON_MS    1000
#define MOST_TRIES 30 /* one a second: what the guest before it had may be let go of late */
#define MOST_JOBS  64
#define CARDS      "/local/domain/0/backend/vif"

/* A kr that is at work for a record. */
struct job {
	pid_t pid; /* 0: free */
	char uuid[UUID_TEXT], name[CONFIG_NAME_MAX + 1];
	int domid;
	enum step step;
	int said; /* a file with what it has printed */
};

/* How often in a row something did not succeed for a record. */
struct trouble {
	char uuid[UUID_TEXT];
	unsigned tries;
};

static struct system sys;
static struct job jobs[MOST_JOBS];
static struct trouble troubles[MOST_JOBS];
static const char *kr_path = "/usr/sbin/kr";
static bool foreground, again_soon;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (foreground) {
		fputs("kr-supervisor: ", stderr);
		vfprintf(stderr, format, args);
		fputc('\n', stderr);
	} else {
		vsyslog(LOG_NOTICE, format, args);
	}
	va_end(args);
}

static void happened(int domid, const char *name, const char *what, const char *why,
		     const char *action)
{
	say("%s (domain %d): %s%s%s%s%s", name, domid, what, why ? ": " : "", why ? why : "",
	    action ? " -> " : "", action ? action : "");
	event_append("supervisor", domid, name, what, why, action);
}

/* ---- jobs -------------------------------------------------------------------------------------------- */

static struct job *job_of(const char *uuid)
{
	for (unsigned i = 0; i < MOST_JOBS; i++)
		if (jobs[i].pid && strcmp(jobs[i].uuid, uuid) == 0)
			return &jobs[i];
	return NULL;
}

static bool spawn(struct job *j, const char *const argv[])
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int err;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, j->said, 1);
	posix_spawn_file_actions_adddup2(&files, j->said, 2);
	err = posix_spawn(&j->pid, kr_path, &files, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	if (err)
		say("%s: %s", kr_path, strerror(err));
	return err == 0;
}

/* Where the core of a guest that has ended is written. */
static const char *core_path(const char *name, char *buf, size_t room)
{
	snprintf(buf, room, DUMPS "/%s", name);
	return buf;
}

/* Have kr do `step`; its end is a signal. */
static void start_job(const struct record *r, enum step step, int domid)
{
	char number[16], path[sizeof(DUMPS) + CONFIG_NAME_MAX + 1];
	const char *const destroy[] = { "kr", "destroy", number, NULL };
	const char *const clear[] = { "kr", "destroy", "--leftovers", number, NULL };
	const char *const create[] = { "kr", "create", "--again", r->uuid, NULL };
	const char *const dump[] = {
		"kr", "dump-core", "--force", number, core_path(r->name, path, sizeof(path)), NULL
	};
	struct job *j = jobs;

	while (j < jobs + MOST_JOBS && j->pid)
		j++;
	if (j == jobs + MOST_JOBS) { /* the others first */
		again_soon = true;
		return;
	}
	snprintf(number, sizeof(number), "%d", domid);
	*j = (struct job){ .step = step, .domid = domid };
	strcpy(j->uuid, r->uuid);
	strcpy(j->name, r->name);
	j->said = memfd_create("said", MFD_CLOEXEC);
	if (j->said >= 0 && spawn(j, step == STEP_CREATE  ? create
				     : step == STEP_CLEAR ? clear
				     : step == STEP_DUMP  ? dump
							  : destroy))
		return;
	if (j->said >= 0)
		close(j->said);
	j->pid = 0;
	again_soon = true;
}

/* The first line that it has printed. */
static void first_line(int fd, char *line, size_t room)
{
	ssize_t n = pread(fd, line, room - 1, 0);

	line[n < 0 ? 0 : n] = 0;
	line[strcspn(line, "\n")] = 0;
}

static struct trouble *trouble_of(const char *uuid, bool make)
{
	struct trouble *empty = NULL;

	for (unsigned i = 0; i < MOST_JOBS; i++) {
		if (troubles[i].tries && strcmp(troubles[i].uuid, uuid) == 0)
			return &troubles[i];
		if (!troubles[i].tries)
			empty = &troubles[i];
	}
	if (make && empty)
		strcpy(empty->uuid, uuid);
	return make ? empty : NULL;
}

static void no_trouble(const char *uuid)
{
	struct trouble *t = trouble_of(uuid, false);

	if (t)
		t->tries = 0;
}

/* A restart that does not succeed is tried again, but not for ever. */
static void has_failed(const struct job *j, const char *why)
{
	struct trouble *t = trouble_of(j->uuid, true);

	again_soon = true;
	if (j->step != STEP_CREATE || !t) {
		say("%s: kr: %s", j->name, why);
		return;
	}
	t->tries++;
	if (t->tries < MOST_TRIES) {
		if (t->tries == 1)
			happened(j->domid, j->name, "restart failed", why, "it is tried again");
		return;
	}
	happened(j->domid, j->name, "restart failed", why, "given up");
	record_remove(j->uuid);
	t->tries = 0;
}

static void write_down(const struct record *r)
{
	struct fault f;

	if (record_write(r, &f))
		return;
	say("%s", f.text);
	again_soon = true;
}

/* Whether its core is there or not, the guest goes on as it is to; `why` there is none. */
static void has_dumped(const struct job *j, const char *why)
{
	char path[sizeof(DUMPS) + CONFIG_NAME_MAX + 1];
	struct record r;

	happened(j->domid, j->name, why ? "core file failed" : "core file written",
		 why ? why : core_path(j->name, path, sizeof(path)), NULL);
	again_soon = true;
	if (!record_read(j->uuid, &r))
		return;
	record_dumped(&r);
	write_down(&r);
	record_free(&r);
}

static void reap(void)
{
	char line[400];
	int status;
	pid_t pid;
	bool ok;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct job *j = jobs; j < jobs + MOST_JOBS; j++) {
			if (j->pid != pid)
				continue;
			j->pid = 0;
			first_line(j->said, line, sizeof(line));
			close(j->said);
			ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
			if (!ok && !*line)
				strcpy(line, "it was killed");
			if (j->step == STEP_DUMP)
				has_dumped(j, ok ? NULL : line);
			else if (!ok)
				has_failed(j, line);
			else
				no_trouble(j->uuid);
		}
}

/* ---- domains ----------------------------------------------------------------------------------------- */

/* The domain of a record; false: there is none. */
static bool find_domain(const char *uuid, struct hcall_domain *found)
{
	struct hcall_domain d[64];
	char text[UUID_TEXT];
	unsigned next = 0;
	int n;

	while ((n = hcall_domains(sys.hcall, next, d, 64)) > 0) {
		for (int i = 0; i < n; i++) {
			uuid_text(d[i].uuid, text);
			if (d[i].id && strcmp(text, uuid) == 0) {
				*found = d[i];
				return true;
			}
		}
		next = d[n - 1].id + 1u;
	}
	return false;
}

static bool is_left(int domid)
{
	char text[STORE_PATH_MAX];

	return domid > 0 && (store_get(&sys, text, sizeof(text), "/local/domain/%d/name", domid) ||
			     store_get(&sys, text, sizeof(text), "/local/domain/%d/vm", domid));
}

/* Why the hypervisor let it crash. */
static const char *cause_of(int domid, char *why, size_t room)
{
	return log_last_said(sys.hcall, (uint16_t)domid, " crashed: ", why, room) ? why : NULL;
}

/* ---- boot-time domains ------------------------------------------------------------------------------- */

static void boot_happened(int domid, const char *name, const char *what, const char *action)
{
	happened(domid, name, what, NULL, action);
}

static void complain(const char *text)
{
	say("%s", text);
}

static struct boot_watch boot_watch = { .report = boot_happened, .complain = complain };

static void look_at_boot(void)
{
	again_soon |= boot_look(&boot_watch, &sys);
}

/* ---- one record -------------------------------------------------------------------------------------- */

/*
 * The domain that ended stays under another name, without devices, for the guest is made anew as another one, with the same disks. We hold the lock of those
 * who change devices. Back ends of a guest that has ended let go at once.
 */
static bool step_aside(struct record *r)
{
	char kept[CONFIG_NAME_MAX + 1], *last4;
	struct record next = *r;
	struct fault f;

	snprintf(kept, sizeof(kept), "%.50s-%d", r->name, r->domid);
	/* Not a random UUID: if we are killed before the end of this is written, the same record is written again. */
	last4 = next.uuid + UUID_TEXT - 1 - 4;
	snprintf(last4, 5, "%04x",
		 (unsigned)(strtoul(last4, NULL, 16) + (unsigned)r->domid) & 0xffff);
	next.stage = STAGE_RESTARTING;
	next.domid = -1;
	devices_remove(&sys, (uint16_t)r->domid);
	if (!domain_rename(&sys, (uint16_t)r->domid, kept, &f) || !record_write(&next, &f)) {
		say("%s", f.text);
		return false;
	}
	strcpy(r->name, kept);
	return true;
}

static void has_ended(struct record *r, unsigned code, bool making)
{
	enum config_action action;
	char name[CONFIG_NAME_MAX + 1], why[300];
	const char *what = record_end(r, code, time(NULL), &action);

	strcpy(name, r->name);
	if (action == ACTION_RENAME_RESTART && (making || !step_aside(r))) {
		again_soon = true; /* nothing is written yet */
		return;
	}
	/* In this order: if we are killed in between, it is reported twice, and not never. */
	happened(r->domid, name, record_ending(code), cause_of(r->domid, why, sizeof(why)), what);
	write_down(r);
	again_soon = true;
}

static void look_at(const char *uuid, bool making)
{
	struct hcall_domain d = { 0 };
	struct record r;
	enum step step;
	bool there;

	if (job_of(uuid) || !record_read(uuid, &r))
		return;
	there = find_domain(uuid, &d);
	if (there && r.domid != d.id)
		r.domid = d.id;
	step = record_next(&r, there ? &d : NULL, making, !there && is_left(r.domid));
	switch (step) {
	case STEP_NONE: break;
	case STEP_WAIT: again_soon = true; break;
	case STEP_ENDED: has_ended(&r, d.shutdown_code, making); break;
	case STEP_FOLLOW:
		r.stage = STAGE_RUNNING;
		r.again = false;
		write_down(&r);
		break;
	case STEP_DESTROY:
		if (r.stage == STAGE_MAKING)
			happened(r.domid, r.name, "its kr create was killed", NULL,
				 "what was made is taken away");
		start_job(&r, step, r.domid);
		break;
	case STEP_CREATE:
		if (r.stage == STAGE_MAKING) { /* begin that again */
			r.stage = STAGE_RESTARTING;
			r.domid = -1;
			write_down(&r);
		}
		start_job(&r, step, r.domid);
		break;
	case STEP_DUMP:
		folder_make(DUMPS, 0700);
		start_job(&r, step, r.domid);
		break;
	case STEP_CLEAR: start_job(&r, step, r.domid); break;
	case STEP_FORGET:
		if (r.stage == STAGE_RUNNING || r.stage == STAGE_PRESERVED)
			happened(r.domid, r.name, "destroyed", NULL, NULL);
		record_remove(uuid);
		no_trouble(uuid);
		break;
	}
	record_free(&r);
}

/* Is a kr create at work? It holds the lock; otherwise nobody gets it while *fd is held. */
static bool making_now(int *fd)
{
	*fd = open(SYSTEM_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return *fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) < 0;
}

static void look_at_all(void)
{
	struct dirent *e;
	bool making;
	DIR *folder;
	int lock;

	again_soon = false;
	folder = opendir(record_folder);
	making = making_now(&lock);
	while (folder && (e = readdir(folder)) != NULL) {
		size_t n = strlen(e->d_name);
		char uuid[UUID_TEXT];

		if (n != UUID_TEXT - 1 + 5 || strcmp(e->d_name + n - 5, ".json") != 0)
			continue;
		snprintf(uuid, sizeof(uuid), "%.36s", e->d_name);
		look_at(uuid, making);
	}
	if (folder)
		closedir(folder);
	if (lock >= 0)
		close(lock);
}

/* ---- the loop ---------------------------------------------------------------------------------------- */

static int take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* False: it is to end. */
static bool read_signals(int fd)
{
	struct signalfd_siginfo info;
	bool go_on = true;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		go_on &= info.ssi_signo == SIGCHLD;
	reap();
	return go_on;
}

/* The state of a card's back end has changed: perhaps it was restarted. */
static void look_at_card(const char *path)
{
	unsigned domid, id;
	struct fault f;
	int end = 0;

	if (sscanf(path, CARDS "/%u/%u/state%n", &domid, &id, &end) != 2 || !end || path[end])
		return;
	if (card_rejoin(&sys, (uint16_t)domid, id, &f))
		say("domain %u: network card %u was connected again", domid, id);
	else if (f.id)
		say("domain %u: network card %u: %s", domid, id, f.text);
}

/* All events but those of cards mean the same: look. -1: the daemon is gone. */
static int read_events(void)
{
	static struct client_event e;
	int got, n = 0;

	while ((got = client_event(sys.store, &e, false)) > 0) {
		if (strcmp(e.token, "card") == 0)
			look_at_card(e.path);
		else
			n++;
	}
	return got < 0 ? -1 : n;
}

/* A record that somebody begins; until it is finished we look again and again. */
static int watch_records(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	record_prepare();
	if (fd >= 0 && inotify_add_watch(fd, record_folder, IN_MOVED_TO) < 0)
		say("%s: %s", record_folder, strerror(errno));
	return fd;
}

static void drain(int fd)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(fd, events, sizeof(events)) > 0)
		;
}

static int serve(int signals, int records)
{
	struct pollfd p[3] = { { signals, POLLIN, 0 },
			       { client_fd(sys.store), POLLIN, 0 },
			       { records, POLLIN, 0 } };

	for (;;) {
		drain(records); /* our own, too */
		look_at_all();
		look_at_boot();
		if (read_events() != 0) /* some came with answers meanwhile */
			again_soon = true;
		if (poll(p, 3, again_soon ? SOON_MS : -1) < 0 && errno != EINTR)
			return 1;
		if (!read_signals(signals))
			return 0;
		if (read_events() < 0) {
			say("the store daemon is gone");
			return 1;
		}
	}
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "kr-supervisor: %s: %s\n", what, why);
	exit(1);
}

static const struct option options[] = { { "help", 0, NULL, 'h' },
					 { "interactive", 0, NULL, 'i' },
					 { "kr", 1, NULL, 'k' },
					 { "pid-file", 1, NULL, 'p' },
					 { NULL, 0, NULL, 0 } };
static const char help[] =
    "Usage: kr-supervisor [options]: follows guests, as their on_poweroff and its like say\n"
    "  -h, --help           this text\n"
    "  -i, --interactive    stay in the foreground and print messages\n"
    "      --kr PATH        the kr that does the work (/usr/sbin/kr)\n"
    "      --pid-file FILE  write the process number there\n";

int main(int argc, char **argv)
{
	const char *pid_file = NULL;
	struct fault f;
	int ch, signals;

	while ((ch = getopt_long(argc, argv, "hi", options, NULL)) != -1) {
		switch (ch) {
		case 'h': fputs(help, stdout); return 0;
		case 'i': foreground = true; break;
		case 'k': kr_path = optarg; break;
		case 'p': pid_file = optarg; break;
		default: fputs(help, stderr); return 2;
		}
	}
	if (optind < argc) {
		fputs(help, stderr);
		return 2;
	}
	if (!system_open(&sys, SYSTEM_ALL, &f))
		die("the system", f.text);
	if (client_watch(sys.store, "@releaseDomain", "gone") ||
	    client_watch(sys.store, "@introduceDomain", "new") ||
	    client_watch(sys.store, CARDS, "card"))
		die("the store", "it takes no watch");
	if (!foreground)
		daemon_background();
	openlog("kr-supervisor", LOG_PID, LOG_DAEMON);
	daemon_lock(LOCK_FILE);
	daemon_write_pid(pid_file);
	signals = take_signals();
	look_at_boot();
	daemon_ready();
	return serve(signals, watch_records());
}
