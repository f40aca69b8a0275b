//! A receive with a timeout of ten seconds that never comes, a new timeout each time.
use crate::common::*;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    if a.opt == "flume" {
        with_flume(a).await
    } else {
        with_tokio(a).await
    }
}

async fn with_tokio(a: &Args) {
    let n = a.count(1_000_000);
    let (s, mut r) = mpsc::channel::<usize>(1);
    tokio::spawn(async move {
        for i in 0..n {
            s.send(i).await.unwrap();
        }
    });
    let mut sum = 0;
    let t0 = Instant::now();
    for _ in 0..n {
        tokio::select! {
            v = r.recv() => sum += v.unwrap(),
            _ = tokio::time::sleep(Duration::from_secs(10)) => panic!("timeout"),
        }
    }
    a.per_op(t0, n);
    assert_eq!(sum, n * (n - 1) / 2);
}

async fn with_flume(a: &Args) {
    let n = a.count(1_000_000);
    let (s, r) = flume::bounded::<usize>(0);
    tokio::spawn(async move {
        for i in 0..n {
            s.send_async(i).await.unwrap();
        }
    });
    let mut sum = 0;
    let t0 = Instant::now();
    for _ in 0..n {
        tokio::select! {
            v = r.recv_async() => sum += v.unwrap(),
            _ = tokio::time::sleep(Duration::from_secs(10)) => panic!("timeout"),
        }
    }
    a.per_op(t0, n);
    assert_eq!(sum, n * (n - 1) / 2);
}
