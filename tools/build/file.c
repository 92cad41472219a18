/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading files whole. What is looked at is read and not mapped: a file that changes meanwhile would be another than the one that was judged, and one that shrinks would end the
 * program. Opening never waits, as it would for a FIFO without a writer.
 */
#include "parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
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
	*b = (struct blob){ path, data, size, false };
	return true;
}

/* A private mapping, whose first pages are private already. */
static bool map_all(int fd, const char *path, const char *what, size_t size, struct blob *b,
		    struct fault *f)
{
	size_t head = size < BUILD_HEAD ? size : BUILD_HEAD;
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);

	if (data == MAP_FAILED)
		return read_all(fd, path, what, size, b, f);
	/* Read once, from its beginning to its end: more is read ahead, and Linux need not note what was used. */
	(void)madvise(data, size, MADV_SEQUENTIAL);
	if (pread(fd, data, head, 0) != (ssize_t)head) {
		munmap(data, size);
		return fault_set(f, F_KERNEL_TRUNCATED, "%s: the %s became shorter", path, what);
	}
	*b = (struct blob){ path, data, size, true };
	return true;
}

/* Does it begin as an Image does, of which no more than the header has to be understood? */
static bool is_plain(int fd)
{
	uint8_t head[64];
	const struct blob b = { "", head, sizeof(head), false };

	return pread(fd, head, sizeof(head), 0) == sizeof(head) && arm64_is(&b);
}

enum how { READ, MAP, MAP_IF_PLAIN };

static bool get_file(const char *path, const char *what, size_t limit, enum how how, struct blob *b,
		     struct fault *f)
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
	else if (!check_kind(path, what, limit, &s, f))
		ok = false;
	else if (how == MAP || (how == MAP_IF_PLAIN && is_plain(fd)))
		ok = map_all(fd, path, what, (size_t)s.st_size, b, f);
	else
		ok = read_all(fd, path, what, (size_t)s.st_size, b, f);
	close(fd);
	return ok;
}

bool build_file(const char *path, const char *what, size_t limit, struct blob *b, struct fault *f)
{
	return get_file(path, what, limit, READ, b, f);
}

bool build_file_map(const char *path, const char *what, size_t limit, struct blob *b,
		    struct fault *f)
{
	return get_file(path, what, limit, MAP, b, f);
}

bool build_kernel_file(const char *path, size_t limit, struct blob *b, struct fault *f)
{
	return get_file(path, "kernel", limit, MAP_IF_PLAIN, b, f);
}

void build_file_free(struct blob *b)
{
	if (b->mapped)
		munmap((void *)(uintptr_t)b->data, b->size);
	else
		free((void *)(uintptr_t)b->data);
	*b = (struct blob){ 0 };
}
