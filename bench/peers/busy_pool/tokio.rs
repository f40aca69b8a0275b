//! wg_pool with tasks of five microseconds.
use crate::common::*;

pub async fn run(a: &Args) {
    crate::pool::pool(a, 0, 100_000, |i| {
        Box::new(move || if busy(i as u64, 5) == 0 { 0 } else { i })
    })
    .await
}
