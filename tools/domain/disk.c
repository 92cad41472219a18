/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk's specification (xl-disk-configuration(5)): parameters separated by commas, named or in order; and the names of virtual disks
 * (xen-vbd-interface(7)).
 */
#include "config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of virtual disks ------------------------------------------------------------------------- */

#define MOST_DISK      ((1u << 20) - 1)
#define MOST_PARTITION 255u

/* "a" is 0, "z" 25, "aa" 26. False: no letters, or too many. */
static bool letters(const char **p, uint32_t *disk)
{
	uint64_t n = 0;

	if (!islower((unsigned char)**p))
		return false;
	for (; islower((unsigned char)**p); ++*p) {
		n = n * 26 + (uint64_t)(**p - 'a') + 1;
		if (n > MOST_DISK + 1ull)
			return false;
	}
	*disk = (uint32_t)n - 1;
	return true;
}

/* A decimal number without a needless zero in front; `fallback` if there is none. */
static bool decimal(const char **p, uint32_t most, uint32_t fallback, uint32_t *n)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**p)) {
		*n = fallback;
		return fallback != UINT32_MAX;
	}
	if (**p == '0' && isdigit((unsigned char)(*p)[1]))
		return false;
	for (; isdigit((unsigned char)**p); ++*p) {
		v = v * 10 + (uint64_t)(**p - '0');
		if (v > most)
			return false;
	}
	*n = (uint32_t)v;
	return true;
}

static bool encode(char kind, uint32_t disk, uint32_t partition, uint32_t *number)
{
	if (kind == 'x' && disk < 16 && partition < 16)
		*number = 202u << 8 | disk << 4 | partition;
	else if (kind == 'x')
		*number = 1u << 28 | disk << 8 | partition;
	else if (kind == 's' && disk < 16 && partition < 16)
		*number = 8u << 8 | disk << 4 | partition;
	else if (kind == 'h' && disk < 2 && partition < 64)
		*number = 3u << 8 | disk << 6 | partition;
	else if (kind == 'h' && disk < 4 && partition < 64)
		*number = 22u << 8 | (disk - 2) << 6 | partition;
	else
		return false;
	return true;
}

bool vdev_number(const char *name, uint32_t *number)
{
	const char *p = name;
	uint32_t disk, partition;
	char kind = 'x';

	if (isdigit((unsigned char)*p)) {
		unsigned long long v = strtoull(p, (char **)&p, 0);

		*number = (uint32_t)v;
		return *p == 0 && v < 2u << 28;
	}
	if (p[0] == 'd' && isdigit((unsigned char)p[1])) {
		p++;
		if (!decimal(&p, MOST_DISK, UINT32_MAX, &disk))
			return false;
		partition = 0;
		if (*p == 'p') {
			p++;
			if (!decimal(&p, MOST_PARTITION, UINT32_MAX, &partition))
				return false;
		}
		return *p == 0 && encode(kind, disk, partition, number);
	}
	if (strncmp(p, "xvd", 3) == 0)
		p += 3;
	else if (strncmp(p, "sd", 2) == 0 || strncmp(p, "hd", 2) == 0)
		kind = *p, p += 2;
	else
		return false;
	return letters(&p, &disk) && decimal(&p, MOST_PARTITION, 0, &partition) && *p == 0 &&
	       encode(kind, disk, partition, number);
}

/* ---- specifications -------------------------------------------------------------------------------- */

enum { TARGET, FORMAT, VDEV, ACCESS, NR_IN_ORDER };

struct reading {
	struct arena *arena;
	const struct place *at;
	struct config_disk *disk;
	const char *in_order[NR_IN_ORDER]; /* NULL: not given yet */
	const char *backendtype, *specification, *devtype, *backend;
	struct fault *f;
};

static const char *const order_names[] = { "target", "format", "vdev", "access", NULL };
static const char *const all_names[] = {
	"target",      "format",     "vdev",        "access",      "devtype",
	"cdrom",       "backend",    "backendtype", "script",      "direct-io-safe",
	"discard",     "no-discard", "trusted",     "untrusted",   "specification",
	"colo",        "colo-host",  "colo-port",   "colo-export", "active-disk",
	"hidden-disk", NULL
};

