//! A file system in memory that fails as disks do.
//!
//! Fault model. Content: what was written is visible at once; it survives a crash for certain only after a sync that
//! succeeded. At a crash each write since then is kept, lost, cut off at any byte, or kept in some of its 64-byte
//! pieces, independently of the others. A sync that fails *drops* what was pending from what will ever become durable, while reads go on
//! showing it, and later syncs succeed: as Linux does. Folders: creations, moves and removals become durable in
//! their order; at a crash any number of the last ones is lost. Reads never fail unless told to.
//!
//! Every call that changes something is numbered; a plan says what happens at which number.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::journal::fs::{File, Fs};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Fault {
    /// The machine stops: this call and all later ones fail.
    Crash,
    /// The call fails with an I/O error.
    Error,
    /// The call fails because the disk is full.
    DiskFull,
    /// A write writes only half of its bytes and says so.
    Short,
}

#[derive(Clone, Debug)]
enum DirChange {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    visible: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    pending: Vec<(PathBuf, DirChange)>,
    dirs: Vec<PathBuf>,
    calls: u64,
    plan: HashMap<u64, Fault>,
    crashed: bool,
    free_bytes: u64,
    /// Offsets, in every file, that can't be read.
    bad_sectors: Vec<std::ops::Range<u64>>,
    retried_syncs: u64,
    log: Vec<String>,
}

