/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the daemons start. All of this is for main(), before there are threads; what fails ends the program with 1 and a line on
 * standard error that begins with its name.
 */
#ifndef LIB_DAEMON_H
#define LIB_DAEMON_H

#include <stdbool.h>

/* End the program: what was wrong with `what`, as errno has it. */
__attribute__((noreturn)) void daemon_die(const char *what);

/*
 * Go on in a child, in a session of its own, in "/", with nothing to read. The caller's process waits: it ends with 0 when the child calls
 * daemon_ready(), with 1 when the child ends before. What fails until then still reaches the caller's standard error.
 */
void daemon_background(void);

/* There is somebody to talk to: output and errors go nowhere from here on. Without daemon_background(): nothing. */
void daemon_ready(void);

/*
 * Take the only lock (flock(2)) of an open file, until the process ends. Who holds it may have been killed and not be taken apart yet: he is
 * waited for, ten seconds. False, with errno EWOULDBLOCK: he stays.
 */
bool daemon_hold(int fd);

/* The same for `path`, a file that is made; not handed on to other programs. Ends the program when another one has it. */
void daemon_lock(const char *path);

/* Write the process number to `path`; NULL: nowhere. */
void daemon_write_pid(const char *path);

/* Up to 65,536 open files, or as many as one may. */
void daemon_more_files(void);

#endif
