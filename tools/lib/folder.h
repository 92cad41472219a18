/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of files that are not there yet. */
#ifndef LIB_FOLDER_H
#define LIB_FOLDER_H

#include <sys/types.h>

/*
 * Make `path` with `mode`, and what is missing above it for everybody to read (0755), both less the umask. What is there already stays as it is; what
 * cannot be made is told by whoever opens something there.
 */
void folder_make(const char *path, mode_t mode);

#endif
