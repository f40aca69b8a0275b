# The chapters of the tour, in the order a reader should take them. Each is a program: NAME.cpp,
# whose first line is its title.
set(RUNNEL_TOUR_CHAPTERS
    goroutines
    unbuffered-channels
    buffered-channels
    closing-and-range
    select
    timeouts-with-select
    wait-group
    fan-out-fan-in
    worker-pool
    worker-pool-wait-group
    dynamic-pool
    error-channel
    context-aware-pool
    reusable-pool)
