//! Repairs: what can be kept of a damaged journal, and how it is made to start again. Nothing is
//! deleted but marks: what is cut stays beside as `*.damaged`.

use std::path::{Path, PathBuf};

use super::{Boot, Found, State};
use crate::store::{
    Result, Revision,
    durable::{
        Ids, Layout, files,
        history::{self, Span},
        mark, segment,
    },
    io::Io,
};

/// How a store can start again.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// Revision of the checkpoint that the journal goes on from; 0 without one.
    base: Revision,
    /// The last revision that is kept.
    end: Revision,
    /// First and last revision that are lost.
    lost: Option<(Revision, Revision)>,
    /// First and last segment that are kept; none when the journal starts over behind the base.
    kept: Option<(usize, usize)>,
    /// Those of them that are cut where their groups end.
    cut: Vec<usize>,
}

impl Found {
    /// The way that keeps the most; none when nothing can be kept.
    pub(super) fn plan(&self) -> Option<Plan> {
        if self.hopeless.is_some() {
            return None;
        }
        let whole = self.checkpoints.iter().filter(|kept| kept.whole).map(|kept| kept.at);
        let from_nothing = self.segments.first().is_some_and(|first| first.at == 0);
        let bases = from_nothing.then_some(0).into_iter().chain(whole);
        let mut best: Option<Plan> = None;
        for plan in bases.map(|base| self.plan_from(base)) {
            if best.as_ref().is_none_or(|best| plan.end > best.end) {
                best = Some(plan);
            }
        }
        best.filter(|plan| plan.end > 0)
    }

    fn plan_from(&self, base: Revision) -> Plan {
        let (mut end, mut cut, mut last) = (base, Vec::new(), None);
        let start = self.segments.partition_point(|kept| kept.at <= base).saturating_sub(1);
        for (nth, segment) in self.segments.iter().enumerate().skip(start) {
            let follows = if nth == start { segment.at <= base } else { segment.at == end };
            let Some(to) = segment.last.filter(|_| follows) else { break };
            (end, last) = (to, Some(nth));
            if !segment.whole {
                cut.push(nth);
                // Nothing is missing when the next one goes on from there.
                if self.segments.get(nth + 1).is_none_or(|next| next.at != to) {
                    break;
                }
            }
        }
        let highest = self.segments.iter().chain(&self.checkpoints).map(|kept| kept.highest).max();
        let mut kept = last.filter(|_| end >= base).map(|last| (start, last));
        if let Some((first, _)) = &mut kept {
            while let Some(before) = first.checked_sub(1)
                && self.segments[before].last == Some(self.segments[*first].at)
            {
                // Damage behind its last group takes nothing with it.
                if !self.segments[before].whole {
                    cut.insert(0, before);
                }
                *first = before;
            }
        }
        if kept.is_none() {
            cut.clear();
        }
        let end = end.max(base);
        let lost = highest.filter(|highest| *highest > end).map(|highest| (end + 1, highest));
        Plan { base, end, lost, cut, kept }
    }
}

impl Plan {
    /// What it does, in words.
    pub(super) fn says(&self) -> String {
        let lost = match self.lost {
            Some((first, last)) => format!("losing revisions {first} to {last}"),
            None => "losing nothing that is known of".to_owned(),
        };
        format!("keeps everything up to revision {}, {lost}", self.end)
    }

    /// Does it; what was done, line by line. Interrupted, it can be done again.
    pub(super) fn carry_out(
        &self,
        found: &Found,
        layout: &Layout,
        ids: Ids,
    ) -> Result<Vec<String>> {
        let (io, journal) = (&*layout.io, layout.journal());
        let mut done = vec![self.says()];
        // The index may be ahead of what is kept, so it is rebuilt.
        mark::remove::<State>(io, &layout.folder)?;
        mark::remove::<Boot>(io, &layout.folder)?;
        // From the last one on, so that the damage stays until the end.
        for (nth, segment) in found.segments.iter().enumerate().rev() {
            if self.kept.is_none_or(|(first, last)| nth < first || nth > last) {
                aside(io, &journal, &segment.path, &mut done)?;
            }
        }
        if self.kept.is_none() {
            drop(segment::create(io, &journal, ids, self.base, segment::HEADER as u64)?);
        }
        for segment in self.cut.iter().rev().map(|nth| &found.segments[*nth]) {
            let bytes = files::read(io, &segment.path)?.unwrap_or_default();
            let (name, copy) = (name(&segment.path), self::name(&free_name(io, &segment.path)?));
            files::replace(io, &journal, &copy, &bytes)?;
            files::replace(io, &journal, &name, &bytes[..segment.end.min(bytes.len())])?;
            done.push(format!("cut {name} at byte {}; all of it is in {copy}", segment.end));
        }
        for checkpoint in found.checkpoints.iter().filter(|kept| !kept.whole) {
            aside(io, &layout.checkpoints(), &checkpoint.path, &mut done)?;
        }
        self.close_history(found, layout, ids, &mut done)?;
        Ok(done)
    }

