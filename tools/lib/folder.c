/* SPDX-License-Identifier: Apache-2.0 */
/* See folder.h. */
#include "folder.h"
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

void folder_make(const char *path, mode_t mode)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part) || !part[0])
		return;
	for (char *p = part + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(part, 0755);
			*p = '/';
		}
	mkdir(part, mode);
}
