//! Four workers between two channels of capacity 128, one of tasks and one of results.
use crate::common::*;

pub async fn run(a: &Args) {
    crate::pool::pool(a, 128, 1_000_000, |i| Box::new(move || i)).await
}
