//! Compiles the `.proto` files of the package in whose folder cargo runs it, without an installed compiler.
//!
//! The descriptor set is written as compiled, with comments, for reflection and for JSON. The copy that feeds the
//! code generator differs in one field: see [`prepared`]. Beside the generated code stands the table of all RPCs.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs, io};

#[path = "build/table.rs"]
mod table;

use prost_build::{Service, ServiceGenerator};
use prost_types::{FileDescriptorSet, field_descriptor_proto::Type};

fn main() -> Result<(), Box<dyn Error>> {
    let protos = protos(Path::new("deskplane"))?;
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(&protos)?;

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    let pool = compiler.descriptor_pool();
    fs::write(out.join("rpcs.rs"), table::render(&pool, "deskplane.v1")?)?;
    let operations = table::render_operations(&pool, "deskplane.v1")?;
    fs::write(out.join("operations.rs"), operations)?;

    let mut files = compiler.file_descriptor_set();
    prepared(&mut files, "ResolvedProfile", "content")?;
    prost_build::Config::new()
        .bytes(["."])
        // Sorted maps: a request always encodes to the same bytes, so it can be recognised again.
        .btree_map(["."])
        // Printed by hand, without the values of its secrets.
        .skip_debug([".deskplane.v1.ChannelProvider"])
        .service_generator(Box::new(Services::new()))
        .compile_fds(files)?;

    println!("cargo::rerun-if-changed=../build.rs");
    println!("cargo::rerun-if-changed=../build");
    println!("cargo::rerun-if-changed=deskplane");
    Ok(())
}

/// Finds every `.proto` file below a folder, in a stable order.
fn protos(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(protos(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Retypes a sub-message field as `bytes`, so that its encoding can be made once and shared by many answers.
///
/// Both are length-delimited and look alike on the wire; other clients keep seeing the message.
fn prepared(
    files: &mut FileDescriptorSet,
    message: &str,
    field: &str,
) -> Result<(), Box<dyn Error>> {
    let field = files
        .file
        .iter_mut()
        .flat_map(|file| &mut file.message_type)
        .filter(|candidate| candidate.name() == message)
        .flat_map(|candidate| &mut candidate.field)
        .find(|candidate| candidate.name() == field)
        .ok_or_else(|| format!("no field {message}.{field}"))?;
    field.set_type(Type::Bytes);
    field.type_name = None;
    Ok(())
}

/// Generates both sides of a service with a codec of their own: only a server answers for a request that does not
/// decode; to a client an answer that does not decode is an internal error, as everywhere.
struct Services {
    client: Box<dyn ServiceGenerator>,
    server: Box<dyn ServiceGenerator>,
}

impl Services {
    fn new() -> Self {
        Self {
            client: tonic_prost_build::configure().build_server(false).service_generator(),
            server: tonic_prost_build::configure()
                .build_client(false)
                .codec_path("crate::codec::RequestCodec")
                .service_generator(),
        }
    }
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, code: &mut String) {
        self.client.generate(service.clone(), code);
        self.server.generate(service, code);
    }
}
