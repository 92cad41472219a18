# SPDX-License-Identifier: Apache-2.0
# What does not need a hypervisor is part of libtools.a, where tests reach it.
tools-src += tools/consoled/logfile.c tools/consoled/ring.c tools/consoled/tail.c
kr-consoled-src := $(filter tools/consoled/%,$(tools-src)) tools/consoled/main.c tools/consoled/serve.c \
	     tools/lib/daemon.c tools/lib/folder.c tools/lib/evtchn/linux.c tools/lib/fmem/linux.c tools/lib/gnttab/linux.c tools/lib/hcall/hcall.c tools/lib/hcall/linux.c \
	     tools/lib/hcall/sysctl.c tools/lib/store/client.c tools/lib/store/linux.c
tools-tests += tests/unit/consoled_test.c
tools-fuzz += tests/fuzz/consoled_ring.c
