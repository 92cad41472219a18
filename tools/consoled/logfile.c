/* SPDX-License-Identifier: Apache-2.0 */
/* See logfile.h. */
#include "logfile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_ROOM 160

void log_init(struct logfile *l, const struct log_policy *policy, const char *prefix,
	      const char *name)
{
	*l = (struct logfile){ .policy = policy, .fd = -1 };
	snprintf(l->name, sizeof(l->name), "%s%.100s.log", prefix, name);
	for (char *p = l->name; *p; p++)
		if (*p == '/' || (unsigned char)*p < ' ')
			*p = '_';
}

/* The pieces move up by one; the oldest goes. */
static void move_pieces(const struct logfile *l)
{
	const struct log_policy *p = l->policy;
	char from[NAME_ROOM], to[NAME_ROOM];

	for (unsigned i = p->keep; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", l->name, i);
		snprintf(from, sizeof(from), "%s.%u", l->name, i - 1);
		renameat(p->folder, i == 1 ? l->name : from, p->folder, to);
	}
	if (!p->keep)
		unlinkat(p->folder, l->name, 0);
}

static bool try_open(struct logfile *l)
{
	struct stat st;

	l->fd = openat(l->policy->folder, l->name,
		       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (l->fd < 0)
		return false;
	l->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return true;
}

static bool ready(struct logfile *l)
{
	if (l->policy->folder < 0)
		return false;
	if (l->fd < 0 && !try_open(l)) {
		/* Another daemon's or user's, or a link: it stays beside ours as the piece before. */
		if (errno != EACCES && errno != ELOOP && errno != ENXIO)
			return false;
		move_pieces(l);
		if (!try_open(l))
			return false;
	}
	if (l->size >= l->policy->limit) {
		log_close(l);
		move_pieces(l);
		return try_open(l);
	}
	return true;
}

void log_write(struct logfile *l, const char *bytes, size_t n)
{
	ssize_t done;

	while (n) {
		if (!ready(l)) {
			l->lost += n;
			return;
		}
		done = write(l->fd, bytes, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			l->lost += n;
			return;
		}
		l->size += (uint64_t)done;
		bytes += done;
		n -= (size_t)done;
	}
}

void log_close(struct logfile *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void log_reopen(struct logfile *l)
{
	log_close(l);
}
