//! Integers through one channel, from a number of producers to a number of consumers.
use crate::common::*;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, Mutex};

pub async fn pipe(a: &Args, cap: usize, producers: usize, consumers: usize) {
    let n = a.count(2_000_000);
    let each = n / producers;
    let t0 = Instant::now();
    let mut hs: Vec<tokio::task::JoinHandle<usize>> = Vec::new();
    match a.opt.as_str() {
        "flume" => {
            let (s, r) = flume::bounded::<usize>(cap);
            for _ in 0..producers {
                let s = s.clone();
                hs.push(tokio::spawn(async move {
                    for i in 0..each {
                        s.send_async(i).await.unwrap();
                    }
                    0
                }));
            }
            for _ in 0..consumers {
                let r = r.clone();
                hs.push(tokio::spawn(async move {
                    let mut k = 0;
                    while r.recv_async().await.is_ok() {
                        k += 1;
                    }
                    k
                }));
            }
        }
        "ac" => {
            let (s, r) = async_channel::bounded::<usize>(cap.max(1));
            for _ in 0..producers {
                let s = s.clone();
                hs.push(tokio::spawn(async move {
                    for i in 0..each {
                        s.send(i).await.unwrap();
                    }
                    0
                }));
            }
            for _ in 0..consumers {
                let r = r.clone();
                hs.push(tokio::spawn(async move {
                    let mut k = 0;
                    while r.recv().await.is_ok() {
                        k += 1;
                    }
                    k
                }));
            }
        }
        _ => {
            if consumers > 1 {
                // the usual idiom for several receivers: one behind an asynchronous mutex
                let (s, r) = mpsc::channel::<usize>(cap.max(1));
                let r = Arc::new(Mutex::new(r));
                for _ in 0..producers {
                    let s = s.clone();
                    hs.push(tokio::spawn(async move {
                        for i in 0..each {
                            s.send(i).await.unwrap();
                        }
                        0
                    }));
                }
                for _ in 0..consumers {
                    let r = r.clone();
                    hs.push(tokio::spawn(async move {
                        let mut k = 0;
                        loop {
                            let v = r.lock().await.recv().await;
                            if v.is_none() {
                                return k;
                            }
                            k += 1;
                        }
                    }));
                }
            } else {
                let (s, mut r) = mpsc::channel::<usize>(cap.max(1));
                for _ in 0..producers {
                    let s = s.clone();
                    hs.push(tokio::spawn(async move {
                        for i in 0..each {
                            s.send(i).await.unwrap();
                        }
                        0
                    }));
                }
                hs.push(tokio::spawn(async move {
                    let mut k = 0;
                    while r.recv().await.is_some() {
                        k += 1;
                    }
                    k
                }));
            }
        }
    }
    let mut total = 0;
    for h in hs {
        total += h.await.unwrap();
    }
    a.per_op(t0, n);
    assert_eq!(total, each * producers);
}
