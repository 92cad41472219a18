/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's log. A line goes to the console ring (kept for dom0: CONSOLEIO and
 * SYSCTL_readconsole) and, when its level passes the threshold of `loglvl=` / `guest_loglvl=`, to
 * the console device. May be called anywhere, with any lock but RANK_CONSOLE held. Lines that
 * a guest can cause are rate-limited: LOG_GUEST.
 */
#ifndef HV_LOG_H
#define HV_LOG_H

#include <stdarg.h>
#include <hv/compiler.h>

enum log_level {
	LOG_ERROR, /* something did not work */
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
	LOG_GUEST = 4, /* or-ed in: caused by a guest, rate-limited, under guest_loglvl */
};

/* Formats one line; no newline in fmt. Longer than 255 bytes is cut. */
void log_line(unsigned level, const char *fmt, ...) PRINTF(2, 3);
void log_vline(unsigned level, const char *fmt, va_list ap);

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)
#define log_guest(...)   log_line(LOG_GUEST | LOG_WARNING, __VA_ARGS__)

#endif
