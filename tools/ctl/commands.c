/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands. */
#include "ctl.h"
#include <string.h>

const struct command commands[] = {
	{ "console", "DOMAIN", "Make this terminal a guest's console, until Ctrl-]",
	  "  kr console debian\n", cmd_console },
	{ "create", "[-c] [-n] [-p] [--arch ARCH] FILE [KEY=VALUE]...",
	  "Create a guest as a configuration file says",
	  "  -c, --console  stay on the guest's console, as kr console does\n"
	  "  -n, --dry-run  create nothing; show what the guest would be, and everything that "
	  "would be refused\n"
	  "  -p, --paused   leave the guest paused, for kr unpause\n"
	  "  --arch ARCH    with --dry-run: for x86_64 or arm64, whatever this machine is\n"
	  "  --json         print one JSON object\n"
	  "KEY=VALUE, in the syntax of the file (xl.cfg(5)), replaces what the file has for KEY.\n"
	  "\n"
	  "  kr create debian.cfg --console\n"
	  "  kr create --dry-run debian.cfg\n"
	  "  kr create -n debian.cfg 'vcpus=4' 'disk=[\"/dev/vg/debian,raw,xvda,rw\"]'\n"
	  "  kr create -n --json debian.cfg | jq .layout\n",
	  cmd_create },
	{ "destroy", "DOMAIN", "End a domain at once, without asking its kernel",
	  "  kr destroy debian\n"
	  "  kr destroy 7\n",
	  cmd_destroy },
	{ "dmesg", "", "Print what the hypervisor has printed", "  kr dmesg | tail\n", cmd_dmesg },
	{ "explain", "REASON|WORD",
	  "Say what a reason means, with which something was refused, and what to do about it",
	  "A REASON is what stands in brackets behind a message, or \"reason\" in JSON. Any other "
	  "WORD lists the\n"
	  "reasons that have it in their name or meaning.\n"
	  "\n"
	  "  kr explain KERNEL_NO_PVH\n"
	  "  kr explain memory\n",
	  cmd_explain },
	{ "info", "", "Show the hypervisor, CPUs and memory of the machine",
	  "  kr info --json | jq .free_mib\n", cmd_info },
	{ "list", "", "List the domains",
	  "  kr list\n"
	  "  kr list --json | jq -r '.domains[].name'\n",
	  cmd_list },
	{ "pause", "DOMAIN", "Pause a domain: its vCPUs do not run and its time stands",
	  "  kr pause debian\n", cmd_pause },
	{ "reboot", "DOMAIN", "Ask a guest's kernel to reboot", "  kr reboot debian\n",
	  cmd_shutdown },
	{ "shutdown", "DOMAIN", "Ask a guest's kernel to power off", "  kr shutdown debian\n",
	  cmd_shutdown },
	{ "unpause", "DOMAIN", "Let a paused domain run", "  kr unpause debian\n", cmd_pause },
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