/// The file system; clones are the same one.
#[derive(Clone, Debug)]
pub(in crate::journal) struct SimFs(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimFile {
    fs: SimFs,
    inode: usize,
    /// A sync through this descriptor has failed.
    sync_failed: AtomicBool,
}

impl SimFile {
    fn open(fs: &SimFs, inode: usize) -> Arc<dyn File> {
        Arc::new(Self { fs: fs.clone(), inode, sync_failed: AtomicBool::new(false) })
    }
}

fn write_into(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

fn apply(map: &mut BTreeMap<PathBuf, usize>, change: &DirChange) {
    match change {
        DirChange::Link(path, inode) => {
            map.insert(path.clone(), *inode);
        }
        DirChange::Unlink(path) => {
            map.remove(path);
        }
        DirChange::Rename(from, to) => {
            if let Some(inode) = map.remove(from) {
                map.insert(to.clone(), inode);
            }
        }
    }
}

/// Numbers that look random; the same for the same seed.
pub(in crate::journal) fn random(seed: &mut u64) -> u64 {
    // splitmix64
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl SimFs {
    pub(in crate::journal) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { free_bytes: u64::MAX, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Calls so far.
    pub(in crate::journal) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Has `fault` happen at call number `call` (the first one is 0).
    pub(in crate::journal) fn plan(&self, call: u64, fault: Fault) {
        self.state().plan.insert(call, fault);
    }

    pub(in crate::journal) fn set_free_bytes(&self, free: u64) {
        self.state().free_bytes = free;
    }

    /// Makes every read fail that touches `offsets` of any file.
    pub(in crate::journal) fn spoil(&self, offsets: std::ops::Range<u64>) {
        self.state().bad_sectors.push(offsets);
    }

    /// Syncs through a descriptor that a sync had failed through before.
    pub(in crate::journal) fn retried_syncs(&self) -> u64 {
        self.state().retried_syncs
    }

    /// What every call was, for messages of failed tests.
    pub(in crate::journal) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub(in crate::journal) fn is_crashed(&self) -> bool {
        self.state().crashed
    }

    /// The machine comes back after losing power: of what was not durable, chance (`seed`) decides.
    pub(in crate::journal) fn restart(&self, mut seed: u64) {
        let mut state = self.state();
        let state = &mut *state;
        for inode in &mut state.inodes {
            for (at, bytes) in std::mem::take(&mut inode.pending) {
                match random(&mut seed) % 4 {
                    0 => {}
                    1 => write_into(&mut inode.durable, at, &bytes),
                    2 => {
                        let kept = random(&mut seed) as usize % (bytes.len() + 1);
                        write_into(&mut inode.durable, at, &bytes[..kept]);
                    }
                    _ => {
                        for (index, piece) in bytes.chunks(64).enumerate() {
                            if !random(&mut seed).is_multiple_of(8) {
                                write_into(&mut inode.durable, at + index * 64, piece);
                            }
                        }
                    }
                }
            }
            inode.visible.clone_from(&inode.durable);
        }
        let pending = std::mem::take(&mut state.pending);
        let kept = random(&mut seed) as usize % (pending.len() + 1);
        for (_, change) in &pending[..kept] {
            apply(&mut state.durable, change);
        }
        state.visible = state.durable.clone();
        state.crashed = false;
        state.plan.clear();
    }

    /// The process comes back, the machine never stopped: everything visible stays.
    pub(in crate::journal) fn restart_process(&self) {
        let mut state = self.state();
        state.crashed = false;
        state.plan.clear();
    }

    /// Paths of the files below `dir`.
    pub(in crate::journal) fn files(&self, dir: &Path) -> Vec<PathBuf> {
        self.state().visible.keys().filter(|path| path.starts_with(dir)).cloned().collect()
    }

    pub(in crate::journal) fn read(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        state.inodes[state.visible[path]].visible.clone()
    }

    /// Replaces the content of a file, durably.
    pub(in crate::journal) fn put(&self, path: &Path, content: &[u8]) {
        let mut state = self.state();
        let state = &mut *state;
        let inode = *state.visible.entry(path.to_owned()).or_insert_with(|| {
            state.inodes.push(Inode::default());
            state.inodes.len() - 1
        });
        state.durable.insert(path.to_owned(), inode);
        state.inodes[inode].visible = content.to_vec();
        state.inodes[inode].durable = content.to_vec();
        state.inodes[inode].pending.clear();
    }

    /// Removes a file, durably.
    pub(in crate::journal) fn take(&self, path: &Path) {
        let mut state = self.state();
        state.visible.remove(path);
        state.durable.remove(path);
    }

    /// Another file system with the same durable content.
    pub(in crate::journal) fn copy(&self) -> Self {
        let state = self.state();
        let copy = Self::new();
        {
            let mut to = copy.state();
            to.inodes = state
                .inodes
                .iter()
                .map(|inode| Inode {
                    visible: inode.visible.clone(),
                    durable: inode.durable.clone(),
                    ..Inode::default()
                })
                .collect();
            to.visible = state.visible.clone();
            to.durable = state.durable.clone();
            to.dirs = state.dirs.clone();
        }
        copy
    }

    /// Counts a call and says what the plan has for it.
    fn call(&self, what: impl FnOnce() -> String) -> io::Result<(MutexGuard<'_, State>, bool)> {
        let mut state = self.state();
        if state.crashed {
            return Err(io::Error::other("crashed"));
        }
        let number = state.calls;
        state.calls += 1;
        let fault = state.plan.get(&number).copied();
        let text = what();
        state
            .log
            .push(format!("{number} {text} {}", fault.map_or(String::new(), |fault| format!("{fault:?}"))));
        match fault {
            Some(Fault::Crash) => {
                state.crashed = true;
                Err(io::Error::other("crashed"))
            }
            Some(Fault::Error) => Err(io::Error::other("injected")),
            Some(Fault::DiskFull) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Short) => Ok((state, true)),
            None => Ok((state, false)),
        }
    }

    fn change(&self, what: &str, path: &Path, change: DirChange) -> io::Result<()> {
        let dir = path.parent().unwrap().to_owned();
        let (mut state, _) = self.call(|| format!("{what} {}", path.display()))?;
        let state = &mut *state;
        apply(&mut state.visible, &change);
        state.pending.push((dir, change));
        Ok(())
    }
}

impl Fs for SimFs {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let (mut state, _) = self.call(|| format!("create {}", path.display()))?;
        let state = &mut *state;
        if state.visible.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.visible.insert(path.to_owned(), inode);
        state.pending.push((path.parent().unwrap().to_owned(), DirChange::Link(path.to_owned(), inode)));
        Ok(SimFile::open(self, inode))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let state = self.state();
        let inode = *state.visible.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(SimFile::open(self, inode))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        let state = self.state();
        let here = state.visible.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(here
            .map(|(path, &inode)| {
                (
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    state.inodes[inode].visible.len() as u64,
                )
            })
            .collect())
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let here = state.dirs.iter().filter(|path| path.parent() == Some(dir));
        Ok(here.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change("rename", to, DirChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change("remove", path, DirChange::Unlink(path.to_owned()))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.state().dirs.retain(|path| path != dir);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (mut state, _) = self.call(|| format!("sync dir {}", dir.display()))?;
        let state = &mut *state;
        for (_, change) in state.pending.extract_if(.., |(at, _)| at == dir) {
            apply(&mut state.durable, &change);
        }
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.dirs.iter().any(|path| path == dir) {
            state.dirs.push(dir.to_owned());
        }
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.state().free_bytes)
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        Ok(Box::new(()))
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.fs.state();
        let content = &state.inodes[self.inode].visible;
        let from = (offset as usize).min(content.len());
        let len = buffer.len().min(content.len() - from);
        let (first, end) = (from as u64, (from + len) as u64);
        if state.bad_sectors.iter().any(|bad| first < bad.end && bad.start < end) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        buffer[..len].copy_from_slice(&content[from..from + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let inode = self.inode;
        let (mut state, short) = self.fs.call(|| format!("write #{inode} {}+{}", offset, bytes.len()))?;
        let bytes = if short { &bytes[..bytes.len().div_ceil(2)] } else { bytes };
        let inode = &mut state.inodes[inode];
        write_into(&mut inode.visible, offset as usize, bytes);
        inode.pending.push((offset as usize, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        let index = self.inode;
        let result = self.fs.call(|| format!("sync #{index}"));
        let mut state = match result {
            Ok((state, _)) => state,
            Err(error) => {
                let mut state = self.fs.state();
                if !state.crashed {
                    self.sync_failed.store(true, Relaxed);
                    state.inodes[index].pending.clear();
                }
                return Err(error);
            }
        };
        state.retried_syncs += u64::from(self.sync_failed.load(Relaxed));
        let inode = &mut state.inodes[index];
        for (at, bytes) in std::mem::take(&mut inode.pending) {
            write_into(&mut inode.durable, at, &bytes);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.fs.state().inodes[self.inode].visible.len() as u64)
    }
}
