# SPDX-License-Identifier: Apache-2.0
tools-src += tools/lib/fault.c
