/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands. */
#include "ctl.h"
#include <string.h>

const struct command commands[] = {
	{ "create", "[-n] [--arch ARCH] FILE [KEY=VALUE]...",
	  "Create a guest as a configuration file says",
	  "  -n, --dry-run  create nothing; show what the guest would be, and everything that "
	  "would be refused\n"
	  "  --arch ARCH    with --dry-run: for x86_64 or arm64, whatever this machine is\n"
	  "  --json         print one JSON object\n"
	  "KEY=VALUE, in the syntax of the file (xl.cfg(5)), replaces what the file has for KEY.\n"
	  "\n"
	  "  kr create --dry-run debian.cfg\n"
	  "  kr create -n debian.cfg 'vcpus=4' 'disk=[\"/dev/vg/debian,raw,xvda,rw\"]'\n"
	  "  kr create -n --json debian.cfg | jq .layout\n",
	  cmd_create },
	{ "explain", "REASON|WORD",
	  "Say what a reason means, with which something was refused, and what to do about it",
	  "A REASON is what stands in brackets behind a message, or \"reason\" in JSON. Any other "
	  "WORD lists the\n"
	  "reasons that have it in their name or meaning.\n"
	  "\n"
	  "  kr explain KERNEL_NO_PVH\n"
	  "  kr explain memory\n",
	  cmd_explain },
	{ "help", "[COMMAND]", "List the commands, or say how one is called", NULL, cmd_help },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct command *command_find(const char *name)
{
	for (const struct command *k = commands; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}
