#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes <generated/version.h>: which commit this is. Nothing that differs between two builds.
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
date=$(git log -1 --format=%cd --date=format:%Y-%m-%d 2>/dev/null || echo unknown)
git diff --quiet HEAD -- hv Makefile scripts 2>/dev/null || commit=$commit-changed
cat <<EOF
/* Generated. */
#define BUILD_COMMIT "$commit"
#define BUILD_DATE   "$date"
EOF
