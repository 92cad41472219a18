/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading files whole. They are read and not mapped: a file that shrinks while it is used would end the program. Opening never
 * waits, as it would for a FIFO without a writer.
 */
#include "parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool check_kind(const char *path, const char *what, size_t limit, const struct stat *s,
		       struct fault *f)
{
	if (!S_ISREG(s->st_mode))
		return fault_set(f, F_FILE_KIND, "%s: the %s is %s, not a file", path, what,
				 S_ISDIR(s->st_mode)    ? "a directory"
				 : S_ISBLK(s->st_mode)  ? "a block device"
				 : S_ISCHR(s->st_mode)  ? "a character device"
				 : S_ISFIFO(s->st_mode) ? "a pipe"
							: "a socket");
	if (s->st_size == 0)
		return fault_set(f, F_FILE_EMPTY, "%s: the %s is an empty file", path, what);
	if ((uint64_t)s->st_size > limit)
		return fault_set(f, F_FILE_HUGE, "%s: the %s has %llu MiB: at most %zu are possible",
				 path, what, (unsigned long long)((uint64_t)s->st_size / MIB),
				 limit / (size_t)MIB);
	return true;
}

/* Fill b with what the file has now: it may have shrunk since it was looked at. */
static bool read_all(int fd, const char *path, const char *what, size_t size, struct blob *b,
		     struct fault *f)
{
	uint8_t *data = malloc(size);
	size_t n = 0;

	if (!data)
		return fault_set(f, F_NO_MEMORY, "%s: no memory for the %zu KiB of the %s", path,
				 size / 1024, what);
	while (n < size) {
		ssize_t got = read(fd, data + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			free(data);
			return fault_set(f, got ? F_FILE_ACCESS : F_KERNEL_TRUNCATED,
					 "%s: the %s could be read up to byte %zu of %zu only: %s",
					 path, what, n, size,
					 got ? strerror(errno) : "it became shorter");
		}
		n += (size_t)got;
	}
	*b = (struct blob){ path, data, size };
	return true;
}

bool build_file(const char *path, const char *what, size_t limit, struct blob *b, struct fault *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat s;
	bool ok;

	if (fd < 0)
		return fault_set(
		    f, errno == ENOENT || errno == ENOTDIR ? F_FILE_MISSING : F_FILE_ACCESS,
		    "%s: the %s cannot be opened: %s", path, what, strerror(errno));
	if (fstat(fd, &s) < 0)
		ok = fault_set(f, F_FILE_ACCESS, "%s: %s", path, strerror(errno));
	else
		ok = check_kind(path, what, limit, &s, f) &&
		     read_all(fd, path, what, (size_t)s.st_size, b, f);
	close(fd);
	return ok;
}

void build_file_free(struct blob *b)
{
	free((void *)(uintptr_t)b->data);
	*b = (struct blob){ 0 };
}
