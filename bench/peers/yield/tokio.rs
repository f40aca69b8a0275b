//! Two tasks that only yield.
use crate::common::*;
use std::time::Instant;

pub async fn run(a: &Args) {
    let n = a.count(5_000_000);
    let body = move || async move {
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
    };
    let t0 = Instant::now();
    let (x, y) = (tokio::spawn(body()), tokio::spawn(body()));
    x.await.unwrap();
    y.await.unwrap();
    a.per_op(t0, 2 * n);
}
