/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the hypervisor's log (XEN_SYSCTL_readconsole). What it says of a domain counts only where its own mark begins the line: what a guest prints, and what
 * stands in the middle of a line, is somebody else's word.
 */
#ifndef TOOLS_DOMAIN_LOG_LINE_H
#define TOOLS_DOMAIN_LOG_LINE_H

#include "lib/hcall/hcall.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What follows the mark and the time in "(KR) [   12.345678] TEXT"; NULL: the hypervisor did not write this line. The time, as "12.345678 s", goes into `when`,
 * of `room` bytes; "" if there is none.
 */
const char *log_line_text(const char *line, char *when, size_t room);

/* Does the text of a line begin with "dN" and `after`, for domain `domid`? Then what follows, otherwise NULL. */
const char *log_line_of(const char *text, uint16_t domid, const char *after);

/* The rest of the last line in `log` that begins with "dN" and `after`, up to its end, into `rest`; false: there is none. */
bool log_last(const char *log, uint16_t domid, const char *after, char *rest, size_t room);

/*
 * All that the hypervisor's log has now, ended by a 0, into *text, which the caller frees also after a failure (NULL, or what was read until then). 0 or a
 * negative errno: the hypervisor's, or -ENOMEM.
 */
long log_read(struct hcall *h, char **text);

/* log_last() in the log that the hypervisor has now. */
bool log_last_said(struct hcall *h, uint16_t domid, const char *after, char *rest, size_t room);

#endif
