// The library is its header: a target needs a source.
#include "CAllocator.h"
