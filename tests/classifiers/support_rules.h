/*
 * support_rules: rule sets in folders of their own, for tests.
 */
#ifndef JIESU_TESTS_CLASSIFIERS_SUPPORT_RULES_H
#define JIESU_TESTS_CLASSIFIERS_SUPPORT_RULES_H

#include <stddef.h>

/* A pack of learned weights for two labels ("a\tb") whose scores are the sums of hundredths in the
 * lines of its n-grams, the first of which is line RULE_PACK_LINE, when a text holds one n-gram. */
#define RULE_PACK(labels, ngrams)                                                           \
    "jiesu-learned\t1\nlabels\t" labels "\nstep\t0.01\nbias\t0\t0\npoints\t1\nlift\t1\t0\n" \
    "few\t0\nhead\t0\n" ngrams
enum { RULE_PACK_LINE = 9 };

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

/* A file of the small set is replaced by a text that is wrong; the message starts with the place
 * after the folder and holds what is expected. */
struct bad_file {
    const char *file, *text, *place, *what;
};

/* Fails unless each is refused as it should be; prints those that are not. */
void assert_refused_well(const struct bad_file *files, size_t count);

#endif
