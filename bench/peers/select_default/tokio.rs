//! A receive that does not block, on an empty channel.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(50_000_000);
    let (_s, mut r) = mpsc::channel::<usize>(16);
    let mut miss = 0usize;
    let t0 = Instant::now();
    for _ in 0..n {
        if r.try_recv().is_err() {
            miss += 1;
        }
    }
    a.per_op(t0, n);
    assert_eq!(miss, n);
}
