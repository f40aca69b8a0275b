//! Lock and unlock, nobody else there.
use crate::common::*;
use std::time::Instant;
use tokio::sync::Mutex;

pub async fn run(a: &Args) {
    let n = a.count(50_000_000);
    let m = Mutex::new(0usize);
    let t0 = Instant::now();
    for _ in 0..n {
        *m.lock().await += 1;
    }
    a.per_op(t0, n);
    assert_eq!(*m.lock().await, n);
}
