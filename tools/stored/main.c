/* SPDX-License-Identifier: Apache-2.0 */
/* kr-stored: command line, devices and files; then the keeper (super.c) and its server (serve.c). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/xen.h>
#include "lib/daemon.h"
#include "lib/evtchn/events.h"
#include "serve.h"

static const char *pid_file;
static bool foreground, print_pid;
static struct setup setup = { .listener = -1, .state = { -1, -1 }, .evtchn = -1, .log_fd = -1 };

static const struct option options[] = {
	{ "no-domain-init", 0, NULL, 'D' },
	{ "entry-nb", 1, NULL, 'E' },
	{ "pid-file", 1, NULL, 'F' },
	{ "help", 0, NULL, 'H' },
	{ "no-fork", 0, NULL, 'N' },
	{ "output-pid", 0, NULL, 'P' },
	{ "entry-size", 1, NULL, 'S' },
	{ "trace-file", 1, NULL, 'T' },
	{ "transaction", 1, NULL, 't' },
	{ "perm-nb", 1, NULL, 'A' },
	{ "path-max", 1, NULL, 'M' },
	{ "quota", 1, NULL, 'Q' },
	{ "quota-soft", 1, NULL, 'q' },
	{ "timeout", 1, NULL, 'w' },
	{ "no-recovery", 0, NULL, 'R' },
	{ "internal-db", 2, NULL, 'I' },
	{ "keep-orphans", 0, NULL, 'K' },
	{ "verbose", 0, NULL, 'V' },
	{ "watch-nb", 1, NULL, 'W' },
	{ "user", 1, NULL, 'U' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
    "Usage: kr-stored [options]: the store of a Xen or Krypton host, in xenstored's place\n"
    "  -D, --no-domain-init    serve the socket alone: no dom0 kernel, no domains\n"
    "  -F, --pid-file FILE     write the process number there\n"
    "  -H, --help              this text\n"
    "  -N, --no-fork           stay in the foreground, log to standard error\n"
    "  -P, --output-pid        print the process number\n"
    "  -R, --no-recovery       begin with an empty store, whatever a former one left\n"
    "  -T, --trace-file FILE   log there\n"
    "  -U, --user NUMBER       serve as this user (default: 65534, nobody)\n"
    "  -V, --verbose\n"
    "quotas, each per domain (0: none):\n"
    "  -E, --entry-nb N  -S, --entry-size N  -W, --watch-nb N  -t, --transaction N  -A, --perm-nb "
    "N\n"
    "  -M, --path-max N  -Q, --quota WHAT=N (as in xenstore-control quota)  -q, --quota-soft "
    "memory=N\n"
    "without effect, for xenstored's command lines: -w, --timeout; -I, --internal-db; -K, "
    "--keep-orphans\n";

static void add_quota(const char *name, size_t len, const char *value)
{
	char *end;

	if (setup.nr_quotas == sizeof(setup.quota) / sizeof(setup.quota[0]) ||
	    len >= sizeof(setup.quota[0].name)) {
		fprintf(stderr, "kr-stored: too many quotas\n");
		exit(1);
	}
	memcpy(setup.quota[setup.nr_quotas].name, name, len);
	setup.quota[setup.nr_quotas].value = strtoull(value, &end, 10);
	if (*end || !*value) {
		fprintf(stderr, "kr-stored: %s is not a number\n", value);
		exit(1);
	}
	setup.nr_quotas++;
}

static void add_pair(const char *pair)
{
	const char *equal = strchr(pair, '=');

	if (!equal) {
		fprintf(stderr, "kr-stored: a quota is given as WHAT=N\n");
		exit(1);
	}
	add_quota(pair, (size_t)(equal - pair), equal + 1);
}

static void add_soft(const char *pair)
{
	if (strncmp(pair, "memory=", 7) != 0) {
		fprintf(stderr, "kr-stored: the only soft quota is memory\n");
		exit(1);
	}
	add_quota("soft-memory", strlen("soft-memory"), pair + 7);
}

/* A number: a static program cannot ask the host's name services. */
static void set_user(const char *number)
{
	char *end;

	setup.user = (uint32_t)strtoul(number, &end, 10);
	if (*end || !*number) {
		fprintf(stderr, "kr-stored: a user is given as a number\n");
		exit(1);
	}
}

