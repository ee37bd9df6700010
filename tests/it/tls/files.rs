//! Certificates for tests.

use std::{fs, path::PathBuf};

use deskplane::transport::TlsSettings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::Identity;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
pub(crate) struct Pair {
    certificate: String,
    key: String,
}

/// A folder with the files of a server that this authority knows.
pub(crate) struct Files {
    folder: tempfile::TempDir,
    pub(crate) authority: Authority,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine.
    pub(crate) fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

impl Pair {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }
}

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() };
        fs::write(files.at("authority"), files.authority.pem()).unwrap();
        files.write(&files.authority.issue());
        files
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives the server a pair.
    pub(crate) fn write(&self, pair: &Pair) {
        self.write_as("server", pair);
    }

    pub(crate) fn write_as(&self, name: &str, pair: &Pair) {
        fs::write(self.at(&format!("{name}.certificate")), &pair.certificate).unwrap();
        crate::secret_file::write(self.at(&format!("{name}.key")), &pair.key);
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.at("server.certificate"),
            key: self.at("server.key"),
            client_ca: None,
            client_required: true,
            tls12: true,
        }
    }

    /// Settings that ask clients for certificates of an authority.
    pub(crate) fn asking(&self, clients: &Authority) -> TlsSettings {
        fs::write(self.at("clients"), clients.pem()).unwrap();
        TlsSettings { client_ca: Some(self.at("clients")), ..self.settings() }
    }
}
