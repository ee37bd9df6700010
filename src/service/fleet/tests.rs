//! Pages of the fleet over more clients than one page examines.

use super::*;
use crate::{
    clock::Clock,
    domain::{App, NoDeliveryLog, Time, UserId},
    live::{Fleet, Report, ReportStatus},
};

const CLIENTS: usize = 25;

fn fleet() -> Fleet {
    let clock = Clock::new(|| Time::from_micros(1), uuid::Uuid::new_v4);
    let fleet = Fleet::new(clock, Arc::new(NoDeliveryLog));
    for at in 0..CLIENTS {
        let report = Report {
            user: UserId::parse(&format!("agent{at:02}")).unwrap(),
            app: App::Workspace,
            client_id: "desk".to_owned(),
            revision: 1,
            digest: "d1:0".to_owned(),
            status: ReportStatus::Applied,
        };
        assert_eq!(fleet.report(report, 1, None), Ok(false));
    }
    fleet
}

/// Reads all pages; answers the users, and how many pages there were.
fn pages(size: usize, most: usize, fits: impl Fn(&ClientStatus) -> bool) -> (Vec<String>, usize) {
    let (fleet, mut users, mut after) = (fleet(), Vec::new(), None);
    for count in 1.. {
        let statuses = fleet.statuses(after.as_ref().and_then(convert::place), 1);
        let (mut rows, examined) = rows(statuses, size, most, &fits);
        let more = rows.len() > size;
        rows.truncate(size);
        after = match more {
            true => rows.last().map(|(position, _)| position.clone()),
            false => examined,
        };
        users.extend(rows.into_iter().map(|(_, row)| row.user));
        if after.is_none() {
            return (users, count);
        }
    }
    unreachable!("there is a last page");
}

#[test]
fn s10_8_pages_that_examine_some_clients_hold_all_that_fit_once_and_in_order() {
    let name = |at: &usize| format!("users/agent{at:02}");
    let all: Vec<_> = (0..CLIENTS).collect();
    let third: Vec<_> = all.iter().copied().filter(|at| at % 3 == 2).collect();
    let last: Vec<_> = vec![CLIENTS - 1];
    for most in [1, 2, 7, CLIENTS - 1, CLIENTS, CLIENTS + 1] {
        for size in [1, 4, CLIENTS, 100] {
            for want in [&all, &third, &last, &Vec::new()] {
                let want: Vec<_> = want.iter().map(name).collect();
                let fits = |status: &ClientStatus| {
                    want.contains(&format!("users/{}", status.user.as_str()))
                };
                let (users, count) = pages(size, most, fits);
                assert_eq!(users, want, "{size} rows a page, {most} examined");
                assert!(count <= want.len() / size + CLIENTS / most + 2, "{count} pages");
            }
        }
    }
}
