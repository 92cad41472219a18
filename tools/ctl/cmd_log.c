/* SPDX-License-Identifier: Apache-2.0 */
/* kr log: what a guest has printed, from the console daemon's file. */
#include "ctl.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_LEN  512
#define CHUNK     4096u
#define FOLLOW_MS 200
#define MOST_JSON (4u << 20) /* of a log, its end */

static const struct option long_options[] = { { "follow", no_argument, NULL, 'f' },
					      { "lines", required_argument, NULL, 'n' },
					      { NULL, 0, NULL, 0 } };

/* The file of `who`; a number is that of a domain that is there. */
static bool find_file(const char *who, char *path, struct fault *f)
{
	char name[CONFIG_NAME_MAX + 1];
	struct system s;
	uint16_t domid;

	if (strchr(who, '/'))
		return fault_set(f, F_NO_SUCH_DOMAIN, "%s: no domain has a / in its name", who);
	snprintf(name, sizeof(name), "%s", who);
	if (store_is_number(who)) {
		bool found;

		if (!system_open(&s, SYSTEM_STORE, f))
			return false;
		found = store_find(&s, who, &domid, f);
		if (found)
			store_name(&s, domid, name, sizeof(name));
		system_close(&s);
		if (!found)
			return false;
	}
	snprintf(path, PATH_LEN, "%s/guest-%s.log", CTL_CONSOLE_LOGS, name);
	return true;
}

/* Where the last `lines` lines begin. */
static off_t last_lines(int fd, off_t end, uint32_t lines)
{
	char buf[CHUNK];
	uint32_t seen = 0;

	for (off_t at = end; at > 0;) {
		size_t n = at < (off_t)CHUNK ? (size_t)at : CHUNK;
		ssize_t got;

		at -= (off_t)n;
		got = pread(fd, buf, n, at);
		for (ssize_t i = got - 1; i >= 0; i--)
			if (buf[i] == '\n' && at + i + 1 < end && ++seen == lines)
				return at + i + 1;
		if (got <= 0)
			break;
	}
	return 0;
}

static bool copy(int fd)
{
	char buf[CHUNK];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return false;
	return fflush(stdout) == 0 && n == 0;
}

/* Was the file taken aside by the daemon, so that a new one has its name? */
static bool rotated(int fd, const char *path)
{
	struct stat own, now;

	return fstat(fd, &own) == 0 && stat(path, &now) == 0 && own.st_ino != now.st_ino;
}

static int follow(int fd, const char *path)
{
	const struct timespec moment = { 0, FOLLOW_MS * 1000000L };

	while (copy(fd)) {
		nanosleep(&moment, NULL);
		if (rotated(fd, path)) {
			int next = open(path, O_RDONLY | O_CLOEXEC);

			if (next < 0)
				continue;
			if (!copy(fd)) /* what came before it was moved */
				return next;
			close(fd);
			fd = next;
		}
	}
	return fd;
}

/* JSON is UTF-8, which a guest need not print. */
static void add_text(struct ctl *c, int fd, const char *path)
{
	off_t at = lseek(fd, 0, SEEK_CUR), end = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, MOST_JSON + 1);
	ssize_t n;

	if (end - at > (off_t)MOST_JSON)
		at = end - (off_t)MOST_JSON;
	n = text ? pread(fd, text, MOST_JSON, at) : 0;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] & 0x80 || !text[i])
			text[i] = '?';
	json_object_set_new(c->object, "file", json_string(path));
	json_object_set_new(c->object, "text", json_string(text ? text : ""));
	free(text);
}

static int print(struct ctl *c, const char *who, uint32_t lines, bool following)
{
	char path[PATH_LEN];
	struct fault f;
	int fd;

	if (!find_file(who, path, &f))
		return ctl_refuse(c, &f);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fault_fill(&f, errno == ENOENT ? F_FILE_MISSING : F_FILE_ACCESS, "%s: %s%s", path,
			   strerror(errno),
			   errno == ENOENT ? ": nothing of this name has printed anything" : "");
		return ctl_refuse(c, &f);
	}
	if (lines)
		lseek(fd, last_lines(fd, lseek(fd, 0, SEEK_END), lines), SEEK_SET);
	if (c->json)
		add_text(c, fd, path);
	else if (following)
		fd = follow(fd, path);
	else
		copy(fd);
	close(fd);
	return CTL_DONE;
}

int cmd_log(struct ctl *c, int argc, char **argv)
{
	bool following = false;
	uint32_t lines = 0;
	int option;

	while ((option = ctl_option(c, argc, argv, "fn:", long_options)) != -1) {
		if (option == '?')
			return CTL_USAGE;
		if (option == 'f')
			following = true;
		else if (!ctl_number(optarg, 1, UINT32_MAX, &lines))
			return ctl_usage(c, "%s is no number of lines", optarg);
	}
	if (argc - optind != 1)
		return ctl_usage(c, "one domain is expected, by name or number");
	if (c->json && following)
		return ctl_usage(c, "--follow does not end, as JSON would have to");
	return print(c, argv[optind], lines, following);
}
