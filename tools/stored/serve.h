/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon around the store. Two processes:
 *
 *	keeper (super.c)   opens what needs privileges, accepts clients, holds a copy of every descriptor, starts the
 *	                   server again when it ends, however it ends; becomes the new program in a live update
 *	server (serve.c)   the store, its journal and all clients; gives up its privileges before it serves
 *
 * What the keeper hands over stands in struct setup, which the server has through fork.
 */
#ifndef STORED_SERVE_H
#define STORED_SERVE_H

#include <stdbool.h>
#include <stdint.h>
#include "store.h"

#define FIRST_SOCKET 0x10000u /* numbers of socket connections; smaller ones are domains' rings */
#define EXIT_UPGRADE 75       /* the server's last word when the state is saved for a new program */

struct setup {
	int listener;
	int state[2];
	int control;                   /* the server's end of the line to the keeper */
	bool xen;                      /* is there a Xen to serve domains of? */
	int evtchn;                    /* descriptor; -1 without Xen */
	bool kept_ports;               /* it is as the last server left it: ports are still bound */
	uint32_t virq_port, dom0_port; /* bound by the keeper */
	unsigned attempt; /* servers before this one that crashed playing the journal again */
	bool no_recovery;
	uint32_t user; /* whom the server runs as; 0: does not change */
	int log_fd;    /* -1: none */
	bool verbose;
	uint32_t nr_held;
	struct held {
		uint32_t id;
		int fd;
	} * held; /* sockets of clients */
	/* What the command line says of quotas: name=value. */
	unsigned nr_quotas;
	struct {
		char name[32];
		uint64_t value;
	} quota[16];
};

/* Serve until told to stop; the exit status. */
int serve(struct setup *setup);
/* Keep a server running; the exit status, unless it becomes another program. */
int keep(struct setup *setup, char **argv, void (*ready)(void));
/* Take over from an older program, when there is one. */
bool keep_resume(struct setup *setup);

/* Messages between the two; HOLD is the keeper's (a new client, with its socket), all others are the server's. */
enum control_op {
	CONTROL_REPLAYED, /* all inputs that a former server knew */
	CONTROL_READY,
	CONTROL_HOLD,
	CONTROL_LET_GO,
	CONTROL_PROGRAM,
	CONTROL_ARGS
};
void control_send(int control, enum control_op op, uint32_t id, int fd, const char *text);
/* The server's: a client that the keeper has accepted; *fd is -1 when there is no room for it. False: no keeper any more. */
bool control_client(int control, uint32_t *id, int *fd);

#endif
