// Defines the symbol that says how the library was built; see runnel/detail/config.hpp.
#include <runnel/detail/config.hpp>

extern "C" const char RUNNEL_LAYOUT_SYMBOL = 0;
