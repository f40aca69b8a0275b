//! Tasks parked on a receive: resident memory of each.
use crate::common::*;
use std::time::Duration;
use tokio::sync::oneshot;

pub async fn run(a: &Args) {
    let n = a.count(1_000_000);
    let before = rss_bytes();
    let mut senders = Vec::with_capacity(n);
    for _ in 0..n {
        let (s, r) = oneshot::channel::<usize>();
        senders.push(s);
        tokio::spawn(async move {
            let _ = r.await;
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    a.emit("parked_mem", (rss_bytes() - before) / n as f64, "bytes");
    std::process::exit(0);
}
