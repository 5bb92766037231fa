/*
 * rules_read: the YAML of rules/FORMAT.md, file by file, into a builder.
 */
#ifndef JIESU_CLASSIFIERS_RULES_READ_H
#define JIESU_CLASSIFIERS_RULES_READ_H

#include "classifiers/rules_build.h"
#include "classifiers/rules_files.h"
#include "engine/base/err.h"

/* Reads all files that classification needs. 0, or -1 and *err (not NULL) with "file:line:column:
 * what; what to do". */
int rules_read(struct rules_builder *builder, const struct rules_files *files, struct err *err);

#endif
