//! A tree of tasks, ten below each, with n leaves; the sums come back over channels.
use crate::common::*;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(1_000_000);
    let t0 = Instant::now();
    let sum = if a.opt == "flume" {
        let (s, r) = flume::bounded::<usize>(0);
        tokio::spawn(skynode_flume(s, 0, n));
        r.recv_async().await.unwrap()
    } else {
        let (s, mut r) = mpsc::channel::<usize>(1);
        tokio::spawn(skynode(s, 0, n));
        r.recv().await.unwrap()
    };
    a.emit("skynet", t0.elapsed().as_secs_f64() * 1e3, "ms");
    assert_eq!(sum, n * (n - 1) / 2);
}

fn skynode(
    c: mpsc::Sender<usize>,
    num: usize,
    size: usize,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if size == 1 {
            c.send(num).await.unwrap();
            return;
        }
        let (s, mut r) = mpsc::channel::<usize>(1);
        let size = size / 10;
        for i in 0..10 {
            tokio::spawn(skynode(s.clone(), num + i * size, size));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += r.recv().await.unwrap();
        }
        c.send(sum).await.unwrap();
    })
}

fn skynode_flume(
    c: flume::Sender<usize>,
    num: usize,
    size: usize,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if size == 1 {
            c.send_async(num).await.unwrap();
            return;
        }
        let (s, r) = flume::bounded::<usize>(0);
        let size = size / 10;
        for i in 0..10 {
            tokio::spawn(skynode_flume(s.clone(), num + i * size, size));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += r.recv_async().await.unwrap();
        }
        c.send_async(sum).await.unwrap();
    })
}
