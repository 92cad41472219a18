/* SPDX-License-Identifier: Apache-2.0 */
/* Which build this is, and which Xen it answers for. */
#ifndef HV_VERSION_H
#define HV_VERSION_H

#define XEN_MAJOR 4
#define XEN_MINOR 17

extern const char krypton_version[]; /* "0.1" */
extern const char krypton_commit[];  /* abbreviated hash, "-changed" behind it when the tree was */
extern const char krypton_date[];    /* of the commit, YYYY-MM-DD */

#endif
