# SPDX-License-Identifier: Apache-2.0
kr-src := tools/ctl/cmd_create.c tools/ctl/cmd_explain.c tools/ctl/cmd_help.c tools/ctl/commands.c tools/ctl/main.c
