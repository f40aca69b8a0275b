//! Integers through a channel of capacity 128.
use crate::common::*;

pub async fn run(a: &Args) {
    crate::pipe::pipe(a, 128, 1, 1).await
}
