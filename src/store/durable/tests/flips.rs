//! Single bits turned over: a start is refused with the cure or right, and the doctor knows. Places
//! are taken in turn from the regions of the format, so that none is left to chance.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::{
    machine::{Machine, Recording, scratch},
    *,
};
use crate::store::io::fault::Snapshot;

const RECORDING: Recording = Recording { name: "flips", group: 2, ..super::power::OVERWRITE };

/// Reserved bytes that nothing was written to, of a segment that another follows, and of the last.
const SEALED: &str = "slack of a sealed segment";
const UNUSED: &str = "unused tail";

/// Names of the regions of a checkpoint.
const CHECKPOINT: [&str; 6] = [
    "checkpoint header",
    "block length",
    "block sum",
    "block",
    "trailer",
    "last byte of a checkpoint",
];
/// Names of the regions of a history file.
const HISTORY: [&str; 6] = [
    "history header",
    "block length of history",
    "block sum of history",
    "block of history",
    "trailer of history",
    "last byte of history",
];

/// A part of a file that bits are turned over in.
#[derive(Debug, Clone)]
struct Region {
    name: &'static str,
    path: PathBuf,
    bytes: std::ops::Range<usize>,
}

/// A store that was left in some way, and what is to be found on it.
struct Left {
    disk: Snapshot,
    /// What a start serves, and what it serves when the last group is taken for a torn one.
    whole: Loaded,
    without_last: Loaded,
    regions: Vec<Region>,
    closed: bool,
}

/// What came of the flips in regions of one name.
#[derive(Debug, Default)]
struct Found {
    flips: u32,
    /// Starts that were refused, with file and cure.
    refused: u32,
    /// Starts with exactly the right content.
    right: u32,
    /// Starts without the last group: the place of a flip in it cannot be told from a torn write.
    torn: u32,
    /// Flips that the doctor found.
    seen: u32,
}

/// A store with segments, two checkpoints and all marks: stopped, or left by a power cut that kept
/// everything.
async fn left(closed: bool) -> Left {
    let (mut machine, mut random) = (Machine::new(&RECORDING), Rng::with_seed(3));
    let covered = |machine: &Machine| {
        let newest = checkpoint::list(&machine.disk, Path::new("/data/checkpoint")).unwrap().pop();
        newest == Some(machine.acknowledged)
    };
    // A last group that no checkpoint has is the only one that a flip may make look torn.
    let more = std::iter::repeat(if closed { 20 } else { 1 });
    for (life, groups) in [20, 20].into_iter().chain(more).enumerate() {
        let local = scratch();
        let store = machine.open(local.path()).await.unwrap();
        machine.judge(&store).await;
        machine.live(&store, &mut random, groups).await;
        if life == 0 || closed {
            store.close().await.unwrap();
        }
        drop(store);
        // How much the index takes at once, and so where checkpoints lie, is a matter of time.
        if life > 0 && covered(&machine) == closed && machine.disk.files().len() > 6 {
            break;
        }
    }
    machine.lose_power(&mut random, 1.0);
    let (disk, local) = (machine.disk.snapshot(), scratch());
    let whole = machine.open(local.path()).await.unwrap().load().await.unwrap();
    let files = Faulty::from(disk.clone()).files();
    let (mut regions, mut last) = (Vec::new(), None);
    for (path, bytes) in &files {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("seg") => last = Some(segment_regions(path, bytes, &mut regions)),
            Some("ckpt") => sorted_regions(path, bytes, &CHECKPOINT, &mut regions),
            Some("hist") => sorted_regions(path, bytes, &HISTORY, &mut regions),
            // What was being written when the store was left.
            Some("tmp") => {}
            Some("mark") => add(&mut regions, path, "mark", 0..bytes.len()),
            _ => panic!("{path:?}"),
        }
    }
    // Files rise by name, so this is the last group of the last segment.
    let (path, group) = last.unwrap();
    for region in regions.iter_mut().filter(|region| region.path == path) {
        if group.contains(&region.bytes.start) {
            region.name = "last group";
        } else if region.name == SEALED {
            region.name = UNUSED;
        }
    }
    let without_last = if closed {
        whole.clone()
    } else {
        machine.disk = Faulty::from(disk.clone());
        let mut file = machine.disk.open(&path).unwrap();
        file.write_at(group.start as u64, &vec![0; group.len()]).unwrap();
        let store = machine.open(scratch().path()).await.unwrap();
        store.load().await.unwrap()
    };
    assert!(whole.revision >= without_last.revision && files.len() > 6, "{:?}", files.keys());
    Left { disk, whole, without_last, regions, closed }
}

fn add(to: &mut Vec<Region>, path: &Path, name: &'static str, bytes: std::ops::Range<usize>) {
    if !bytes.is_empty() {
        to.push(Region { name, path: path.to_owned(), bytes });
    }
}

