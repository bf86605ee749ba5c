/* What every library test includes first: cmocka and its own headers. */
#ifndef RM_TEST_H
#define RM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
