//! Fork and join without a cut-off: a task for one half of every call that recurses.
use crate::common::*;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

pub async fn run(a: &Args) {
    let k = a.count(30);
    let t0 = Instant::now();
    let r = fib_task(k).await;
    a.emit("fib", t0.elapsed().as_secs_f64() * 1e3, "ms");
    assert_eq!(r, fib_seq(k));
}

fn fib_task(k: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if k < 2 {
            return k;
        }
        let x = tokio::spawn(fib_task(k - 1));
        let y = fib_task(k - 2).await;
        x.await.unwrap() + y
    })
}

fn fib_seq(k: usize) -> usize {
    if k < 2 {
        k
    } else {
        fib_seq(k - 1) + fib_seq(k - 2)
    }
}
