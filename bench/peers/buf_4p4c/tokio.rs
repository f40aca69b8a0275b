//! Integers through a channel of capacity 128, from four producers to four consumers.
use crate::common::*;

pub async fn run(a: &Args) {
    crate::pipe::pipe(a, 128, 4, 4).await
}
