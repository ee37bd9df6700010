//! What a file holds: for the process, and on the platter.

use std::{collections::BTreeMap, fmt, io, sync::Arc};

use fastrand::Rng;

/// Bytes that travel to the platter together, most of the time.
pub(super) const PAGE: usize = 4_096;
/// Bytes that always travel together.
pub(super) const SECTOR: usize = 512;
/// Most older versions of an unsynced page that a power cut may leave.
const VERSIONS: usize = 3;

type Page = [u8; PAGE];

/// Bytes in pages; a page that is not there is zeros, and so is what follows the end.
#[derive(Clone, Default)]
pub(super) struct Pages {
    len: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

/// A file, as the process sees it and as a power cut would find it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Data {
    seen: Pages,
    platter: Pages,
    /// Unsynced pages, each with the older versions that may have travelled already.
    dirty: BTreeMap<u64, Vec<Arc<Page>>>,
    /// Whether the length is unsynced.
    grown: bool,
}

// === impl Pages ===

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages: Vec<_> = self.pages.keys().collect();
        f.debug_struct("Pages").field("len", &self.len).field("pages", &pages).finish()
    }
}

impl PartialEq for Pages {
    fn eq(&self, other: &Self) -> bool {
        let mut pages = self.pages.keys().chain(other.pages.keys());
        self.len == other.len && pages.all(|at| self.page(*at) == other.page(*at))
    }
}

impl Pages {
    fn page(&self, at: u64) -> Arc<Page> {
        self.pages.get(&at).cloned().unwrap_or_else(|| Arc::new([0; PAGE]))
    }

    fn page_mut(&mut self, at: u64) -> &mut Page {
        Arc::make_mut(self.pages.entry(at).or_insert_with(|| Arc::new([0; PAGE])))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if !buffer.is_empty() && end(offset, buffer.len()) > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (page, from, len, at) in spans(offset, buffer.len()) {
            match self.pages.get(&page) {
                Some(page) => buffer[at..at + len].copy_from_slice(&page[from..from + len]),
                None => buffer[at..at + len].fill(0),
            }
        }
        Ok(())
    }

    /// Forgets what lies behind the end.
    fn trim(&mut self) {
        let (last, rest) = (self.len / PAGE as u64, (self.len % PAGE as u64) as usize);
        self.pages.split_off(&(last + u64::from(rest > 0)));
        if self.pages.get(&last).is_some_and(|page| page[rest..].iter().any(|byte| *byte != 0)) {
            self.page_mut(last)[rest..].fill(0);
        }
    }
}

// === impl Data ===

impl Data {
    /// A file all of which is on the platter.
    pub(super) fn settled(pages: Pages) -> Self {
        Self { seen: pages.clone(), platter: pages, ..Self::default() }
    }

    pub(super) fn len(&self) -> u64 {
        self.seen.len
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.seen.read(offset, buffer)
    }

    /// Everything the process sees of it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.seen.len as usize];
        for (page, from, len, at) in spans(0, bytes.len()) {
            if let Some(page) = self.seen.pages.get(&page) {
                bytes[at..at + len].copy_from_slice(&page[from..from + len]);
            }
        }
        bytes
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (page, from, len, at) in spans(offset, bytes.len()) {
            match self.dirty.get_mut(&page) {
                Some(older) if older.len() < VERSIONS => older.push(self.seen.page(page)),
                Some(_) => {}
                None => drop(self.dirty.insert(page, Vec::new())),
            }
            self.seen.page_mut(page)[from..from + len].copy_from_slice(&bytes[at..at + len]);
        }
        if !bytes.is_empty() {
            self.grow(end(offset, bytes.len()));
        }
    }

    /// Makes the file this long unless it is longer.
    pub(super) fn grow(&mut self, len: u64) {
        self.seen.len = self.seen.len.max(len);
        self.grown |= len > self.platter.len;
    }

    /// Moves data and length to the platter.
    pub(super) fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty).into_keys() {
            self.platter.pages.insert(page, self.seen.page(page));
        }
        if std::mem::take(&mut self.grown) {
            self.platter.len = self.seen.len;
        }
        self.platter.trim();
    }

    /// Takes for synced what is not, as a system does after it told of a failed sync.
    pub(super) fn lose(&mut self) {
        self.dirty.clear();
        self.grown = false;
    }

    /// Turns one bit over, for the process and on the platter; false behind the end.
    pub(super) fn flip(&mut self, bit: u64) -> bool {
        let (page, at) = (bit / 8 / PAGE as u64, (bit / 8 % PAGE as u64) as usize);
        if bit / 8 >= self.seen.len {
            return false;
        }
        self.seen.page_mut(page)[at] ^= 1 << (bit % 8);
        if bit / 8 < self.platter.len {
            self.platter.page_mut(page)[at] ^= 1 << (bit % 8);
        }
        true
    }

    /// What a power cut leaves when everything unsynced is kept with this probability.
    pub(super) fn cut(&self, random: &mut Rng, keep: f64) -> Pages {
        let mut left = self.platter.clone();
        if self.grown && chance(random, keep) {
            left.len = match odd(random, keep) {
                true => random.u64(self.platter.len..=self.seen.len),
                false => self.seen.len,
            };
        }
        for (&page, older) in &self.dirty {
            if chance(random, keep) {
                let mut new = self.seen.page(page);
                if odd(random, keep) {
                    if let Some(older) = random.choice(older) {
                        new = Arc::clone(older);
                    }
                    tear(random, &mut new, &self.platter.page(page));
                }
                left.pages.insert(page, new);
            }
        }
        left.trim();
        left
    }
}

/// Puts the old sectors before or after some boundary back into a page.
fn tear(random: &mut Rng, new: &mut Arc<Page>, old: &Page) {
    let boundary = random.usize(0..=PAGE / SECTOR) * SECTOR;
    let torn = if random.bool() { boundary..PAGE } else { 0..boundary };
    Arc::make_mut(new)[torn.clone()].copy_from_slice(&old[torn]);
}

/// Whether something of this probability happens.
pub(super) fn chance(random: &mut Rng, probability: f64) -> bool {
    random.f64() < probability
}

/// Whether what is kept is not kept whole: never when everything is.
fn odd(random: &mut Rng, keep: f64) -> bool {
    keep < 1.0 && random.u8(..4) == 0
}

fn end(offset: u64, len: usize) -> u64 {
    offset.saturating_add(len as u64)
}

/// The pages of a range: each with where it begins in the page, how long it is and where it begins
/// in the range.
fn spans(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let position = offset + at as u64;
        let from = (position % PAGE as u64) as usize;
        let step = (PAGE - from).min(len - at);
        let span = (position / PAGE as u64, from, step, at);
        at += step;
        (step > 0).then_some(span)
    })
}
