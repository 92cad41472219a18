# SPDX-License-Identifier: Apache-2.0
# The store itself is part of libtools.a, where tests reach it; the daemon around it is linked for each architecture.
tools-src += tools/stored/check.c tools/stored/conn.c tools/stored/domain.c tools/stored/journal.c \
	     tools/stored/op_domain.c tools/stored/op_node.c tools/stored/perm.c tools/stored/proto.c tools/stored/request.c \
	     tools/stored/quota.c tools/stored/tree.c tools/stored/txn.c tools/stored/upgrade_load.c \
	     tools/stored/upgrade_save.c tools/stored/watch.c
kr-stored-src := $(filter tools/stored/%,$(tools-src)) tools/stored/main.c tools/stored/ring.c tools/stored/saving.c tools/stored/serve.c \
	     tools/stored/super.c tools/lib/daemon.c tools/lib/evtchn/linux.c tools/lib/fmem/linux.c \
	     tools/lib/gnttab/linux.c tools/lib/hcall/hcall.c tools/lib/hcall/linux.c
tools-tests += tests/unit/stored_limits_test.c tests/unit/stored_save_test.c tests/unit/stored_tree_test.c tests/unit/stored_txn_test.c \
	       tests/unit/stored_watch_test.c
tools-fuzz += tests/fuzz/stored_proto.c
