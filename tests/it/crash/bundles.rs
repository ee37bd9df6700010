//! Bundles that are imported while the server is killed: each import is there as a whole or not at
//! all.

use deskplane_proto::v1::{
    self, ListQueuesRequest, queue_service_client::QueueServiceClient,
    transfer_service_client::TransferServiceClient,
};
use futures_util::stream;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};
use tonic::transport::Channel;

/// Objects of a bundle.
const OBJECTS: usize = 400;

/// Imports: each overwrites the same queues with its number.
#[derive(Debug, Default)]
pub(super) struct Bundles {
    /// Number of the last one that was sent.
    pub(super) sent: u32,
    /// Number of the last one that was acknowledged, or found.
    pub(super) acknowledged: u32,
}

/// An importer at work on one server.
pub(super) struct Importing {
    importer: JoinHandle<u32>,
    acknowledged: watch::Receiver<u32>,
    before: u32,
}

fn bundle(number: u32) -> Vec<u8> {
    let text = format!("{number} {}", "x".repeat(500));
    let queues: Vec<_> = (0..OBJECTS)
        .map(|at| {
            json!({"unique_name": format!("pack_{at}"), "display_name": "Q",
                "kind": "QUEUE_KIND_VOICE", "description": text})
        })
        .collect();
    let version = number.to_string();
    let objects = json!({"queues": queues});
    json!({"format_version": 1, "name": "crash_pack", "version": version, "objects": objects})
        .to_string()
        .into_bytes()
}

/// Imports bundle `number`; whether that was acknowledged.
async fn import(client: &mut TransferServiceClient<Channel>, number: u32) -> bool {
    let options = v1::ImportOptions {
        on_existing: v1::OnExisting::Overwrite.into(),
        managed: true,
        ..Default::default()
    };
    let first = v1::ImportRequest { options: Some(options), ..Default::default() };
    let bundle = bundle(number);
    let chunks = bundle
        .chunks(64 << 10)
        .map(|chunk| v1::ImportRequest { chunk: chunk.to_vec().into(), ..Default::default() });
    let messages: Vec<_> = std::iter::once(first).chain(chunks).collect();
    client.import(stream::iter(messages)).await.is_ok()
}

impl Bundles {
    /// Imports until the server is gone.
    pub(super) fn begin(&self, channel: Channel) -> Importing {
        let (mut sent, before) = (self.sent, self.acknowledged);
        let (sender, acknowledged) = watch::channel(before);
        let mut client = TransferServiceClient::new(channel);
        let importer = tokio::spawn(async move {
            loop {
                sent += 1;
                if !import(&mut client, sent).await {
                    return sent;
                }
                sender.send_replace(sent);
            }
        });
        Importing { importer, acknowledged, before }
    }

    /// Notes what was acknowledged, once the server is gone.
    pub(super) async fn end(&mut self, importing: Importing) {
        self.sent = importing.importer.await.unwrap();
        self.acknowledged = *importing.acknowledged.borrow();
    }

    /// Looks for the objects of the newest bundle: all of one import, which is the last acknowledged
    /// one or the one that nobody was answered for.
    pub(super) async fn check(&mut self, channel: Channel) {
        let q = ListQueuesRequest {
            page_size: 1_000,
            filter: "bundle = \"crash_pack\"".into(),
            ..Default::default()
        };
        let page = QueueServiceClient::new(channel).list_queues(q).await.unwrap().into_inner();
        let numbers: std::collections::BTreeSet<u32> = page
            .queues
            .iter()
            .map(|queue| {
                let number = queue.description.split(' ').next().unwrap();
                assert_eq!(queue.bundle_version, number);
                number.parse().unwrap()
            })
            .collect();
        match (page.queues.len(), numbers.first()) {
            (0, None) => assert_eq!(self.acknowledged, 0, "an acknowledged bundle is lost"),
            (OBJECTS, Some(&number)) => {
                assert_eq!(numbers.len(), 1, "parts of several imports: {numbers:?}");
                let allowed = self.acknowledged..=self.sent;
                assert!(allowed.contains(&number), "{number} is none of {allowed:?}");
                self.acknowledged = number;
            }
            (count, _) => panic!("{count} of {OBJECTS} objects"),
        }
    }
}

impl Importing {
    /// Waits until one more was acknowledged.
    pub(super) async fn first(&self) {
        let (mut acknowledged, before) = (self.acknowledged.clone(), self.before);
        acknowledged.wait_for(|number| *number > before).await.unwrap();
    }
}
