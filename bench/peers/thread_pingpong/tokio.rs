//! A plain thread asks, a task answers, over two channels: flume without capacity, or Tokio with capacity 1.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(200_000);
    let t0;
    let asker;
    if a.opt == "flume" {
        let (ps, pr) = flume::bounded::<usize>(0);
        let (qs, qr) = flume::bounded::<usize>(0);
        tokio::spawn(async move {
            while let Ok(v) = pr.recv_async().await {
                qs.send_async(v).await.unwrap();
            }
        });
        t0 = Instant::now();
        asker = tokio::task::spawn_blocking(move || {
            for i in 0..n {
                ps.send(i).unwrap();
                assert_eq!(qr.recv().unwrap(), i);
            }
        });
    } else {
        let (ps, mut pr) = mpsc::channel::<usize>(1);
        let (qs, mut qr) = mpsc::channel::<usize>(1);
        tokio::spawn(async move {
            while let Some(v) = pr.recv().await {
                qs.send(v).await.unwrap();
            }
        });
        t0 = Instant::now();
        asker = tokio::task::spawn_blocking(move || {
            for i in 0..n {
                ps.blocking_send(i).unwrap();
                assert_eq!(qr.blocking_recv().unwrap(), i);
            }
        });
    }
    asker.await.unwrap();
    a.per_op(t0, n);
}
