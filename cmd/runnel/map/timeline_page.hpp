// The page of --timeline, but for its data.
#pragma once
#include <string_view>

namespace runnel_cli {

/// What comes before the data, which is JSON, and after it. The data must not contain '<'.
extern const std::string_view timeline_page_before_data;
extern const std::string_view timeline_page_after_data;

}  // namespace runnel_cli
