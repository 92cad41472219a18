# SPDX-License-Identifier: Apache-2.0
# The back ends that need a running hypervisor (linux.c) belong to the programs.
tools-src += tools/lib/daemon.c tools/lib/fault.c tools/lib/folder.c tools/lib/hcall/domctl.c tools/lib/hcall/hcall.c tools/lib/hcall/sysctl.c \
	     tools/lib/store/client.c tools/lib/uuid.c
tools-tests += tests/unit/daemon_test.c tests/unit/store_client_test.c
