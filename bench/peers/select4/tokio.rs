//! Four producers, each on an unbuffered channel of its own (capacity 1 for Tokio's); one consumer selects over the four.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(2_000_000) / 4 * 4;
    let t0 = Instant::now();
    let sum = if a.opt == "flume" {
        let mut rs = Vec::new();
        for _ in 0..4 {
            let (s, r) = flume::bounded::<usize>(0);
            rs.push(r);
            tokio::spawn(async move {
                for i in 0..n / 4 {
                    if s.send_async(i).await.is_err() {
                        return;
                    }
                }
                std::future::pending::<()>().await; // keep the channel open
            });
        }
        tokio::spawn(async move {
            let mut sum = 0usize;
            for _ in 0..n {
                tokio::select! {
                    v = rs[0].recv_async() => sum += v.unwrap(),
                    v = rs[1].recv_async() => sum += v.unwrap(),
                    v = rs[2].recv_async() => sum += v.unwrap(),
                    v = rs[3].recv_async() => sum += v.unwrap(),
                }
            }
            sum
        })
        .await
        .unwrap()
    } else {
        let mut rs = Vec::new();
        for _ in 0..4 {
            let (s, r) = mpsc::channel::<usize>(1);
            rs.push(r);
            tokio::spawn(async move {
                for i in 0..n / 4 {
                    if s.send(i).await.is_err() {
                        return;
                    }
                }
                std::future::pending::<()>().await;
            });
        }
        tokio::spawn(async move {
            let mut sum = 0usize;
            let mut it = rs.into_iter();
            let (mut r0, mut r1, mut r2, mut r3) = (
                it.next().unwrap(),
                it.next().unwrap(),
                it.next().unwrap(),
                it.next().unwrap(),
            );
            for _ in 0..n {
                tokio::select! {
                    v = r0.recv() => sum += v.unwrap(),
                    v = r1.recv() => sum += v.unwrap(),
                    v = r2.recv() => sum += v.unwrap(),
                    v = r3.recv() => sum += v.unwrap(),
                }
            }
            sum
        })
        .await
        .unwrap()
    };
    a.per_op(t0, n);
    assert_eq!(sum, 4 * (n / 4 * (n / 4 - 1) / 2));
}
