//! Syncs data to disk while the program reads, hashes and checks, so that little is left at the end.
//!
//! One thread syncs the file on request. [`WriteBehind::finish`] returns the error of a failed sync: the kernel reports it only
//! once, so a later sync of the same file would succeed.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use crate::error::{RestoreError, TargetError};

/// The thread; it is always joined at the end.
#[derive(Debug)]
pub(crate) struct WriteBehind {
    nudges: Option<SyncSender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    path: PathBuf,
}

impl WriteBehind {
    /// Starts the thread for `file`; errors contain `path`.
    pub(crate) fn start(file: &File, path: &Path) -> Result<Self, RestoreError> {
        let file = file
            .try_clone()
            .map_err(|source| TargetError::io("opening", path, source))?;
        // One request waits while another is processed; more are not needed.
        let (nudges, inbox) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("write-behind".to_owned())
            .spawn(move || sync_when(&inbox, &file))
            .map_err(RestoreError::Start)?;
        Ok(Self {
            nudges: Some(nudges),
            thread: Some(thread),
            path: path.to_owned(),
        })
    }

    /// Requests a sync of the bytes so far. Never waits.
    pub(crate) fn request_sync(&self) {
        if let Some(nudges) = &self.nudges {
            // Full: the waiting sync will include these bytes. Disconnected: a sync failed, and `finish` reports it.
            let _nothing_new = nudges.try_send(());
        }
    }

    /// Waits for the requested syncs.
    ///
    /// # Errors
    /// A sync failed.
    pub(crate) fn finish(mut self) -> Result<(), TargetError> {
        match self.join() {
            Some(Err(source)) => Err(TargetError::io("syncing", &self.path, source)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn join(&mut self) -> Option<io::Result<()>> {
        drop(self.nudges.take());
        let thread = self.thread.take()?;
        Some(thread.join().expect("syncing does not panic"))
    }
}

impl Drop for WriteBehind {
    /// Dropped because of another error; the file is removed with its staging directory.
    fn drop(&mut self) {
        let _undone = self.join();
    }
}

fn sync_when(inbox: &Receiver<()>, file: &File) -> io::Result<()> {
    inbox.iter().try_for_each(|()| file.sync_data())
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    /// A file that cannot be synced: one end of a pipe.
    #[test]
    fn a_failed_sync_is_told_at_the_end_and_stops_nobody_before() -> Result<(), RestoreError> {
        let (_reader, writer) = io::pipe().expect("a pipe");
        let behind =
            WriteBehind::start(&File::from(OwnedFd::from(writer)), Path::new("/target/db"))?;
        for _ in 0..100 {
            behind.request_sync();
        }
        let error = behind.finish().expect_err("a pipe has no disk");
        assert!(error.to_string().contains("/target/db"), "{error}");
        Ok(())
    }

    #[test]
    fn without_a_nudge_nothing_is_synced() -> Result<(), RestoreError> {
        let (_reader, writer) = io::pipe().expect("a pipe");
        WriteBehind::start(&File::from(OwnedFd::from(writer)), Path::new("x"))?.finish()?;
        Ok(())
    }
}
