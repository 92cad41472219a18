/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands. */
#include "ctl.h"
#include <string.h>

const struct command commands[] = {
	{ "block-attach", "DOMAIN SPECIFICATION...", "Give a guest one more disk",
	  "The SPECIFICATION is what stands between quotes in disk=[ ] of xl.cfg(5); operands are "
	  "joined by commas.\n"
	  "\n"
	  "  kr block-attach debian /dev/vg/data,raw,xvdb,rw\n",
	  cmd_attach },
	{ "block-detach", "[-f] DOMAIN DISK", "Take a disk away from a guest",
	  "  -f, --force  even if the guest does not let go of it within 10 s\n"
	  "DISK is its name in the guest or its number.\n"
	  "\n"
	  "  kr block-detach debian xvdb\n",
	  cmd_detach },
	{ "block-list", "[DOMAIN]", "List the disks of one domain or of all",
	  "  kr block-list debian\n"
	  "  kr block-list --json | jq '.devices[] | select(.state != \"connected\")'\n",
	  cmd_devices },
	{ "console", "DOMAIN", "Make this terminal a guest's console, until Ctrl-]",
	  "  --json  only say which terminal it is\n"
	  "\n"
	  "  kr console debian\n"
	  "  kr console --json debian | jq -r .tty\n",
	  cmd_console },
	{ "cpupool", "", "List the pools of CPUs", "  kr cpupool\n", cmd_cpupool },
	{ "create", "[-c] [-n] [-p] [--arch ARCH] FILE [KEY=VALUE]...",
	  "Create a guest as a configuration file says",
	  "  -c, --console  stay on the guest's console, as kr console does\n"
	  "  -n, --dry-run  create nothing; show what the guest would be, and everything that "
	  "would be refused\n"
	  "  -p, --paused   leave the guest paused, for kr unpause\n"
	  "  --again UUID   make a guest again, as its record in /run/krypton/domains says (for "
	  "kr-supervisor)\n"
	  "  --arch ARCH    with --dry-run: for x86_64 or arm64, whatever this machine is\n"
	  "  --json         print one JSON object\n"
	  "KEY=VALUE, in the syntax of the file (xl.cfg(5)), replaces what the file has for KEY.\n"
	  "\n"
	  "  kr create debian.cfg --console\n"
	  "  kr create --dry-run debian.cfg\n"
	  "  kr create -n debian.cfg 'vcpus=4' 'disk=[\"/dev/vg/debian,raw,xvda,rw\"]'\n"
	  "  kr create -n --json debian.cfg | jq .layout\n",
	  cmd_create },
	{ "debug-key", "KEYS",
	  "Press keys of the hypervisor's console; kr dmesg has what they print",
	  "  kr debug-key h && kr dmesg | tail -20    # which keys there are\n", cmd_debug_key },
	{ "destroy", "DOMAIN", "End a domain at once, without asking its kernel",
	  "  --leftovers NUMBER  clear away what a domain has left that is gone already\n\n"
	  "  kr destroy debian\n"
	  "  kr destroy 7\n",
	  cmd_destroy },
	{ "dmesg", "", "Print what the hypervisor has printed", "  kr dmesg | tail\n", cmd_dmesg },
	{ "dump-core", "[-f] DOMAIN FILE", "Write a domain's memory and vCPUs to a core file",
	  "  -f, --force  replace a FILE that is there\n"
	  "The domain is paused meanwhile, unless it has ended. The FILE appears when it is "
	  "complete; it is in Xen's format,\n"
	  "as xl dump-core writes it, and memory that is zero takes no room in it.\n"
	  "\n"
	  "  kr dump-core debian /var/lib/xen/dump/debian\n"
	  "  kr dump-core --json 7 /tmp/seven | jq .pages\n",
	  cmd_dump_core },
	{ "events", "[DOMAIN]", "What happened to domains, when, and why",
	  "From the hypervisor's log, in which no times stand unless it was booted with "
	  "console_timestamps, and\n"
	  "from what kr create and kr-supervisor have written down.\n"
	  "\n"
	  "  kr events\n"
	  "  kr events debian --json\n",
	  cmd_events },
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
	{ "list", "[-l] [DOMAIN]", "List the domains",
	  "  -l, --long  all that is known of each, with its devices\n"
	  "\n"
	  "  kr list\n"
	  "  kr list -l debian\n"
	  "  kr list --json | jq -r '.domains[].name'\n",
	  cmd_list },
	{ "log", "[-f] [-n LINES] DOMAIN", "Print what a guest has printed on its console",
	  "  -f, --follow       go on with what it prints from now on, until Ctrl-C\n"
	  "  -n, --lines LINES  only the last ones\n"
	  "The name may be that of a guest that is gone: its log stays.\n"
	  "\n"
	  "  kr log -n 20 debian\n",
	  cmd_log },
	{ "mem-max", "DOMAIN SIZE", "Set how much memory a domain can have at most",
	  "SIZE is in MiB unless it ends in k, m, g or t.\n"
	  "\n"
	  "  kr mem-max debian 2g\n",
	  cmd_memory },
	{ "mem-set", "DOMAIN SIZE", "Set how much memory a domain is to have",
	  "Its kernel gives back what is too much, or takes what it lacks, by its balloon driver.\n"
	  "SIZE is in MiB unless it ends in k, m, g or t.\n"
	  "\n"
	  "  kr mem-set debian 512\n",
	  cmd_memory },
	{ "network-attach", "DOMAIN [SPECIFICATION]...", "Give a guest one more network card",
	  "The SPECIFICATION is what stands between quotes in vif=[ ] of xl.cfg(5); operands are "
	  "joined by commas.\n"
	  "\n"
	  "  kr network-attach debian bridge=xenbr0 rate=10Mb/s\n",
	  cmd_attach },
	{ "network-detach", "[-f] DOMAIN CARD", "Take a network card away from a guest",
	  "  -f, --force  even if the guest does not let go of it within 10 s\n"
	  "CARD is its number or its address.\n"
	  "\n"
	  "  kr network-detach debian 1\n",
	  cmd_detach },
	{ "network-list", "[DOMAIN]", "List the network cards of one domain or of all",
	  "  kr network-list debian\n", cmd_devices },
	{ "pause", "DOMAIN", "Pause a domain: its vCPUs do not run and its time stands",
	  "  kr pause debian\n", cmd_pause },
	{ "reboot", "DOMAIN", "Ask a guest's kernel to reboot", "  kr reboot debian\n",
	  cmd_shutdown },
	{ "rename", "DOMAIN NAME", "Give a domain another name", "  kr rename debian web\n",
	  cmd_rename },
	{ "sched", "[DOMAIN [WEIGHT]]",
	  "Show the scheduler and the weights, or set a domain's weight",
	  "A domain of weight 512 gets twice the CPU time of one of 256 when both want more than "
	  "there is.\n"
	  "\n"
	  "  kr sched\n"
	  "  kr sched debian 512\n",
	  cmd_sched },
	{ "shutdown", "DOMAIN", "Ask a guest's kernel to power off", "  kr shutdown debian\n",
	  cmd_shutdown },
	{ "top", "[-d SECONDS] [-n COUNT]", "Show what the domains use, live",
	  "  -d, --delay SECONDS  between two looks, 0.1 to 3600 (2)\n"
	  "  -n, --count COUNT    print so many looks as text, and end; with --json always one\n"
	  "Keys: q ends it, c m n sort by CPU time, memory, name.\n"
	  "\n"
	  "  kr top\n"
	  "  kr top -n 1 --json | jq '.domains[] | {name, cpu_percent}'\n",
	  cmd_top },
	{ "unpause", "DOMAIN", "Let a paused domain run", "  kr unpause debian\n", cmd_pause },
	{ "vcpu-list", "[DOMAIN]", "List the vCPUs of one domain or of all",
	  "  kr vcpu-list debian\n", cmd_vcpu_list },
	{ "vcpu-pin", "DOMAIN VCPU|all CPUS", "Say which CPUs a vCPU may run on",
	  "CPUS is as cpus= in xl.cfg(5): 0-3,5, or all,^2.\n"
	  "\n"
	  "  kr vcpu-pin debian all 0-1\n"
	  "  kr vcpu-pin debian 0 all\n",
	  cmd_vcpu },
	{ "vcpu-set", "DOMAIN NUMBER", "Say how many of a domain's vCPUs are to be up",
	  "  kr vcpu-set debian 2\n", cmd_vcpu },
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
