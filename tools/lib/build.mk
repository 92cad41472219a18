# SPDX-License-Identifier: Apache-2.0
# The back ends that need a running hypervisor (linux.c) belong to the programs.
tools-src += tools/lib/fault.c tools/lib/hcall/domctl.c tools/lib/hcall/hcall.c tools/lib/hcall/sysctl.c
