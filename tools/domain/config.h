/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration file asks for (xl.cfg(5), xl-disk-configuration(5), xl-network-configuration(5)). Every key that is documented there has
 * a row in keys.c, which says what becomes of it; nothing is silently ignored. Reading is pure: no file but the text given is looked at.
 */
#ifndef TOOLS_DOMAIN_CONFIG_H
#define TOOLS_DOMAIN_CONFIG_H

#include "arena.h"
#include "build/build.h"
#include "lib/fault.h"
#include "parse.h"
#include <stdint.h>

#define CONFIG_MAX_CPUS   1024u
#define CONFIG_MAX_VCPUS  128u
#define CONFIG_MAX_FAULTS 16u
#define CONFIG_NAME_MAX   63u

enum config_action {
	ACTION_DESTROY,
	ACTION_RESTART,
	ACTION_RENAME_RESTART,
	ACTION_PRESERVE,
	ACTION_COREDUMP_DESTROY,
	ACTION_COREDUMP_RESTART,
	NR_ACTIONS
};

struct config_cpus {
	uint64_t bit[CONFIG_MAX_CPUS / 64];
	bool all; /* every CPU but those whose bit is set */
	bool given;
};

struct config_disk {
	struct place at;
	const char *target; /* path; NULL: an empty CD drive */
	const char *vdev;   /* as written */
	uint32_t number;    /* xen-vbd-interface(7) */
	bool readonly, cdrom, no_discard, untrusted;
	const char *script; /* NULL: none */
	struct config_disk *next;
};

struct config_vif {
	struct place at;
	uint32_t devid;
	uint8_t mac[6];
	bool has_mac, untrusted;
	const char *bridge, *gatewaydev, *vifname, *script, *ip; /* NULL: not given */
	uint64_t rate_bytes;                                     /* per interval; 0: no limit */
	uint32_t rate_interval;                                  /* us */
	uint32_t mtu;                                            /* 0: not given */
	struct config_vif *next;
};

struct config {
	struct arena arena;
	enum build_arch arch;
	struct pair *pairs;

	const char *name, *kernel, *ramdisk, *device_tree;
	const char *cmdline; /* cmdline=, or root= and extra= together; "" if nothing */
	const char *root, *extra, *given_cmdline;
	uint8_t uuid[16];
	bool has_uuid;
	uint32_t vcpus, maxvcpus;
	uint64_t memory, maxmem; /* MiB */
	uint32_t cpu_weight;
	struct config_cpus
	    *cpus; /* one for each vCPU up to nr_cpus, the last counts for the others; NULL: any */
	uint32_t nr_cpus;
	enum config_action on_poweroff, on_reboot, on_crash, on_watchdog, on_soft_reset;
	/* UINT32_MAX: not given */
	uint32_t max_grant_frames, max_maptrack_frames, max_grant_version, max_event_channels;
	struct config_disk *disks;
	struct config_vif *vifs;
};

/* All faults of a file, in the order in which they were found. */
struct config_faults {
	struct fault fault[CONFIG_MAX_FAULTS];
	unsigned nr;      /* 0: the configuration is sound */
	unsigned unshown; /* more than there was room for */
};

/*
 * Read `n` bytes of `text`, which come from `file`, and after it `overrides` (NULL: none): the same syntax, and its keys replace those of the file.
 * `file` must outlive *c. True: *c is sound and complete. Either way config_free() is due.
 */
MUST_USE bool config_read(struct config *c, enum build_arch arch, const char *file, const char *text,
			  size_t n, const char *overrides, struct config_faults *faults);
void config_free(struct config *c);

const char *config_action_name(enum config_action a);

/* cpulist.c: "0-3,5,^1", "all,^2". */
MUST_USE bool cpulist_read(const struct place *at, const char *text, struct config_cpus *cpus,
			   struct fault *f);

/* disk.c, vif.c: one specification. */
MUST_USE bool disk_read(struct arena *a, const struct place *at, const char *text,
			struct config_disk *d, struct fault *f);
MUST_USE bool vif_read(struct arena *a, const struct place *at, const char *text,
		       struct config_vif *v, struct fault *f);
/* "xvda1", "d0p1", "hdc", "0xca00": its number; false: none of them. */
bool vdev_number(const char *name, uint32_t *number);

/* nearest.c: the name of the list (NULL-terminated) that is most like `name`; NULL: none is like it. */
const char *nearest(const char *name, const char *const *list);
/* "", or ": did you mean X?" into `buf`. */
const char *nearest_hint(const char *name, const char *const *list, char *buf, size_t room);

#endif
