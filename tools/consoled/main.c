/* SPDX-License-Identifier: Apache-2.0 */
/* kr-consoled: command line, devices, folders; then serve.c. xenconsoled's options are understood. */
#include "consoled.h"
#include "lib/daemon.h"
#include "lib/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define LOCK_FILE "/run/kr-consoled.lock"

static const char *pid_file, *log_folder = "/var/log/xen/console";
static bool foreground, log_guests, log_hypervisor;
static struct setup setup = {
	.guests = { .folder = -1, .limit = 4u << 20, .keep = 4 },
	.hypervisor = { .folder = -1, .limit = 4u << 20, .keep = 4 },
	.user = 65534, /* nobody */
};

enum { OPTION_SIZE = 0x100, OPTION_KEEP, OPTION_LOG_DIR, OPTION_PID_FILE };

static const struct option options[] = {
	{ "help", 0, NULL, 'h' },
	{ "interactive", 0, NULL, 'i' },
	{ "log", 1, NULL, 'l' },
	{ "log-dir", 1, NULL, OPTION_LOG_DIR },
	{ "log-keep", 1, NULL, OPTION_KEEP },
	{ "log-size", 1, NULL, OPTION_SIZE },
	{ "pid-file", 1, NULL, OPTION_PID_FILE },
	{ "user", 1, NULL, 'U' },
	{ "verbose", 0, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
    "Usage: kr-consoled [options]: the consoles of guests, in xenconsoled's place\n"
    "  -h, --help             this text\n"
    "  -i, --interactive      stay in the foreground\n"
    "      --log WHAT         none, guest, hv or all (none)\n"
    "      --log-dir FOLDER   where (/var/log/xen/console): guest-NAME.log, hypervisor.log\n"
    "      --log-keep COUNT   how many former pieces of each log are kept (4)\n"
    "      --log-size KIB     when a new piece is begun (4096)\n"
    "      --pid-file FILE    write the process number there\n"
    "  -U, --user NUMBER      serve as this user (65534, nobody); 0: stay root\n"
    "  -v, --verbose          say who comes and goes\n";

static void wrong(const char *option, const char *value)
{
	say("%s: %s is not possible", option, value);
	exit(1);
}

static uint32_t number(const char *option, const char *text, uint32_t most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > most)
		wrong(option, text);
	return (uint32_t)n;
}

static void what_to_log(const char *what)
{
	log_guests = strcmp(what, "guest") == 0 || strcmp(what, "all") == 0;
	log_hypervisor = strcmp(what, "hv") == 0 || strcmp(what, "all") == 0;
	if (!log_guests && !log_hypervisor && strcmp(what, "none") != 0)
		wrong("--log", what);
}

static void parse(int argc, char **argv)
{
	int ch;

	while ((ch = getopt_long(argc, argv, "hiU:v", options, NULL)) != -1) {
		switch (ch) {
		case 'h': fputs(help, stdout); exit(0);
		case 'i': foreground = true; break;
		case 'l': what_to_log(optarg); break;
		case 'U': setup.user = number("--user", optarg, 0x7fffffff); break;
		case 'v': setup.verbose = true; break;
		case OPTION_LOG_DIR: log_folder = optarg; break;
		case OPTION_PID_FILE: pid_file = optarg; break;
		case OPTION_KEEP: setup.guests.keep = number("--log-keep", optarg, 99); break;
		case OPTION_SIZE:
			setup.guests.limit = 1024ull * number("--log-size", optarg, 1u << 30);
			break;
		default: fputs(help, stderr); exit(1);
		}
	}
	if (optind < argc || !setup.guests.limit) {
		fputs(help, stderr);
		exit(1);
	}
}

/* The folder is the daemon's user's, so that it can take pieces aside. */
static void open_logs(void)
{
	int fd;

	if (!log_guests && !log_hypervisor)
		return;
	folder_make(log_folder, 0750);
	fd = open(log_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (getuid() == 0 && setup.user && fchown(fd, setup.user, (gid_t)-1) < 0))
		daemon_die(log_folder);
	setup.hypervisor = setup.guests;
	setup.guests.folder = log_guests ? fd : -1;
	setup.hypervisor.folder = log_hypervisor ? fd : -1;
}

static void open_xen(void)
{
	setup.events = events_open();
	if (!setup.events)
		daemon_die("event channels (is the module xen-evtchn loaded?)");
	fcntl(events_fd(setup.events), F_SETFL, O_NONBLOCK);
	setup.grants = grants_open();
	if (!setup.grants)
		daemon_die("grants (is the module xen-gntdev loaded?)");
	setup.fmem = fmem_open();
	setup.hcall = hcall_open();
	if (!setup.fmem || !setup.hcall)
		daemon_die("hypercalls (is the module xen-privcmd loaded?)");
	setup.store = client_open();
	if (!setup.store)
		daemon_die("the store daemon does not answer");
}

static void ready(void)
{
	if (!foreground) {
		openlog("kr-consoled", LOG_PID, LOG_DAEMON);
		say_to_syslog = true;
	}
	daemon_ready();
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	umask(027);
	if (!foreground)
		daemon_background();
	daemon_lock(LOCK_FILE); /* two would steal each other's output */
	daemon_more_files();
	open_logs();
	open_xen();
	daemon_write_pid(pid_file); /* before privileges are gone */
	return serve(&setup, ready);
}
