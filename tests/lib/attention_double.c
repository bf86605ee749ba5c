/* The same tests of the double build, to 1e-12. */
#include "attention.c"
