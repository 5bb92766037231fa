/*
 * cpu: which vector instructions this processor and its kernel allow.
 *
 * Code that has several forms of one loop asks once, when it builds its tables, and keeps the
 * answer there; nothing is global. Tests and benchmarks ask for a lower level themselves.
 */
#ifndef JIESU_BASE_CPU_H
#define JIESU_BASE_CPU_H

/* Each holds all of those before it. */
enum cpu_level {
    CPU_PORTABLE, /* plain C */
    CPU_AVX2,     /* AVX2, BMI1, BMI2, POPCNT */
    CPU_AVX512,   /* AVX-512 F, BW, DQ, VL */
    CPU_LEVELS,
};

/* The highest level that may be used here. */
enum cpu_level cpu_level(void);
/* "portable", "avx2", "avx512". */
const char *cpu_level_name(enum cpu_level level);

#endif
