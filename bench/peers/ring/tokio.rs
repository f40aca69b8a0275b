//! 503 tasks in a ring of unbuffered channels (capacity 1 for Tokio's own); a token makes n hops.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub async fn run(a: &Args) {
    let n = a.count(1_000_000);
    const SIZE: usize = 503;
    let t0;
    if a.opt == "flume" {
        let ch: Vec<_> = (0..SIZE).map(|_| flume::bounded::<usize>(0)).collect();
        let (ds, dr) = flume::bounded::<()>(1);
        for i in 0..SIZE {
            let (r, s, ds) = (ch[i].1.clone(), ch[(i + 1) % SIZE].0.clone(), ds.clone());
            tokio::spawn(async move {
                while let Ok(t) = r.recv_async().await {
                    if t == 0 {
                        ds.send_async(()).await.unwrap();
                        return;
                    }
                    s.send_async(t - 1).await.unwrap();
                }
            });
        }
        t0 = Instant::now();
        ch[0].0.send_async(n).await.unwrap();
        dr.recv_async().await.unwrap();
    } else {
        let mut ss = Vec::new();
        let mut rs = Vec::new();
        for _ in 0..SIZE {
            let (s, r) = mpsc::channel::<usize>(1);
            ss.push(s);
            rs.push(r);
        }
        let (ds, mut dr) = mpsc::channel::<()>(1);
        for (i, mut r) in rs.into_iter().enumerate() {
            let (s, ds) = (ss[(i + 1) % SIZE].clone(), ds.clone());
            tokio::spawn(async move {
                while let Some(t) = r.recv().await {
                    if t == 0 {
                        ds.send(()).await.unwrap();
                        return;
                    }
                    s.send(t - 1).await.unwrap();
                }
            });
        }
        t0 = Instant::now();
        ss[0].send(n).await.unwrap();
        dr.recv().await.unwrap();
    }
    a.per_op(t0, n);
}
