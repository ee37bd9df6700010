//! The descriptors of the API: what its services, messages and fields are called, and how they are
//! encoded.

use std::sync::LazyLock;

use deskplane_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::DescriptorPool;

/// The API that this program was built with, and all that it imports. The first look takes
/// milliseconds; a clone shares what was read.
pub fn api() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_else(|error| {
            unreachable!("the descriptors are those of this build: {error}")
        })
    });
    &POOL
}
