/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices for disks: a device as it is, a file through a loop device. Until the back end has it, the loop device lets go of the file by itself when
 * nobody has it open any more, so that a tool that ends in whatever way leaves none behind. Then it stays, so that a back end which is restarted finds it
 * again; whoever removes the device tells it to go.
 */
#include "device_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRIES 50 /* others take free loop devices too */

static bool failed(const struct config_disk *d, const char *step, struct fault *f)
{
	return fault_at(f, errno == ENOENT ? F_DISK_MISSING : F_DISK_ACCESS, &d->at,
			"disk %s: %s: %s: %s", d->vdev, d->target, step, strerror(errno));
}

/* A free loop device on `file`: its descriptor; -1 with errno. */
static int loop_on(int file, const struct config_disk *d)
{
	struct loop_config config = { .fd = (__u32)file };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop = -1;

	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
			       (d->readonly ? LO_FLAGS_READ_ONLY : 0);
	strncpy((char *)config.info.lo_file_name, d->target, LO_NAME_SIZE - 1);
	for (unsigned i = 0; control >= 0 && i < TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		char path[40];

		snprintf(path, sizeof(path), "/dev/loop%d", number);
		loop = number < 0 ? -1 : open(path, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			break;
		close(loop);
		loop = -1;
		/* Not every file system can do direct I/O. */
		if (errno == EINVAL && config.info.lo_flags & LO_FLAGS_DIRECT_IO)
			config.info.lo_flags &= ~(__u32)LO_FLAGS_DIRECT_IO;
		else if (errno != EBUSY)
			break;
	}
	if (control >= 0) {
		int err = errno;

		close(control);
		errno = err;
	}
	return loop;
}

bool block_open(const struct config_disk *d, unsigned *major, unsigned *minor, int *hold,
		struct fault *f)
{
	int file = open(d->target, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*hold = -1;
	if (file < 0 || fstat(file, &st) < 0) {
		failed(d, "opening it", f);
		if (file >= 0)
			close(file);
		return false;
	}
	if (!S_ISBLK(st.st_mode)) {
		*hold = loop_on(file, d);
		if (*hold < 0 || fstat(*hold, &st) < 0) {
			failed(d, "giving it a loop device", f);
			close(file);
			return false;
		}
		close(file);
	} else {
		*hold = file;
	}
	*major = major(st.st_rdev);
	*minor = minor(st.st_rdev);
	return true;
}

/* One of ours: the user's own, and one whose number was taken again meanwhile, have another file. */
static bool is_on(int loop, const char *target, struct loop_info64 *info)
{
	return ioctl(loop, LOOP_GET_STATUS64, info) == 0 &&
	       strncmp((char *)info->lo_file_name, target, LO_NAME_SIZE - 1) == 0;
}

void block_keep(int hold, const struct config_disk *d)
{
	struct loop_info64 info;

	if (!is_on(hold, d->target, &info))
		return;
	info.lo_flags &= ~(__u32)LO_FLAGS_AUTOCLEAR;
	(void)ioctl(hold, LOOP_SET_STATUS64, &info); /* as good as before, but for restarts */
}

void block_release(const struct system *s, uint16_t domid, const char *id)
{
	char device[32], target[STORE_PATH_MAX], script[8], path[40];
	struct loop_info64 info;
	unsigned major, minor;
	int loop;

	if (!store_get(s, device, sizeof(device),
		       "/local/domain/0/backend/vbd/%u/%.10s/physical-device", domid, id) ||
	    sscanf(device, "%x:%x", &major, &minor) != 2 || major != LOOP_MAJOR ||
	    store_get(s, script, sizeof(script), "/local/domain/0/backend/vbd/%u/%.10s/script",
		      domid, id))
		return;
	store_get(s, target, sizeof(target), "/local/domain/0/backend/vbd/%u/%.10s/params", domid,
		  id);
	snprintf(path, sizeof(path), "/dev/loop%u", minor);
	loop = open(path, O_RDONLY | O_CLOEXEC);
	/* At once, or when the back end has closed it. */
	if (loop >= 0 && is_on(loop, target, &info))
		(void)ioctl(loop, LOOP_CLR_FD, 0);
	if (loop >= 0)
		close(loop);
}