static bool refuse_parameter(struct reading *r, const char *name, const char *why)
{
	return fault_at(r->f, F_CONFIG_UNSUPPORTED, r->at, "disk: %s: %s", name, why);
}

static bool set_text(struct reading *r, const char *name, const char **to, const char *value)
{
	if (*to && **to)
		return fault_at(r->f, F_CONFIG_TWICE, r->at, "disk: %s is given two times", name);
	*to = value;
	return true;
}

static bool take_flag(struct reading *r, const char *name)
{
	if (strcmp(name, "cdrom") == 0)
		return set_text(r, "devtype", &r->devtype, name);
	if (strcmp(name, "direct-io-safe") == 0 || strcmp(name, "discard") == 0 ||
	    strcmp(name, "trusted") == 0)
		return true;
	if (strcmp(name, "no-discard") == 0)
		r->disk->no_discard = true;
	else if (strcmp(name, "untrusted") == 0)
		r->disk->untrusted = true;
	else
		return refuse_parameter(r, name, "replication (COLO) does not exist here");
	return true;
}

static bool is_flag(const char *word)
{
	static const char *const flags[] = { "cdrom",   "direct-io-safe", "discard", "no-discard",
					     "trusted", "untrusted",      "colo",    NULL };

	for (const char *const *flag = flags; *flag; flag++)
		if (strcmp(word, *flag) == 0)
			return true;
	return false;
}

static bool take_named(struct reading *r, const char *name, const char *value)
{
	char hint[100];

	for (unsigned i = 0; i < NR_IN_ORDER; i++)
		if (strcmp(name, order_names[i]) == 0)
			return set_text(r, name, &r->in_order[i], value);
	if (strcmp(name, "devtype") == 0)
		return set_text(r, name, &r->devtype, value);
	if (strcmp(name, "backendtype") == 0)
		return set_text(r, name, &r->backendtype, value);
	if (strcmp(name, "specification") == 0)
		return set_text(r, name, &r->specification, value);
	if (strcmp(name, "backend") == 0)
		return set_text(r, name, &r->backend, value);
	if (strcmp(name, "script") == 0)
		return set_text(r, name, &r->disk->script, value);
	if (strncmp(name, "colo-", 5) == 0 || strcmp(name, "active-disk") == 0 ||
	    strcmp(name, "hidden-disk") == 0)
		return refuse_parameter(r, name, "replication (COLO) does not exist here");
	return fault_at(r->f, F_CONFIG_UNKNOWN, r->at, "disk: there is no parameter %s%s", name,
			nearest_hint(name, all_names, hint, sizeof(hint)));
}

/* A parameter without "=" that is no flag: the next in order that was not named. */
static bool take_in_order(struct reading *r, const char *value)
{
	unsigned i = 0;

	while (i < NR_IN_ORDER && r->in_order[i])
		i++;
	if (i == NR_IN_ORDER)
		return fault_at(r->f, F_CONFIG_VALUE, r->at,
				"disk: \"%s\": target, format, vdev and access are given already",
				value);
	r->in_order[i] = value;
	return true;
}

static bool take_part(struct reading *r, char *part)
{
	char *equals = strchr(part, '=');

	if (equals) {
		*equals = 0;
		return take_named(r, part, equals + 1);
	}
	return is_flag(part) ? take_flag(r, part) : take_in_order(r, part);
}

/* The old form FORMAT:TARGET,VDEV[:DEVTYPE],ACCESS is recognised and refused: it cannot be told from a path with certainty. */
static bool check_old_form(struct reading *r, const char *text)
{
	static const char *const old[] = { "raw:",   "qcow2:", "vhd:",  "phy:",   "file:",
					   "tap:",   "tap2:",  "aio:",  "ioemu:", "tapdisk:",
					   "iscsi:", "nbd:",   "enbd:", "drbd:",  NULL };

	for (const char *const *prefix = old; *prefix; prefix++)
		if (strncmp(text, *prefix, strlen(*prefix)) == 0)
			return fault_at(r->f, F_CONFIG_UNSUPPORTED, r->at,
					"disk: \"%s\" in front of the path is the deprecated form: "
					"write '/path,raw,xvda,rw'",
					*prefix);
	return true;
}

