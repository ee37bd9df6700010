//! Every RPC of the API stands in the table of scopes, and nothing else does.

use std::collections::BTreeSet;

use deskplane::auth::{RPCS, Rpc};
use prost::Message;
use prost_types::FileDescriptorSet;

/// The paths that the descriptors of the API hold.
fn served() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(deskplane_proto::FILE_DESCRIPTOR_SET).unwrap().file;
    let api = files.iter().filter(|file| file.package() == "deskplane.v1");
    api.flat_map(|file| file.service.iter())
        .flat_map(|service| {
            service
                .method
                .iter()
                .map(|method| format!("deskplane.v1.{}/{}", service.name(), method.name()))
        })
        .collect()
}

#[test]
fn the_table_has_one_row_per_rpc() {
    let rows: BTreeSet<_> = RPCS.iter().map(|rpc| rpc.path.to_owned()).collect();
    assert_eq!(rows, served());
    assert_eq!(rows.len(), RPCS.len(), "a path stands twice");
}

#[test]
fn every_row_is_found_by_its_path() {
    for rpc in RPCS {
        assert_eq!(Rpc::find(rpc.path), Some(rpc));
        assert_eq!(Rpc::find(&format!("/{}", rpc.path)), Some(rpc));
    }
    assert_eq!(Rpc::find("deskplane.v1.ProfileService/Nothing"), None);
}
