//! Four workers that take closures from one channel and send their results on another. `make_task(i)` gives the i-th
//! closure, which returns its number.
use crate::common::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub type Job = Box<dyn FnOnce() -> usize + Send>;

pub async fn pool(a: &Args, cap: usize, default_count: usize, make_task: fn(usize) -> Job) {
    let n = a.count(default_count);
    let sum;
    let t0 = Instant::now();
    if a.opt == "flume" {
        let (ts, tr) = flume::bounded::<Job>(cap);
        let (rs, rr) = flume::bounded::<usize>(cap);
        for _ in 0..4 {
            let (tr, rs) = (tr.clone(), rs.clone());
            tokio::spawn(async move {
                while let Ok(t) = tr.recv_async().await {
                    rs.send_async(t()).await.unwrap();
                }
            });
        }
        drop(rs);
        tokio::spawn(async move {
            for i in 0..n {
                ts.send_async(make_task(i)).await.unwrap();
            }
        });
        sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Ok(v) = rr.recv_async().await {
                sum += v;
            }
            sum
        })
        .await
        .unwrap();
    } else {
        // async-channel for the tasks (several receivers), Tokio's mpsc for the results
        let (ts, tr) = async_channel::bounded::<Job>(cap.max(1));
        let (rs, mut rr) = mpsc::channel::<usize>(cap.max(1));
        for _ in 0..4 {
            let (tr, rs) = (tr.clone(), rs.clone());
            tokio::spawn(async move {
                while let Ok(t) = tr.recv().await {
                    rs.send(t()).await.unwrap();
                }
            });
        }
        drop(rs);
        tokio::spawn(async move {
            for i in 0..n {
                ts.send(make_task(i)).await.unwrap();
            }
        });
        sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(v) = rr.recv().await {
                sum += v;
            }
            sum
        })
        .await
        .unwrap();
    }
    a.per_op(t0, n);
    assert_eq!(sum, n * (n - 1) / 2);
}
