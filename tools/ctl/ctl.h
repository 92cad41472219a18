/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr: what the commands share. A command is a row of commands.c and a file cmd_NAME.c, which reads its arguments, asks tools/domain or
 * tools/lib to do the work, and prints. With --json, what a command prints on its standard output is one JSON object, faults included.
 */
#ifndef TOOLS_CTL_H
#define TOOLS_CTL_H

#include "domain/config.h"
#include "domain/create.h"
#include "lib/fault.h"
#include <jansson.h>

enum ctl_status { CTL_DONE, CTL_REFUSED, CTL_USAGE }; /* exit statuses */

struct ctl {
	const struct command *command;
	bool json;
	json_t *object; /* what --json prints at the end; faults are added as "faults" */
};

struct command {
	const char *name, *arguments, *summary;
	const char *details; /* options and examples, for --help; several lines */
	int (*run)(struct ctl *c, int argc, char **argv); /* argv[0] is the command */
};

extern const struct command commands[]; /* ends with a row without a name */
const struct command *command_find(const char *name);

/*
 * The next option of a command: its letter, -1 when only operands are left (from optind on), '?' when it was refused (said). `options` as for
 * getopt_long(), without --help and --json, which are dealt with here.
 */
struct option;
int ctl_option(struct ctl *c, int argc, char **argv, const char *letters,
	       const struct option *longs);

/* Say a fault: on the standard error output, or for --json in the object. Always CTL_REFUSED. */
int ctl_refuse(struct ctl *c, const struct fault *f);
/* A mistake in how the command was called. Always CTL_USAGE. */
int ctl_usage(struct ctl *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ctl_help(const struct command *command);

/*
 * The usual beginning of a command about one domain: options (only the common ones), one operand, the system opened, the domain found. CTL_DONE,
 * or what the command returns; then nothing is open.
 */
MUST_USE int ctl_domain(struct ctl *c, int argc, char **argv, struct system *s, uint16_t *domid);
/* The same with `least` to `most` operands behind the domain, which is argv[optind]. */
MUST_USE int ctl_domain_and(struct ctl *c, int argc, char **argv, int least, int most,
			    struct system *s, uint16_t *domid);
/* Hypercalls and, if there is one, the store: without it domains have numbers, but no names. */
MUST_USE bool ctl_system(struct system *s, struct fault *f);
/*
 * A whole command about one domain or, without an operand, about each: `title` and then `fn` for them, in ascending order. What fn() returns is 0 or an error of the
 * hypervisor, which ends it.
 */
typedef int ctl_domain_fn(struct ctl *c, const struct system *s, const struct hcall_domain *d,
			  void *arg);
int ctl_each_domain(struct ctl *c, int argc, char **argv, const char *title, ctl_domain_fn *fn,
		    void *arg);
/* A decimal number from low to high, and nothing else. */
MUST_USE bool ctl_number(const char *text, uint32_t low, uint32_t high, uint32_t *n);
/* "0-3,5" of a map of `bits` CPUs. */
const char *ctl_cpus(const uint64_t *map, unsigned bits, char *buf, size_t room);
/* devices.c: a domain's devices of a type, "vbd" or "vif", as the back ends know them: an array of objects. */
json_t *ctl_devices(const struct system *s, uint16_t domid, const char *type);
/* cmd_list.c: "running", "paused", "shut down" and so on. */
const char *ctl_state(const struct hcall_domain *d);

/* The end of a step that the hypervisor may have refused: 0, or its reason is said. */
int ctl_result(struct ctl *c, const struct system *s, int err, const char *what);

/* cmd_console.c: make this terminal the domain's console until the user or the guest ends it. */
int ctl_console(struct ctl *c, const struct system *s, uint16_t domid);

/* "512 MiB", "1.5 GiB" of bytes, into `buf`. */
const char *ctl_size(uint64_t bytes, char *buf, size_t room);

/* What the supervisor and kr create have seen and done: a JSON object a line (EVENTS_FILE of supervisor/record.h). */
#define CTL_EVENTS       "/var/log/krypton/events"
/* Where the console daemon writes what guests print, in guest-NAME.log. */
#define CTL_CONSOLE_LOGS "/var/log/xen/console"

int cmd_attach(struct ctl *c, int argc, char **argv); /* block-attach and network-attach */
int cmd_detach(struct ctl *c, int argc, char **argv); /* block-detach and network-detach */
int cmd_console(struct ctl *c, int argc, char **argv);
int cmd_cpupool(struct ctl *c, int argc, char **argv);
int cmd_create(struct ctl *c, int argc, char **argv);
int cmd_debug_key(struct ctl *c, int argc, char **argv);
int cmd_destroy(struct ctl *c, int argc, char **argv);
int cmd_dmesg(struct ctl *c, int argc, char **argv);
int cmd_devices(struct ctl *c, int argc, char **argv); /* block-list and network-list */
int cmd_dump_core(struct ctl *c, int argc, char **argv);
int cmd_events(struct ctl *c, int argc, char **argv);
int cmd_explain(struct ctl *c, int argc, char **argv);
int cmd_help(struct ctl *c, int argc, char **argv);
int cmd_info(struct ctl *c, int argc, char **argv);
int cmd_list(struct ctl *c, int argc, char **argv);
int cmd_log(struct ctl *c, int argc, char **argv);
int cmd_memory(struct ctl *c, int argc, char **argv); /* mem-set and mem-max */
int cmd_pause(struct ctl *c, int argc, char **argv);  /* and unpause */
int cmd_rename(struct ctl *c, int argc, char **argv);
int cmd_sched(struct ctl *c, int argc, char **argv);
int cmd_shutdown(struct ctl *c, int argc, char **argv); /* and reboot */
int cmd_top(struct ctl *c, int argc, char **argv);
int cmd_vcpu(struct ctl *c, int argc, char **argv); /* vcpu-set and vcpu-pin */
int cmd_vcpu_list(struct ctl *c, int argc, char **argv);

#endif