/// The regions of a segment; its last group.
fn segment_regions(
    path: &Path,
    bytes: &[u8],
    to: &mut Vec<Region>,
) -> (PathBuf, std::ops::Range<usize>) {
    for (from, until) in [(0, 8), (8, 12), (12, 16), (16, 48), (48, 56), (56, 60), (60, 64)] {
        add(to, path, "segment header", from..until);
    }
    let (mut at, mut group, mut last) = (segment::HEADER, segment::HEADER, 0..0);
    while let Some(frame) = frame::parse(&bytes[at..]) {
        add(to, path, "frame length", at..at + 4);
        add(to, path, "frame sum", at + 4..at + 8);
        add(to, path, "frame ids and revisions", at + 8..at + frame::HEAD);
        let end = at + frame::HEAD + frame.payload.len();
        add(to, path, "first byte of a payload", at + frame::HEAD..at + frame::HEAD + 1);
        add(to, path, "payload", at + frame::HEAD..end);
        add(to, path, "last byte of a payload", end - 1..end);
        at += frame.size();
        add(to, path, "padding", end..at);
        if frame.last {
            last = group..at;
            group = at;
        }
    }
    add(to, path, SEALED, at..bytes.len());
    add(to, path, SEALED, at..(at + 1).min(bytes.len()));
    add(to, path, SEALED, (bytes.len() - 1).max(at)..bytes.len());
    (path.to_owned(), last)
}

fn sorted_regions(path: &Path, bytes: &[u8], names: &[&'static str; 6], to: &mut Vec<Region>) {
    let [header, length_of, sum, content, trailer, last] = *names;
    for (from, until) in [(0, 8), (8, 12), (12, 16), (16, 48), (48, 56)] {
        add(to, path, header, from..until);
    }
    let mut at = 56;
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        add(to, path, length_of, at..at + 4);
        add(to, path, sum, at + 4..at + 8);
        let name = if at + 8 + length == bytes.len() { trailer } else { content };
        add(to, path, name, at + 8..at + 8 + length);
        at += 8 + length;
    }
    add(to, path, last, bytes.len() - 1..bytes.len());
}

// === impl Left ===

impl Left {
    /// Turns one bit over, asks the doctor, and starts.
    async fn flip(&self, region: &Region, random: &mut Rng, found: &mut Found) {
        let bit = random.usize(region.bytes.start * 8..region.bytes.end * 8);
        let context = format!("bit {bit} of {:?}, {}", region.path, region.name);
        let (mut machine, local) = (Machine::new(&RECORDING), scratch());
        machine.disk = Faulty::from(self.disk.clone());
        machine.disk.flip_bit(&region.path, bit as u64).unwrap();
        machine.boot = 1_000;
        let before = machine.disk.files();
        let report = doctor::examine_at(&machine.layout(local.path()), None).unwrap();
        assert!(machine.disk.files() == before, "the doctor wrote: {context}");
        let name = region.path.strip_prefix("/data").unwrap().to_str().unwrap();
        let file = report.files.iter().find(|file| file.file == name).unwrap();
        let torn = file.state.starts_with("torn tail");
        found.flips += 1;
        found.seen += u32::from(file.wrong || torn);
        assert!(file.wrong || torn && matches!(region.name, UNUSED | "last group"), "{context}");
        let error = match machine.open(local.path()).await {
            Ok(store) => {
                let loaded = store.load().await.unwrap();
                if loaded == self.whole {
                    found.right += 1;
                } else {
                    let may_be = !self.closed && region.name == "last group" && torn;
                    assert!(may_be && loaded == self.without_last, "served: {context}");
                    found.torn += 1;
                }
                return;
            }
            Err(error) => error,
        };
        found.refused += 1;
        let text = error.to_string();
        let named = [&region.path, region.path.parent().unwrap()]
            .iter()
            .any(|path| text.contains(path.to_str().unwrap()));
        assert!(matches!(error, Error::Damaged(_)) && named && text.contains(CURE), "{text}");
        assert!(machine.disk.files().keys().eq(before.keys()), "{context}");
        if [SEALED, UNUSED].contains(&region.name) {
            // What was refused for a byte that nothing was written to can be made good.
            let layout = machine.layout(local.path());
            doctor::examine_at(&layout, Some(&layout)).unwrap();
            let loaded = machine.open(local.path()).await.unwrap().load().await.unwrap();
            assert!(loaded == self.whole, "lost by the repair: {context}");
        }
    }
}

/// Turns over so many bits, each of another copy, and says what was found.
pub(super) async fn flip_bits(flips: u32) {
    let mut random = Rng::with_seed(u64::from(flips));
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    let lefts = [left(true).await, left(false).await];
    // Names in turn; among those of one name, chance.
    let mut strata: BTreeMap<&str, Vec<(&Left, &Region)>> = BTreeMap::new();
    for left in &lefts {
        for region in &left.regions {
            strata.entry(region.name).or_default().push((left, region));
        }
    }
    let names: Vec<_> = strata.keys().copied().collect();
    for nth in 0..flips as usize {
        let name = names[nth % names.len()];
        let (left, region) = random.choice(&strata[name]).unwrap();
        left.flip(region, &mut random, found.entry(name).or_default()).await;
    }
    let mut sum = Found::default();
    for (name, found) in &found {
        println!("flipped bits, {name}: {found:?}");
        sum.flips += found.flips;
        sum.seen += found.seen;
    }
    println!("flipped bits: {} of {} found, none served", sum.seen, sum.flips);
    assert_eq!((sum.flips, sum.seen), (flips, flips));
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_never_served() {
    flip_bits(500).await;
}
