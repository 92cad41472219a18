/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's command line. One table (boot/options.c) is the list, the parser and the
 * documentation; names and syntax are Xen's where Xen has the option. Unknown ones are named in the log.
 */
#ifndef HV_OPTION_H
#define HV_OPTION_H

#include <hv/compiler.h>

/* Messages up to `always` are printed, above it and up to `limited` at a limited rate. */
struct log_threshold {
	int8_t always, limited; /* enum log_level, or LOGLVL_NONE */
};
#define LOGLVL_NONE (-1)

struct options {
	uint64_t dom0_mem;     /* bytes, 0: default */
	uint64_t dom0_mem_min; /* what will do when there is not as much */
	uint64_t dom0_mem_max;
	uint32_t dom0_max_vcpus; /* 0: as many as CPUs */
	uint32_t maxcpus;        /* 0: all */
	char console[32];        /* "dtuart", "com1", "none" */
	char dtuart[64];         /* path or alias [:options] */
	char com1[64];
	struct log_threshold loglvl, loglvl_guest;
	char sched[16];
	char spec_ctrl[64];   /* a list: asm/speculation.h of x86 */
	char bp_hardening[8]; /* "auto", "off", "loop" */
	bool noreboot;        /* stop instead of rebooting after a panic */
	uint32_t reboot_delay_ms;
	bool vwfi_native; /* vwfi=native */
	uint32_t gnttab_max_frames, gnttab_max_maptrack_frames;
	uint32_t conswitch;  /* the control character, 1..26: 'a' is 1; 0: none */
	bool conswitch_once; /* "conswitch=ax": do not switch input to dom0 at boot */
	bool watchdog;
	bool sync_console;
	bool console_timestamps;
	bool hypercall_trace;
	uint32_t tbuf_size; /* frames a CPU */
};

extern struct options options; /* [c] after options_parse() */

/* Fill `options` from the command line (the first word may be the image's name). Never fails: what is wrong is logged. */
void options_parse(const char *cmdline);
/* One of the words for a yes or no; the empty one is yes. False: none of them, `value` as it was. */
bool option_bool(const char *s, bool *value);

#endif
