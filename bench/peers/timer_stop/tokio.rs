//! Make a timer ten seconds ahead and stop it.
use crate::common::*;
use std::time::{Duration, Instant};

pub async fn run(a: &Args) {
    let n = a.count(5_000_000);
    let t0 = Instant::now();
    // unconstrained: without it, polls beyond the cooperative budget (128) return at once and register no timer
    tokio::task::unconstrained(async {
        for _ in 0..n {
            let s = tokio::time::sleep(Duration::from_secs(10));
            tokio::pin!(s);
            // a Tokio timer is registered by its first poll, and deregistered when dropped
            assert!(futures::poll!(s.as_mut()).is_pending());
        }
    })
    .await;
    a.per_op(t0, n);
}