static void open_log(const char *name)
{
	setup.log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (setup.log_fd < 0)
		daemon_die(name);
}

static void one_option(int ch)
{
	switch (ch) {
	case 'D': setup.xen = false; break;
	case 'E': add_quota("nodes", 5, optarg); break;
	case 'F': pid_file = optarg; break;
	case 'N': foreground = true; break;
	case 'P': print_pid = true; break;
	case 'R': setup.no_recovery = true; break;
	case 'S': add_quota("node-size", 9, optarg); break;
	case 'T': open_log(optarg); break;
	case 't': add_quota("transactions", 12, optarg); break;
	case 'A': add_quota("permissions", 11, optarg); break;
	case 'M': add_quota("path-max", 8, optarg); break;
	case 'Q': add_pair(optarg); break;
	case 'q': add_soft(optarg); break;
	case 'U': set_user(optarg); break;
	case 'V': setup.verbose = true; break;
	case 'W': add_quota("watches", 7, optarg); break;
	case 'w':
	case 'I':
	case 'K': break;
	case 'H': fputs(help, stdout); exit(0);
	default: fputs(help, stderr); exit(1);
	}
}

static void parse(int argc, char **argv)
{
	int ch;

	setup.xen = true;
	setup.user = 65534; /* nobody */
	while ((ch = getopt_long(argc, argv, "DE:F:HNPS:T:t:A:M:Q:q:w:RI::KVW:U:", options,
				 NULL)) != -1)
		one_option(ch);
	if (optind < argc && strcmp(argv[optind], "on") != 0 && strcmp(argv[optind], "off") != 0) {
		fputs(help, stderr);
		exit(1);
	}
}

static const char *run_dir(void)
{
	const char *dir = getenv("XENSTORED_RUNDIR");

	return dir ? dir : "/var/run/xenstored";
}

static void open_state(void)
{
	char path[256];

	mkdir(run_dir(), 0755);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/kr-state.%d", run_dir(), i);
		setup.state[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (setup.state[i] < 0)
			daemon_die(path);
	}
	if (!daemon_hold(setup.state[0])) {
		fprintf(stderr, "kr-stored: another one serves %s\n", run_dir());
		exit(1);
	}
}

static void open_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", run_dir()) >=
	    (int)sizeof(addr.sun_path)) {
		fprintf(stderr, "kr-stored: %s is too long\n", run_dir());
		exit(1);
	}
	unlink(addr.sun_path);
	setup.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (setup.listener < 0 || bind(setup.listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(addr.sun_path, 0600) < 0 || listen(setup.listener, 1024) < 0)
		daemon_die(addr.sun_path);
}

static uint32_t read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return (uint32_t)strtoul(text, NULL, 10);
}

/* The event channel device stays open from here on, over servers and programs: so do its ports. */
static void open_xen(void)
{
	struct events *events;
	uint32_t remote;
	int err;

	if (!setup.xen)
		return;
	events = events_open();
	if (!events)
		daemon_die("event channels");
	setup.evtchn = events_fd(events);
	fcntl(setup.evtchn, F_SETFD, 0); /* a new program takes it over */
	err = events_bind_virq(events, VIRQ_DOM_EXC, &setup.virq_port);
	errno = -err;
	if (err)
		daemon_die("VIRQ_DOM_EXC");
	remote = read_number("/proc/xen/xsd_port");
	if (!remote)
		remote = read_number("/dev/xen/xsd_port");
	err = remote ? events_bind(events, 0, remote, &setup.dom0_port) : 0;
	errno = -err;
	if (err)
		daemon_die("the store port of dom0");
}

static void ready(void)
{
	daemon_write_pid(pid_file);
	if (print_pid) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
	}
	daemon_ready();
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	if (keep_resume(&setup))
		return keep(&setup, argv, NULL);
	daemon_more_files();
	if (!foreground)
		daemon_background();
	if (foreground && setup.log_fd < 0)
		setup.log_fd = STDERR_FILENO;
	open_state();
	open_socket();
	open_xen();
	return keep(&setup, argv, ready);
}
