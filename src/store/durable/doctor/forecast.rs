//! What the next start would do with a store, and what is advised.

use super::{Examined, Found, Health, Report};
use crate::store::{
    Error, Result,
    durable::{CURE, Ids, Layout, Settings, boot::Recovery, damaged},
};

impl Found {
    pub(super) fn report(&self, layout: &Layout) -> Report {
        let foreseen = match (&self.hopeless, self.ids) {
            (None, Some(ids)) => self.foresee(layout, ids),
            (why, _) => Err(Error::Refused(why.clone().unwrap_or_default())),
        };
        let wrong = self.files.iter().any(|file| file.wrong);
        let (health, next_start) = match foreseen {
            Ok(start) if wrong => (Health::NeedsAttention, start),
            Ok(start) => (Health::Healthy, start),
            Err(why) => {
                let why = why.to_string();
                let why = why.strip_suffix(CURE).unwrap_or(&why);
                (Health::RefusesToStart, format!("refused: {why}"))
            }
        };
        Report {
            folder: layout.folder.clone(),
            store: self.ids.map(|ids| ids.store),
            incarnation: self.ids.map(|ids| ids.incarnation),
            files: self.files.clone(),
            health,
            next_start,
            advice: self.advice(health),
            repaired: Vec::new(),
        }
    }

    /// What the next start does, as far as it shows without opening the index.
    fn foresee(&self, layout: &Layout, ids: Ids) -> Result<String> {
        let settings = Settings::default();
        let recovery = Recovery::inspect(layout, &settings, ids)?;
        let scan = recovery.scan()?;
        let torn = match scan.torn() {
            true => "cuts a group that was being written and was never answered, ",
            false => "",
        };
        if let Some(at) = recovery.closed_at {
            let index =
                if recovery.indexed { "" } else { "; the index catches up behind the start" };
            return Ok(format!("clean: the store was closed at revision {at}{index}"));
        }
        if recovery.same_boot {
            let end = scan.end;
            return Ok(format!("{torn}opens the index, which replays the journal up to {end}"));
        }
        let good = self.checkpoints.iter().filter(|kept| kept.whole && kept.at >= scan.from);
        let base = good.map(|kept| kept.at).max().or((scan.from == 0).then_some(0));
        let base = base
            .ok_or_else(|| damaged(&layout.checkpoints(), 0, "no checkpoint fits the journal"))?;
        let above = scan.sizes.iter().filter(|(at, _)| *at > base).count();
        Ok(format!(
            "{torn}reads the state from {}, replays {above} groups up to revision {}, and builds the \
             index behind the start",
            if base == 0 { "nothing".to_owned() } else { format!("the checkpoint of {base}") },
            scan.end
        ))
    }

    fn advice(&self, health: Health) -> Vec<String> {
        match (health, self.plan()) {
            (Health::Healthy, _) => Vec::new(),
            (Health::NeedsAttention, _) => {
                vec![
                    "make a backup now: the next start does not need what is wrong".to_owned(),
                    "`deskplane doctor --repair` puts aside what is wrong".to_owned(),
                ]
            }
            (Health::RefusesToStart, Some(plan)) => {
                let backup = "restore a backup, if it has more than the repair leaves".to_owned();
                vec![backup, format!("or `deskplane doctor --repair`, which {}", plan.says())]
            }
            (Health::RefusesToStart, None) if self.files.iter().any(Examined::is_newer) => {
                vec!["use the newer program that wrote it".to_owned()]
            }
            (Health::RefusesToStart, None) => vec!["restore a backup".to_owned()],
        }
    }
}

impl Examined {
    fn is_newer(&self) -> bool {
        self.state.starts_with("newer format")
    }
}
