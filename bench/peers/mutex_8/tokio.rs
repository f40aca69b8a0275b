//! Eight tasks on one mutex.
use crate::common::*;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;

pub async fn run(a: &Args) {
    let n = a.count(8_000_000);
    let m = Arc::new(Mutex::new(0usize));
    let t0 = Instant::now();
    let hs: Vec<_> = (0..8)
        .map(|_| {
            let m = m.clone();
            tokio::spawn(async move {
                for _ in 0..n / 8 {
                    *m.lock().await += 1;
                }
            })
        })
        .collect();
    for h in hs {
        h.await.unwrap();
    }
    a.per_op(t0, n);
    assert_eq!(*m.lock().await, n / 8 * 8);
}
