/*
 * support_rules: rule sets in folders of their own, for tests.
 */
#ifndef JIESU_TESTS_CLASSIFIERS_SUPPORT_RULES_H
#define JIESU_TESTS_CLASSIFIERS_SUPPORT_RULES_H

struct rule_dir {
    char path[64];
};

/* Makes a folder under /tmp that holds a small rule set which compiles. */
void rule_dir_make(struct rule_dir *dir);
/* Writes a file of the set, such as "categories/a.yaml"; replaces what was there. */
void rule_dir_write(const struct rule_dir *dir, const char *name, const char *text);
/* Removes a file of the set. */
void rule_dir_drop(const struct rule_dir *dir, const char *name);
/* Removes the folder with all in it. */
void rule_dir_remove(const struct rule_dir *dir);

#endif
