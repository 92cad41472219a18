# SPDX-License-Identifier: Apache-2.0
# What needs a hypervisor's devices or its store is not in libtools.a: tests link what they replace it with.
kr-src := tools/ctl/cmd_attach.c tools/ctl/cmd_console.c tools/ctl/cmd_create.c tools/ctl/cmd_debug_key.c tools/ctl/cmd_destroy.c tools/ctl/cmd_devices.c \
	  tools/ctl/cmd_dmesg.c tools/ctl/cmd_dump_core.c tools/ctl/cmd_events.c tools/ctl/cmd_explain.c tools/ctl/cmd_help.c tools/ctl/cmd_info.c tools/ctl/cmd_list.c \
	  tools/ctl/cmd_log.c tools/ctl/cmd_memory.c tools/ctl/cmd_pause.c tools/ctl/cmd_rename.c tools/ctl/cmd_sched.c \
	  tools/ctl/cmd_shutdown.c tools/ctl/cmd_top.c tools/ctl/cmd_vcpu.c tools/ctl/commands.c tools/ctl/ctl.c tools/ctl/domain.c tools/ctl/main.c tools/ctl/progress.c \
	  tools/domain/address.c tools/domain/adopt.c tools/domain/attach.c tools/domain/block.c tools/domain/check.c tools/domain/change.c tools/domain/detach.c tools/domain/device.c tools/domain/hotplug.c tools/domain/net.c tools/domain/recover.c tools/domain/share.c \
	  tools/domain/store.c tools/domain/store_write.c tools/domain/system.c \
	  tools/lib/fmem/linux.c tools/lib/hcall/linux.c tools/lib/store/linux.c
tools-src += tools/ctl/relay.c
tools-tests += tests/unit/relay_test.c
