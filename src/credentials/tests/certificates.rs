//! Certificates of clients, by their names.

use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

use super::world::*;
use crate::{
    auth::ClientCertificates,
    credentials::{Authentication, CertificateRule, Credentials, NameKind, Pattern, Settings},
    domain::{Scope, Scopes},
};

fn certificate(names: &[SanType]) -> ClientCertificates {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    params.not_after = date_time_ymd(2030, 1, 1);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    ClientCertificates::new([made.der().clone()])
}

fn rule(kind: NameKind, name: &str, user: Option<&str>, scopes: &[Scope]) -> CertificateRule {
    CertificateRule {
        kind,
        name: Pattern::read(name).unwrap(),
        user: user.map(str::to_owned),
        scopes: (!scopes.is_empty()).then(|| Scopes::of(scopes)),
    }
}

fn credentials(hands: &Hands) -> Credentials {
    let certificates = vec![
        rule(NameKind::Uri, "spiffe://contoso.example/agent/*", Some("*"), &[]),
        rule(NameKind::Uri, "spiffe://contoso.example/crm", None, &[Scope::Service]),
        rule(NameKind::Email, "*@contoso.example", Some("*@contoso.example"), &[Scope::Agent]),
        rule(NameKind::Dns, "*.desk.contoso.example", None, &[Scope::Reader]),
        rule(NameKind::Dns, "sync.contoso.example", Some("sync"), &[Scope::Service]),
    ];
    let settings = Settings { certificates, ..Settings::default() };
    Credentials::load(settings, hands.clock()).unwrap()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

fn email(text: &str) -> SanType {
    SanType::Rfc822Name(text.try_into().unwrap())
}

/// Who calls and with which scopes, or the refusal.
fn judge(credentials: &Credentials, shown: Option<&ClientCertificates>) -> Result<String, String> {
    let Authentication::Now(found) =
        credentials.authenticate(&Default::default(), shown, &mut Default::default())
    else {
        panic!("nothing is fetched for a certificate");
    };
    let found = found.map_err(|refusal| shown_of(&refusal))?;
    let scopes = found.scopes();
    let held = Scope::ALL.iter().filter(|held| scopes.is_some_and(|scopes| scopes.has(**held)));
    let held: Vec<_> = held.map(|held| held.as_str()).collect();
    Ok(format!("{} {}", found.name(), held.join(",")).trim().to_owned())
}

fn shown_of(refusal: &crate::domain::Refusal) -> String {
    shown(refusal)
}

#[test]
fn a_certificate_stands_for_the_first_rule_that_fits() {
    let hands = Hands::new();
    let credentials = credentials(&hands);
    let unmapped = || Err("CREDENTIAL_INVALID CERTIFICATE_UNMAPPED".to_owned());
    let cases: &[(&[SanType], Result<&str, ()>)] = &[
        (&[uri("spiffe://contoso.example/agent/ann")], Ok("ann")),
        (
            &[uri("spiffe://contoso.example/crm")],
            Ok("certificate:spiffe://contoso.example/crm SERVICE"),
        ),
        (&[email("ann@contoso.example")], Ok("ann@contoso.example AGENT")),
        (&[dns("a.desk.contoso.example")], Ok("certificate:a.desk.contoso.example READER")),
        (&[dns("sync.contoso.example")], Ok("sync SERVICE")),
        (&[dns("other.example"), uri("spiffe://contoso.example/agent/ann")], Ok("ann")),
        // Rules are tried in their order, names within one.
        (
            &[dns("sync.contoso.example"), email("ann@contoso.example")],
            Ok("ann@contoso.example AGENT"),
        ),
        (&[dns("other.example")], Err(())),
        (&[dns("desk.contoso.example")], Err(())),
        (&[dns("spiffe.contoso.example")], Err(())),
        (&[uri("spiffe://contoso.example/agent/")], Err(())),
        (&[uri("spiffe://contoso.example/agent/a/b")], Err(())),
        (&[uri("spiffe://contoso.example/crm/x")], Err(())),
        (&[uri("spiffe://evil.example/agent/ann")], Err(())),
        (&[email("ann@contoso.example.evil")], Err(())),
        (&[], Err(())),
    ];
    for (names, want) in cases {
        let found = judge(&credentials, Some(&certificate(names)));
        assert_eq!(found, want.map(str::to_owned).or_else(|()| unmapped()), "{names:?}");
    }
    assert_eq!(judge(&credentials, None), Err("CREDENTIAL_REQUIRED MISSING".to_owned()));
    let broken = ClientCertificates::new([vec![1, 2, 3].into()]);
    let broken = judge(&credentials, Some(&broken));
    assert_eq!(broken, Err("CREDENTIAL_INVALID CERTIFICATE_MALFORMED".to_owned()));
}

#[test]
fn a_certificate_of_an_open_connection_ends_with_its_validity() {
    let hands = Hands::new();
    let (credentials, shown) = (credentials(&hands), certificate(&[dns("sync.contoso.example")]));
    assert_eq!(judge(&credentials, Some(&shown)), Ok("sync SERVICE".to_owned()));
    hands.set(1_893_456_000);
    assert_eq!(judge(&credentials, Some(&shown)), Err("TOKEN_EXPIRED".to_owned()));
}
