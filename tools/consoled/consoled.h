/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr-consoled: the consoles of guests. For each domain it maps the console ring, keeps a pseudo-terminal whose name stands in the store
 * (console/tty), and writes what is printed to a log. main.c opens what needs privileges; serve.c, without them, is one event loop.
 */
#ifndef TOOLS_CONSOLED_H
#define TOOLS_CONSOLED_H

#include "logfile.h"
#include "lib/evtchn/events.h"
#include "lib/fmem/fmem.h"
#include "lib/gnttab/grants.h"
#include "lib/hcall/hcall.h"
#include "lib/store/client.h"

/* What main.c has opened. */
struct setup {
	struct log_policy guests, hypervisor; /* folder -1: not to be logged */
	struct store_client *store;
	struct events *events;
	struct grants *grants;
	struct fmem *fmem;
	struct hcall *hcall;
	uint32_t user; /* to become before guests' data is touched; 0: stay */
	bool verbose;
};

/* Serve until SIGTERM: the exit status. `ready` is called when all domains that there are have their consoles. */
int serve(const struct setup *setup, void (*ready)(void));

/* One line to the standard error output, or to syslog. */
extern bool say_to_syslog;
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
