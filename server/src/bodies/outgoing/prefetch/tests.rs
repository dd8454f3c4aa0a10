//! Order, window, failures, panics and disconnects of a worker that reads ahead.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// Returns consecutive numbers and counts the requests.
struct Numbers {
    next: u8,
    end: u8,
    fails_at: Option<u8>,
    panics_at: Option<u8>,
    read: Arc<AtomicUsize>,
}

impl Numbers {
    fn up_to(end: u8) -> Numbers {
        Numbers {
            next: 0,
            end,
            fails_at: None,
            panics_at: None,
            read: Arc::default(),
        }
    }
}

impl Source for Numbers {
    fn is_over(&self) -> bool {
        self.next == self.end
    }

    fn next(&mut self, frames: usize) -> Piece {
        assert!(self.panics_at != Some(self.next), "as asked");
        if self.fails_at == Some(self.next) {
            return Err(StoreError::Closed);
        }
        let to = self
            .end
            .min(self.next.saturating_add(u8::try_from(frames).expect("few")));
        let piece: Vec<Bytes> = (self.next..to)
            .map(|number| Bytes::copy_from_slice(&[number]))
            .collect();
        self.next = to;
        self.read.fetch_add(1, Ordering::SeqCst);
        Ok(piece)
    }
}

const FAR: Window = Window {
    frames: 3,
    ahead: 4,
};

async fn next(ahead: &mut Prefetcher<Numbers>) -> Option<Piece> {
    tokio::time::timeout(Duration::from_secs(20), ahead.next())
        .await
        .expect("a piece comes, or the end")
}

/// Waits until no worker is reading, and returns how many pieces were read.
async fn settled(ahead: &Prefetcher<Numbers>, read: &AtomicUsize) -> usize {
    while matches!(ahead.shared.queue().reading, Reading::AtWork) {
        tokio::task::yield_now().await;
    }
    read.load(Ordering::SeqCst)
}

#[tokio::test]
async fn pieces_come_in_order_and_then_the_end() {
    for pool in [BlockingPool::new(1), BlockingPool::inline()] {
        for window in [None, Some(FAR)] {
            let mut ahead = Prefetcher::start(pool.clone(), Numbers::up_to(200));
            if let Some(window) = window {
                ahead.window(window);
            }
            let mut got = Vec::new();
            while let Some(piece) = next(&mut ahead).await {
                got.extend(piece.expect("nothing fails"));
            }
            assert_eq!(got.concat(), (0..200).collect::<Vec<u8>>());
            assert!(next(&mut ahead).await.is_none(), "the end stays");
        }
    }
}

#[tokio::test]
async fn a_stream_that_may_not_read_ahead_reads_what_is_asked_for() {
    let numbers = Numbers::up_to(200);
    let read = Arc::clone(&numbers.read);
    let mut ahead = Prefetcher::start(BlockingPool::new(1), numbers);
    assert_eq!(settled(&ahead, &read).await, 1, "the first, at once");
    assert!(next(&mut ahead).await.is_some());
    assert_eq!(settled(&ahead, &read).await, 1, "taken, none asked for");
    assert!(next(&mut ahead).await.is_some());
    assert_eq!(settled(&ahead, &read).await, 2);
}

#[tokio::test]
async fn a_full_shelf_ends_the_worker_and_half_a_shelf_wakes_it() {
    let pool = BlockingPool::new(1);
    let numbers = Numbers::up_to(200);
    let read = Arc::clone(&numbers.read);
    let mut ahead = Prefetcher::start(pool.clone(), numbers);
    ahead.window(FAR);
    assert!(next(&mut ahead).await.is_some());
    let full = 1 + FAR.ahead;
    assert_eq!(
        settled(&ahead, &read).await,
        full,
        "one taken, the queue full"
    );
    pool.run(|| ()).await;
    assert_eq!(pool.free(), 1, "no permit is held");
    for _ in 0..FAR.ahead / 2 {
        assert!(next(&mut ahead).await.is_some());
        assert_eq!(settled(&ahead, &read).await, full);
    }
    assert!(next(&mut ahead).await.is_some());
    assert_eq!(settled(&ahead, &read).await, full + FAR.ahead / 2 + 1);
}

#[tokio::test]
async fn nothing_follows_an_error() {
    for pool in [BlockingPool::new(1), BlockingPool::inline()] {
        let numbers = Numbers {
            fails_at: Some(4),
            ..Numbers::up_to(200)
        };
        let mut ahead = Prefetcher::start(pool, numbers);
        for _ in 0..4 {
            assert!(matches!(next(&mut ahead).await, Some(Ok(_))));
        }
        assert!(matches!(
            next(&mut ahead).await,
            Some(Err(StoreError::Closed))
        ));
        assert!(next(&mut ahead).await.is_none());
    }
}

#[tokio::test]
async fn a_panic_is_the_callers() {
    let task = tokio::spawn(async move {
        let numbers = Numbers {
            panics_at: Some(2),
            ..Numbers::up_to(200)
        };
        let mut ahead = Prefetcher::start(BlockingPool::new(1), numbers);
        while next(&mut ahead).await.is_some() {}
    });
    let panic = task.await.expect_err("it panics").into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"as asked"), "and no timeout");
}

#[tokio::test]
async fn a_dropped_stream_gives_its_source_back() {
    let numbers = Numbers::up_to(200);
    let read = Arc::downgrade(&numbers.read);
    let mut ahead = Prefetcher::start(BlockingPool::new(1), numbers);
    ahead.window(FAR);
    assert!(next(&mut ahead).await.is_some());
    drop(ahead);
    let gone = async {
        while read.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(20), gone)
            .await
            .is_ok()
    );
}
