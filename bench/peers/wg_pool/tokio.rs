//! Four workers between two unbuffered channels (capacity 1 but with flume), one of tasks and one of results.
use crate::common::*;

pub async fn run(a: &Args) {
    crate::pool::pool(a, 0, 1_000_000, |i| Box::new(move || i)).await
}
