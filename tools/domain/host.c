/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at disks with stat(2), at bridges in sysfs. */
#include "host.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

/* ---- disks ----------------------------------------------------------------------------------------- */

static bool check_image(const struct config_disk *d, off_t size, struct fault *f)
{
	if (size == 0)
		return fault_at(f, F_DISK_EMPTY, &d->at, "disk %s: %s is empty", d->vdev, d->target);
	if (size % SECTOR)
		return fault_at(f, F_DISK_SIZE, &d->at,
				"disk %s: %s has %lld bytes: not whole sectors of %u", d->vdev,
				d->target, (long long)size, SECTOR);
	return true;
}

static bool check_target(const struct config_disk *d, struct fault *f)
{
	struct stat s;

	if (stat(d->target, &s) < 0)
		return fault_at(f,
				errno == ENOENT || errno == ENOTDIR ? F_DISK_MISSING : F_DISK_ACCESS,
				&d->at, "disk %s: %s: %s", d->vdev, d->target, strerror(errno));
	if (!S_ISREG(s.st_mode) && !S_ISBLK(s.st_mode))
		return fault_at(f, F_DISK_KIND, &d->at,
				"disk %s: %s is %s, neither a block device nor a file", d->vdev,
				d->target, S_ISDIR(s.st_mode) ? "a directory" : "a special file");
	if (access(d->target, d->readonly ? R_OK : R_OK | W_OK) < 0)
		return fault_at(f, F_DISK_ACCESS, &d->at, "disk %s: %s cannot be opened for %s: %s",
				d->vdev, d->target, d->readonly ? "reading" : "reading and writing",
				strerror(errno));
	return !S_ISREG(s.st_mode) || check_image(d, s.st_size, f);
}

/* Two disks of this guest on one file: only if neither writes. */
static bool check_twice(const struct config *c, const struct config_disk *d, struct fault *f)
{
	for (const struct config_disk *o = c->disks; o != d; o = o->next)
		if (o->target && strcmp(o->target, d->target) == 0 && !(o->readonly && d->readonly))
			return fault_at(f, F_DISK_SHARED, &d->at,
					"disk %s: %s is also disk %s, and one of them is writable",
					d->vdev, d->target, o->vdev);
	return true;
}

/* ---- network --------------------------------------------------------------------------------------- */

static bool exists(const char *net, const char *interface, const char *entry)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s%s", net, interface, entry);
	return access(path, F_OK) == 0;
}

/* "; there are br0, br1" into `buf`. */
static const char *bridges(const char *net, char *buf, size_t room)
{
	DIR *folder = opendir(net);
	const struct dirent *e;
	size_t n = 0;

	snprintf(buf, room, "; there is no bridge at all");
	while (folder && (e = readdir(folder)) != NULL)
		if (e->d_name[0] != '.' && exists(net, e->d_name, "/bridge") && n + 40 < room)
			n += (size_t)snprintf(buf + n, room - n, "%s%.15s",
					      n ? ", " : "; there are: ", e->d_name);
	if (folder)
		closedir(folder);
	return buf;
}

static bool check_card(const struct config_vif *v, const char *net, struct fault *f)
{
	const char *bridge = v->bridge ? v->bridge : HOST_DEFAULT_BRIDGE;
	char others[200];

	if (v->script) /* the user's script knows what it needs */
		return true;
	if (v->gatewaydev)
		return exists(net, v->gatewaydev, "") ||
		       fault_at(f, F_NO_INTERFACE, &v->at,
				"vif %u: there is no network interface %s", v->devid, v->gatewaydev);
	if (exists(net, bridge, "/bridge"))
		return true;
	if (exists(net, bridge, ""))
		return fault_at(f, F_NO_BRIDGE, &v->at,
				"vif %u: %s is a network interface, but no bridge%s", v->devid,
				bridge, bridges(net, others, sizeof(others)));
	return fault_at(f, F_NO_BRIDGE, &v->at, "vif %u: there is no bridge %s%s", v->devid, bridge,
			bridges(net, others, sizeof(others)));
}

void host_check(const struct config *c, const char *net, struct config_faults *faults)
{
	struct fault f;

	for (const struct config_disk *d = c->disks; d; d = d->next)
		if (d->target && !d->script && !(check_target(d, &f) && check_twice(c, d, &f)))
			config_report(faults, &f);
	for (const struct config_vif *v = c->vifs; v; v = v->next)
		if (!check_card(v, net, &f))
			config_report(faults, &f);
}
