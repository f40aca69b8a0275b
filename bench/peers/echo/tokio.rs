//! A TCP echo server on the loopback interface; ends by itself after a minute.
use crate::common::*;
use std::time::Duration;

pub async fn run(a: &Args) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let l = tokio::net::TcpListener::bind(("127.0.0.1", a.port))
        .await
        .unwrap();
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(60)).await; // bounded
        std::process::exit(0);
    });
    loop {
        let (mut s, _) = l.accept().await.unwrap();
        s.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut buf = [0u8; 4096];
            while let Ok(k) = s.read(&mut buf).await {
                if k == 0 || s.write_all(&buf[..k]).await.is_err() {
                    return;
                }
            }
        });
    }
}
