//! A value to and fro between two tasks over two channels: flume without capacity, or Tokio with capacity 1.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(1_000_000);
    let t0;
    if a.opt == "flume" {
        let (ps, pr) = flume::bounded::<usize>(0);
        let (qs, qr) = flume::bounded::<usize>(0);
        t0 = Instant::now();
        let h = tokio::spawn(async move {
            for _ in 0..n {
                let v = pr.recv_async().await.unwrap();
                qs.send_async(v).await.unwrap();
            }
        });
        let g = tokio::spawn(async move {
            for i in 0..n {
                ps.send_async(i).await.unwrap();
                assert_eq!(qr.recv_async().await.unwrap(), i);
            }
        });
        h.await.unwrap();
        g.await.unwrap();
    } else {
        let (ps, mut pr) = mpsc::channel::<usize>(1);
        let (qs, mut qr) = mpsc::channel::<usize>(1);
        t0 = Instant::now();
        let h = tokio::spawn(async move {
            for _ in 0..n {
                let v = pr.recv().await.unwrap();
                qs.send(v).await.unwrap();
            }
        });
        let g = tokio::spawn(async move {
            for i in 0..n {
                ps.send(i).await.unwrap();
                assert_eq!(qr.recv().await.unwrap(), i);
            }
        });
        h.await.unwrap();
        g.await.unwrap();
    }
    a.per_op(t0, n);
}
