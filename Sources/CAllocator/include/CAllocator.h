#ifndef SPILE_C_ALLOCATOR_H
#define SPILE_C_ALLOCATOR_H

// Any header of the library tells which library it is.
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

/// Bounds how many pools the C library's allocator keeps for its threads. It makes eight for each core, and memory that
/// is given back in one is of no use to the others. Call it before the first thread starts. Does nothing where the
/// allocator has no such pools.
static inline void spile_bound_allocator_pools(int count) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, count);
#else
    (void)count;
#endif
}

/// Gives memory that is free in the allocator's pools back to the system. Costs milliseconds: call it seldom.
static inline void spile_trim_allocator(void) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

#endif
