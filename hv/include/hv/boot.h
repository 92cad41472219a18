/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arch boot code finds out about the machine and hands to common boot code, and the
 * description of the domains to build. Used only while booting, on one CPU, except the finished
 * description of domains that may reboot.
 */
#ifndef HV_BOOT_H
#define HV_BOOT_H

#include <hv/addr.h>
#include <hv/domain.h>

#define BOOT_MAX_REGIONS 64u
#define BOOT_MAX_MODULES 64u
#define BOOT_MAX_DOMAINS 32u

struct boot_region {
	paddr_t start, end; /* bytes, end exclusive */
	uint32_t node;
};

enum module_kind { MODULE_UNKNOWN, MODULE_KERNEL, MODULE_RAMDISK, MODULE_DTB, MODULE_POLICY };

/* Something the boot loader put into memory. */
struct boot_module {
	paddr_t start;
	uint64_t size; /* bytes */
	enum module_kind kind;
	const char *node;    /* where it was named, for messages: "/chosen/module@b0000000" */
	const char *cmdline; /* bootargs, or "" */
	uint16_t domain;     /* index into boot_info.domain it belongs to */
};

struct static_range {
	paddr_t start; /* machine */
	uint64_t size; /* bytes */
};

#define BOOT_MAX_STATIC 8u

/* One domain to build. Strings live in the device tree, which stays in memory. */
struct boot_domain {
	const char *name; /* node name, or "dom0" */
	const char *path; /* full path of the node, for messages */
	domid_t id;       /* 0: dom0; then 1..n by order of nodes */
	bool is_dom0;
	bool skip;           /* refused: its message was printed */
	uint64_t memory;     /* bytes */
	uint64_t memory_min; /* what will do (dom0); 0: all of it */
	uint32_t cpus;
	bool vpl011;
	bool direct_map;
	uint32_t enhanced; /* enum boot_enhanced */
	uint32_t nr_static;
	struct static_range static_mem[BOOT_MAX_STATIC];
	int kernel, ramdisk, dtb; /* module indices, -1: none */
	const char *bootargs;
	uint32_t grant_frames, maptrack_frames, evtchn_limit, pool_frames; /* 0: default */
	uint32_t vcpu_weight;
	struct domain *domain; /* once it exists */
	uint32_t restarts;     /* times it was built again */
	/* Building in steps. */
	uint32_t phase;         /* what arch_boot_load() does next */
	uint64_t progress;      /* how far that is, bytes */
	void *tree;             /* its device tree, kept for the next time; NULL: not made yet */
	uint32_t tree_size;     /* bytes */
	void *unpacked;         /* its kernel, where the module is packed; NULL: not unpacked yet */
	uint64_t unpacked_size; /* bytes */
	void *passthrough;      /* what its device tree fragment names; NULL: none */
	bool rebuild;           /* it asked for a reboot */
};

enum boot_enhanced { ENHANCED_NO, ENHANCED_YES, ENHANCED_NO_XENSTORE };

struct boot_info {
	uint32_t nr_memory, nr_reserved, nr_modules, nr_domains;
	struct boot_region memory[BOOT_MAX_REGIONS];
	struct boot_region reserved[BOOT_MAX_REGIONS];
	struct boot_module module[BOOT_MAX_MODULES];
	struct boot_domain domain[BOOT_MAX_DOMAINS]; /* [0] is dom0 when there is one */
	/* What a boot loader that knows no device tree loaded, in its order (x86); nodes name them by `module-index`. */
	uint32_t nr_loaded;
	struct boot_module loaded[BOOT_MAX_MODULES];
	const char *cmdline;
	const void *fdt; /* the host's, or the description on x86; copied, checked; NULL: none */
	uint32_t fdt_size;
};

extern struct boot_info boot_info;

/*
 * hv/boot/description.c: fill modules and domains from `fdt` (dom0less / hyperlaunch bindings). What is wrong with one domain is
 * one logged line naming node and reason, and `skip`; only a tree that cannot be read at all is an error.
 */
MUST_USE int boot_read_description(struct boot_info *b, const void *fdt, size_t size);

/* Without a description: dom0 from what was loaded, kernel first, then ramdisk. */
void boot_describe_loaded(struct boot_info *b);

/* hv/boot/main.c: everything after arch set-up. Builds and starts the domains; returns to the exit path (schedules). */
void boot_common(void);

/*
 * hv/boot/build.c: one step of (re)building a described domain; -ERR_RESTART: call again. When it is
 * finished, the domain runs. What goes wrong is logged.
 */
MUST_USE int boot_build_step(struct boot_domain *b);
/* What happens when a domain ends: the value of domain_shutdown_hook. */
void boot_domain_ended(struct domain *d);

#endif