static bool split(struct reading *r, const char *text)
{
	char *copy = arena_text(r->arena, text, strlen(text)), *part = copy;

	while (part) {
		char *comma = strchr(part, ',');

		while (*part == ' ' || *part == '\t')
			part++;
		/* By name, the target is all the rest. */
		if (strncmp(part, "target=", 7) == 0)
			return set_text(r, "target", &r->in_order[TARGET], part + 7);
		if (comma)
			*comma = 0;
		if (!take_part(r, part))
			return false;
		part = comma ? comma + 1 : NULL;
	}
	return true;
}

static bool given(const char *text)
{
	return text && *text;
}

static bool check_access(struct reading *r)
{
	const char *access = r->in_order[ACCESS];
	struct config_disk *d = r->disk;

	if (given(r->devtype) && strcmp(r->devtype, "cdrom") != 0)
		return fault_at(r->f, F_CONFIG_VALUE, r->at,
				"disk: devtype=%s: only cdrom is possible", r->devtype);
	d->cdrom = given(r->devtype);
	if (!given(access)) {
		d->readonly = d->cdrom;
		return true;
	}
	d->readonly = access[0] == 'r' && (!access[1] || strcmp(access, "ro") == 0);
	if (!d->readonly && strcmp(access, "w") != 0 && strcmp(access, "rw") != 0)
		return fault_at(r->f, F_CONFIG_VALUE, r->at,
				"disk: access \"%s\": r, ro, w and rw are possible", access);
	if (d->cdrom && !d->readonly)
		return fault_at(r->f, F_CONFIG_CONFLICT, r->at, "disk: a CD drive is read-only");
	return true;
}

static bool check_kind(struct reading *r)
{
	static const char *const formats[] = { "raw", "qcow", "qcow2", "vhd", "qed", NULL };
	const char *format = r->in_order[FORMAT];
	char hint[100];

	if (given(format) && strcmp(format, "raw") != 0) {
		for (unsigned i = 1; formats[i]; i++)
			if (strcmp(format, formats[i]) == 0)
				return refuse_parameter(
				    r, format,
				    "only raw images are supported: convert it, or use qemu-nbd "
				    "and give the block device");
		return fault_at(r->f, F_CONFIG_VALUE, r->at, "disk: there is no format \"%s\"%s",
				format, nearest_hint(format, formats, hint, sizeof(hint)));
	}
	if (given(r->backendtype) && strcmp(r->backendtype, "phy") != 0)
		return refuse_parameter(r, "backendtype", "only phy is possible, Linux's blkback");
	if (given(r->specification) && strcmp(r->specification, "xen") != 0)
		return refuse_parameter(r, "specification", "only xen is possible");
	if (given(r->backend) && strcmp(r->backend, "0") != 0 && strcmp(r->backend, "Domain-0") != 0)
		return refuse_parameter(r, "backend", "only this domain can be a back end");
	return true;
}

bool disk_read(struct arena *a, const struct place *at, const char *text, struct config_disk *d,
	       struct fault *f)
{
	struct reading r = { .arena = a, .at = at, .disk = d, .f = f };

	d->at = *at;
	if (!check_old_form(&r, text) || !split(&r, text))
		return false;
	if (!given(r.in_order[VDEV]))
		return fault_at(
		    f, F_CONFIG_MISSING, at,
		    "disk: \"%s\": no vdev, the name in the guest, as in '/path,raw,xvda,rw'", text);
	d->vdev = r.in_order[VDEV];
	if (!vdev_number(d->vdev, &d->number))
		return fault_at(
		    f, F_CONFIG_VALUE, at,
		    "disk: \"%s\" is no name of a virtual disk: xvda, xvdb1, sda, hdc, d0p1",
		    d->vdev);
	if (!check_access(&r) || !check_kind(&r))
		return false;
	d->target = given(r.in_order[TARGET]) ? r.in_order[TARGET] : NULL;
	if (!d->target && !d->cdrom)
		return fault_at(f, F_CONFIG_MISSING, at,
				"disk: %s has no target: only a CD drive can be empty", d->vdev);
	if (d->target && d->target[0] != '/' && !given(d->script)) {
		char *path = arena_take(a, strlen(d->target) + sizeof("/dev/"));

		strcpy(path, "/dev/");
		d->target = strcat(path, d->target);
	}
	return true;
}
