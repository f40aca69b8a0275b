//! buf_1p1c with two microseconds of work on each side.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(200_000);
    let t0 = Instant::now();
    let (received, mixed) = if a.opt == "flume" {
        let (s, r) = flume::bounded::<u64>(128);
        tokio::spawn(async move {
            for i in 0..n {
                s.send_async(busy(i as u64, 2)).await.unwrap();
            }
        });
        let (mut received, mut mixed) = (0, 0);
        while let Ok(v) = r.recv_async().await {
            mixed ^= busy(v, 2);
            received += 1;
        }
        (received, mixed)
    } else {
        let (s, mut r) = mpsc::channel::<u64>(128);
        tokio::spawn(async move {
            for i in 0..n {
                s.send(busy(i as u64, 2)).await.unwrap();
            }
        });
        let (mut received, mut mixed) = (0, 0);
        while let Some(v) = r.recv().await {
            mixed ^= busy(v, 2);
            received += 1;
        }
        (received, mixed)
    };
    a.per_op(t0, n);
    assert!(received == n && mixed != 0);
}
