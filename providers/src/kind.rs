//! A kind of adapter: what is known before there is an account.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Capabilities, ChannelProvider, ConfigViolation, Descriptor, ExposeSecret as _, Result, Setup,
    Violations, config, schema::Schema,
};

/// What a vendor's module offers. [`Adapter::of`] makes it usable without its types.
pub trait Kind: ChannelProvider + Sized {
    /// The configuration. Say `#[serde(deny_unknown_fields)]`; the comments of its fields become the
    /// schema that administrators see. It holds no secret.
    type Config: DeserializeOwned + JsonSchema;

    /// What is true of every provider of this kind.
    const DESCRIPTOR: Descriptor;

    /// Notes what is wrong with a configuration and no schema can say.
    fn judge(config: &Self::Config, violations: &mut Violations);

    /// What a provider with this configuration can do.
    fn offers(config: &Self::Config) -> Capabilities;

    /// Makes the provider. Offline and quick: whether the vendor agrees is for
    /// [`ChannelProvider::check`].
    fn build(config: Self::Config, setup: Setup) -> Result<Self>;
}

/// A kind of adapter without its types.
#[derive(Clone)]
pub struct Adapter {
    descriptor: &'static Descriptor,
    schema: Arc<Value>,
    rules: Arc<Schema>,
    offers: fn(&Schema, &str) -> Result<Capabilities, Vec<ConfigViolation>>,
    build: fn(&Schema, &str, Setup) -> Result<Arc<dyn ChannelProvider>>,
}

impl Adapter {
    /// The adapter of a kind.
    ///
    /// # Panics
    /// When the schema of the configuration has a keyword that is not checked: a defect that the
    /// first test finds.
    pub fn of<K: Kind>() -> Self {
        let schema = schemars::schema_for!(K::Config).to_value();
        let rules = Schema::read(&schema);
        #[allow(
            clippy::expect_used,
            reason = "made from our own types; the registry's test runs it"
        )]
        let rules = rules.expect("a derived schema has known keywords");
        Self {
            descriptor: const { &K::DESCRIPTOR },
            schema: Arc::new(schema),
            rules: Arc::new(rules),
            offers: |rules, text| {
                config::read(rules, text, K::judge).map(|config| K::offers(&config))
            },
            build: |rules, text, setup| {
                let config = config::read(rules, text, K::judge).map_err(invalid)?;
                missing_secrets(&K::DESCRIPTOR, &setup)?;
                Ok(Arc::new(K::build(config, setup)?))
            },
        }
    }

    /// What is true of every provider of this kind.
    pub fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }

    /// JSON schema of the configuration.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// What a provider with this configuration can do.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub fn capabilities(&self, config: &str) -> Result<Capabilities, Vec<ConfigViolation>> {
        (self.offers)(&self.rules, config)
    }

    /// Makes a provider.
    ///
    /// # Errors
    /// [`InvalidConfig`](crate::ErrorKind::InvalidConfig) when the configuration or a secret is
    /// missing or wrong.
    pub fn build(&self, config: &str, setup: Setup) -> Result<Arc<dyn ChannelProvider>> {
        (self.build)(&self.rules, config, setup)
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adapter").field(&self.descriptor.kind).finish()
    }
}

fn invalid(violations: Vec<ConfigViolation>) -> crate::Error {
    let list: Vec<_> =
        violations.into_iter().map(|v| format!("config.{} {}", v.path, v.rule)).collect();
    crate::Error::new(crate::ErrorKind::InvalidConfig, list.join("; "))
}

fn missing_secrets(descriptor: &Descriptor, setup: &Setup) -> Result<()> {
    let unset =
        |name: &str| setup.secrets.get(name).is_none_or(|secret| secret.expose_secret().is_empty());
    let missing = descriptor.secrets.iter().find(|secret| secret.required && unset(secret.name));
    missing.map_or(Ok(()), |secret| {
        let message = format!("the secret {} is not set", secret.name);
        Err(crate::Error::new(crate::ErrorKind::InvalidConfig, message))
    })
}