    /// Puts history files aside that cannot be used, and has others stand for what is lost with
    /// them: history then leads without a gap to where the journal that is kept goes on.
    fn close_history(
        &self,
        found: &Found,
        layout: &Layout,
        ids: Ids,
        done: &mut Vec<String>,
    ) -> Result<()> {
        let (io, dir) = (&*layout.io, layout.history());
        let lost = |after, last, done: &mut Vec<String>| -> Result<()> {
            io.make_dir(&dir)?;
            io.sync_dir(&layout.folder)?;
            history::write_lost(io, &dir, ids, Span { after, last })?;
            done.push(format!("the history of revisions {} to {last} is lost", after + 1));
            Ok(())
        };
        let mut end = 0;
        for (span, whole) in &found.history {
            if !whole || span.last > self.end {
                aside(io, &dir, &history::path(&dir, *span), done)?;
                continue;
            }
            if span.after > end {
                lost(end, span.after, done)?;
            }
            end = span.last;
        }
        let first = self.kept.map_or(self.base, |(first, _)| found.segments[first].at);
        if !found.unadopted && first > end {
            lost(end, first, done)?;
        }
        Ok(())
    }
}

/// Puts a file aside.
fn aside(io: &dyn Io, dir: &Path, path: &Path, done: &mut Vec<String>) -> Result<()> {
    let to = free_name(io, path)?;
    io.rename(path, &to)?;
    io.sync_dir(dir)?;
    done.push(format!("put {} aside as {}", name(path), name(&to)));
    Ok(())
}

/// A name ending with `.damaged` that no file has.
fn free_name(io: &dyn Io, path: &Path) -> Result<PathBuf> {
    let taken = files::list_all(io, path.parent().unwrap_or(path))?;
    let mut free = path.with_extension("damaged");
    let mut nth = 1_u32;
    while taken.contains(&free) {
        nth += 1;
        free = path.with_extension(format!("{nth}.damaged"));
    }
    Ok(free)
}

fn name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::Kept, *};

    fn kept(at: Revision, last: Revision, whole: bool) -> Kept {
        let path = PathBuf::from(format!("{at:020}.seg"));
        Kept { path, at, last: Some(last), end: 64, whole, records: 1, highest: last }
    }

    /// A journal that has been trimmed, with a checkpoint where its second segment begins.
    fn found(first: Kept) -> Found {
        Found {
            ids: None,
            files: Vec::new(),
            checkpoints: vec![kept(50, 50, true)],
            history: vec![(Span { after: 0, last: 37 }, true)],
            unadopted: false,
            segments: vec![first, kept(50, 60, true)],
            hopeless: None,
        }
    }

    #[test]
    fn damage_behind_the_last_group_of_an_older_segment_costs_no_history() {
        let plan = found(kept(37, 50, false)).plan().unwrap();
        let want = Plan { base: 50, end: 60, lost: None, kept: Some((0, 1)), cut: vec![0] };
        assert_eq!(plan, want);
        // Where groups are missing, the older segment leads nowhere.
        let plan = found(kept(37, 45, false)).plan().unwrap();
        let want = Plan { base: 50, end: 60, lost: None, kept: Some((1, 1)), cut: vec![] };
        assert_eq!(plan, want);
        let plan = found(kept(37, 50, true)).plan().unwrap();
        let want = Plan { base: 50, end: 60, lost: None, kept: Some((0, 1)), cut: vec![] };
        assert_eq!(plan, want);
    }
}
