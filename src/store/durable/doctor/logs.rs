//! The logs, for the doctor. Nothing of them keeps a server from starting, and nothing needs a hand: what
//! is damaged in them costs its own entries.

use super::{Examined, Found, Ids, Layout, OK};
use crate::store::{
    Error, Result,
    durable::{files, logs},
};

impl Found {
    /// Lists the files of the logs.
    pub(super) fn logs(&mut self, layout: &Layout, ids: Ids) -> Result<()> {
        for path in files::list_all(&*layout.io, &layout.logs())? {
            if logs::named(&path).is_none() {
                continue;
            }
            let bytes = files::read(&*layout.io, &path)?.unwrap_or_default();
            let found = logs::frames(&bytes);
            let state = match logs::check(&path, &bytes, ids) {
                Err(Error::NewerFormat { found, .. }) => format!("newer format {found}"),
                Err(_) => "no log of this store".to_owned(),
                Ok(()) => match (found.damaged, found.torn) {
                    (Some(byte), _) => format!("damaged at byte {byte}: those entries are lost"),
                    (None, Some(byte)) => format!("torn tail at byte {byte}"),
                    (None, None) => OK.to_owned(),
                },
            };
            let records = found.good.iter().map(|frame| u64::from(frame.count)).sum();
            let file = path.strip_prefix(&layout.folder).unwrap_or(&path).display().to_string();
            let bytes = bytes.len() as u64;
            let records = Some(records);
            self.files.push(Examined {
                file,
                revisions: None,
                records,
                bytes,
                state,
                wrong: false,
            });
        }
        Ok(())
    }
}
