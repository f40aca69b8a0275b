//! Tasks that do nothing, started in batches of 1000 and waited for.
use crate::common::*;
use std::time::Instant;

pub async fn run(a: &Args) {
    let n = a.count(1_000_000);
    const BATCH: usize = 1000;
    let t0 = Instant::now();
    let mut done = 0;
    while done < n {
        let wg = WaitGroup::new(BATCH);
        for _ in 0..BATCH {
            let w = wg.clone();
            tokio::spawn(async move { w.done() });
        }
        wg.wait().await;
        done += BATCH;
    }
    a.per_op(t0, n);
}
