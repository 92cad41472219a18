/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who uses what a disk stands on. Block devices are compared by their numbers, with those of all back ends; files by their file system and inode, with those
 * of all loop devices, whoever made them. Two readers agree with each other, a writer with nobody.
 */
#include "device_parts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOOP_MAJOR 7u

/* A disk that some domain has. */
struct use {
	uint16_t domid;
	char vdev[32];
	bool writes;
};

static bool folder_uses(const struct system *s, const char *folder, unsigned major, unsigned minor,
			struct use *use)
{
	char text[32], wanted[32];

	snprintf(wanted, sizeof(wanted), "%x:%x", major, minor);
	if (!store_get(s, text, sizeof(text), "%s/physical-device", folder) ||
	    strcmp(text, wanted) != 0)
		return false;
	use->writes = !store_get(s, text, sizeof(text), "%s/mode", folder) || text[0] != 'r';
	store_get(s, use->vdev, sizeof(use->vdev), "%s/dev", folder);
	return true;
}

/* A back end on this block device; one that writes is preferred. */
static bool find_use(const struct system *s, unsigned major, unsigned minor, struct use *use)
{
	struct client_names domains, disks;
	const char *domain = NULL, *disk;
	bool found = false;

	store_children(s, &domains, "/local/domain/0/backend/vbd");
	while (!(found && use->writes) && (domain = client_next_name(&domains, domain)) != NULL) {
		char path[80], folder[100];

		snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%.10s", domain);
		store_children(s, &disks, "%s", path);
		disk = NULL;
		while (!(found && use->writes) && (disk = client_next_name(&disks, disk)) != NULL) {
			snprintf(folder, sizeof(folder), "%s/%.10s", path, disk);
			if (!folder_uses(s, folder, major, minor, use))
				continue;
			found = true;
			use->domid = (uint16_t)atoi(domain);
		}
		client_names_free(&disks);
	}
	client_names_free(&domains);
	return found;
}

static bool used_by_domain(const struct system *s, const struct config_disk *d,
			   const struct use *use, struct fault *f)
{
	char name[STORE_PATH_MAX];

	if (!use->writes && d->readonly)
		return true;
	store_name(s, use->domid, name, sizeof(name));
	return fault_at(f, F_DISK_SHARED, &d->at,
			"disk %s: domain %u (%s) has %s as %s already, and %s would write to it",
			d->vdev, use->domid, name, d->target, use->vdev,
			d->readonly   ? "it"
			: use->writes ? "both"
				      : "this one");
}

/* ---- files ------------------------------------------------------------------------------------------ */

/* The state of loop device `n`; false: it has no file, or cannot be asked. */
static bool loop_status(unsigned n, struct loop_info64 *info)
{
	char path[40];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "/dev/loop%u", n);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok = fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, info) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool loop_unused(const struct system *s, const struct config_disk *d, const struct stat *st,
			unsigned n, struct fault *f)
{
	struct loop_info64 info;
	struct use use;

	if (!loop_status(n, &info) || info.lo_device != st->st_dev || info.lo_inode != st->st_ino)
		return true;
	if (find_use(s, LOOP_MAJOR, n, &use))
		return used_by_domain(s, d, &use, f);
	if (d->readonly && info.lo_flags & LO_FLAGS_READ_ONLY)
		return true;
	return fault_at(f, F_DISK_SHARED, &d->at, "disk %s: %s is in use here through /dev/loop%u",
			d->vdev, d->target, n);
}

static bool file_unused(const struct system *s, const struct config_disk *d, const struct stat *st,
			struct fault *f)
{
	DIR *folder = opendir("/sys/block");
	const struct dirent *e;
	bool ok = true;
	unsigned n;

	while (folder && ok && (e = readdir(folder)) != NULL)
		if (sscanf(e->d_name, "loop%u", &n) == 1)
			ok = loop_unused(s, d, st, n, f);
	if (folder)
		closedir(folder);
	return ok;
}

/* ---- block devices ------------------------------------------------------------------------------------ */

/* A file system, a volume group or swap space of this system holds its device alone; open(2), O_EXCL. */
static bool held_here(const struct config_disk *d)
{
	int fd = open(d->target, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	bool held = fd < 0 && errno == EBUSY;

	if (fd >= 0)
		close(fd);
	return held;
}

bool disk_unused(const struct system *s, const struct config_disk *d, struct fault *f)
{
	struct stat st;
	struct use use;

	if (stat(d->target, &st) < 0)
		return true; /* opening it will say so */
	if (S_ISREG(st.st_mode))
		return file_unused(s, d, &st, f);
	if (!S_ISBLK(st.st_mode))
		return true;
	if (find_use(s, major(st.st_rdev), minor(st.st_rdev), &use) &&
	    !used_by_domain(s, d, &use, f))
		return false;
	return d->readonly || !held_here(d) ||
	       fault_at(f, F_DISK_SHARED, &d->at,
			"disk %s: %s is in use here: mounted, swapped to or part of a volume",
			d->vdev, d->target);
}
