//! Many tasks that each sleep three times for 1 to 500 ms: CPU time, and how long it takes.
use crate::common::*;
use std::time::{Duration, Instant};

pub async fn run(a: &Args) {
    let n = a.count(100_000);
    let (c0, t0) = (cpu_seconds(), Instant::now());
    let wg = WaitGroup::new(n);
    for i in 0..n {
        let w = wg.clone();
        tokio::spawn(async move {
            let mut r = (i as u64).wrapping_mul(2654435761).wrapping_add(12345);
            for _ in 0..3 {
                r = r
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                tokio::time::sleep(Duration::from_millis(1 + (r >> 33) % 500)).await;
            }
            w.done();
        });
    }
    wg.wait().await;
    let wall = t0.elapsed().as_secs_f64();
    a.emit("sleepers_cpu", cpu_seconds() - c0, "s");
    a.emit("sleepers_wall", wall, "s");
}
