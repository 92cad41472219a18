# SPDX-License-Identifier: Apache-2.0
tools-src += tools/domain/arena.c tools/domain/config.c tools/domain/core_file.c tools/domain/cpulist.c tools/domain/disk.c tools/domain/dump.c tools/domain/host.c tools/domain/keys.c tools/domain/log_line.c tools/domain/make.c \
	     tools/domain/nearest.c tools/domain/parse.c tools/domain/size.c tools/domain/vif.c
tools-tests += tests/unit/config_test.c tests/unit/log_line_test.c
tools-fuzz += tests/fuzz/config.c
toolstack-tests += tests/unit/toolstack_test.c tests/unit/commands_test.c tests/unit/device_test.c tests/unit/dump_test.c
