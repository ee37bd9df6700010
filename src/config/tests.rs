use super::*;

mod reference;

fn sources(file: Option<&str>, env: &[(&str, &str)], flags: Flags) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let file = file.map(|text| {
        let path = folder.path().join("deskplane.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    (folder, Sources { file, env, flags })
}

fn load(file: Option<&str>, env: &[(&str, &str)], flags: Flags) -> Result<Config, Vec<String>> {
    let (_folder, sources) = sources(file, env, flags);
    Config::load(&sources).map_err(|mistakes| mistakes.0)
}

#[test]
fn without_sources_there_are_the_defaults() {
    assert_eq!(load(None, &[], Flags::default()), Ok(Config::default()));
    assert_eq!(load(None, &[("PATH", "/bin")], Flags::default()), Ok(Config::default()));
}

#[test]
fn a_later_source_wins() {
    let file = "listen = '127.0.0.1:1'\ndata_dir = 'a'\nlog = 'warn'\n[watch]\nquiet_ms = 1\n";
    let env = [
        ("DESKPLANE_DATA_DIR", "2"),
        ("DESKPLANE_LISTEN", "[::1]:2"),
        ("DESKPLANE_WATCH__BOOKMARK_S", "9"),
        ("DESKPLANE_WATCH__STALLED_S", "8"),
        ("DESKPLANE_VOICE__KEY_RING", "ring"),
        ("DESKPLANE_VOICE__FAKE_ADAPTER", "true"),
    ];
    let flags = Flags { listen: Some("127.0.0.1:3".parse().unwrap()), ..Flags::default() };
    let config = load(Some(file), &env, flags).unwrap();
    let watch = Watch { quiet_ms: 1, bookmark_s: 9, stalled_s: 8, ..Watch::default() };
    let listen = "127.0.0.1:3".parse().unwrap();
    let (data_dir, log) = ("2".into(), "warn".into());
    let voice = Voice { key_ring: "ring".into(), fake_adapter: true, ..Voice::default() };
    assert_eq!(config, Config { listen, data_dir, log, watch, voice, ..Config::default() });
}

#[test]
fn variables_that_are_no_settings_are_left_alone() {
    let env = [
        ("DESKPLANE_CONFIG", "x"),
        ("DESKPLANE_SERVER", "x"),
        ("DESKPLANE_SECRET_TWILIO", "x"),
        ("DESKPLANE_KEY_RING", "x"),
        ("DESKPLANE_SERVICE_HOST", "10.0.0.1"),
        ("DESKPLANE_PORT_7700_TCP", "tcp://10.0.0.1:7700"),
        ("DESKPLANE_METRICS_PORT", "tcp://10.0.0.7:9700"),
    ];
    assert_eq!(load(None, &env, Flags::default()), Ok(Config::default()));
}

#[test]
fn variables_that_resemble_those_are_settings_that_do_not_exist() {
    for name in [
        "SERVER_ADDRESS",
        "CONFIG_FILE",
        "USERS",
        "KEY_RING_FILE",
        "PORT",
        "METRICS_PORT",
        "SECRETS",
        "SERVICE_NAME",
    ] {
        let mistakes = load(None, &[(&format!("DESKPLANE_{name}"), "9700")], Flags::default());
        let mistakes = mistakes.unwrap_err();
        assert!(mistakes[0].ends_with("(environment): there is no such setting"), "{mistakes:?}");
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let known = layer::leaves(&Value::serialize(Config::default()).unwrap().into_dict().unwrap());
    let names = known
        .keys()
        .map(|key| format!("DESKPLANE_{}", key.replace('.', "__").to_ascii_uppercase()));
    let names: Vec<_> = names.chain(["DESKPLANE_NO_SETTING".to_owned()]).collect();
    assert!(names.len() > 30, "{names:?}");
    let env: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(load(None, &env, Flags::default()), Ok(Config::default()));
    let file = "listen = '127.0.0.1:1'\nlog = 'warn'";
    let config = load(Some(file), &env, Flags::default()).unwrap();
    let listen = "127.0.0.1:1".parse().unwrap();
    assert_eq!((config.listen, config.log.as_str()), (listen, "warn"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt as _;
    let no_text = OsString::from_vec(vec![b'/', 0xff]);
    let env = vec![("DESKPLANE_DATA_DIR".into(), no_text.clone()), ("OTHER".into(), no_text)];
    let mistakes = Config::load(&Sources { env, ..Sources::default() }).unwrap_err();
    assert_eq!(mistakes.0, ["`data_dir` (environment): is not UTF-8"]);
}

#[test]
fn a_public_url_that_no_vendor_can_use_is_a_mistake() {
    let public = |url: &str| {
        load(None, &[("DESKPLANE_VOICE__PUBLIC_URL", url)], Flags::default())
            .map(|config| config.voice.public_url())
    };
    let url = "https://Desk.example.com/desk";
    assert_eq!(public(url), Ok(Some(url.to_owned())));
    assert_eq!(public(&format!("{url}/")), Ok(Some(url.to_owned())));
    for wrong in [
        "desk.example.com",
        "http://desk.example.com",
        "https://kim:secret@desk.example.com",
        "https://desk.example.com/?a=b",
        "https://desk.example.com/#a",
    ] {
        let mistakes = public(wrong).unwrap_err();
        assert!(mistakes[0].starts_with("`voice.public_url`: "), "{mistakes:?}");
        assert!(!mistakes[0].contains("secret"), "{mistakes:?}");
    }
}

#[test]
fn differences_name_the_settings() {
    let one = Config::default();
    assert_eq!(one.differences(&one.clone()), [""; 0]);
    let watch = Watch { quiet_ms: 7, ..Watch::default() };
    let metrics_listen = Some("127.0.0.1:1".parse().unwrap());
    let other = Config { log: "warn".to_owned(), metrics_listen, watch, ..Config::default() };
    assert_eq!(one.differences(&other), ["log", "metrics_listen", "watch.quiet_ms"]);
    assert_eq!(other.differences(&one), ["log", "metrics_listen", "watch.quiet_ms"]);
}

#[test]
fn mistakes_are_named_together_with_key_and_source() {
    let file = "colour = 1\nlisten = 'here'\n[watch]\nquite_ms = 5\nmax_age_min = 'long'\n";
    let env = [("DESKPLANE_WATCH__STALLED_S", "soon"), ("DESKPLANE_LOGS", "info")];
    let mistakes = load(Some(file), &env, Flags::default()).unwrap_err();
    let expected = [
        ("`colour` (", "there is no such setting"),
        ("`listen` (", "is no endpoint"),
        ("`logs` (environment)", "there is no such setting"),
        ("`watch.max_age_min` (", "found string \"long\""),
        ("`watch.quite_ms` (", "there is no such setting"),
        ("`watch.stalled_s` (environment)", "found string \"soon\""),
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, (key, problem)) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(key) && mistake.contains(problem), "{mistake}");
    }
    assert!(mistakes[0].contains("deskplane.toml"), "{}", mistakes[0]);
}

#[test]
fn rules_across_values_are_judged_together() {
    let file = "data_dir = ''";
    let env = [
        ("DESKPLANE_LISTEN", "0.0.0.0:7700"),
        ("DESKPLANE_LOG", "deskplane=loud"),
        ("DESKPLANE_WATCH__QUIET_MS", "300"),
        ("DESKPLANE_WATCH__BOOKMARK_S", "0"),
        ("DESKPLANE_LIMITS__STREAMS_PER_CONNECTION", "0"),
        ("DESKPLANE_STORE__SEGMENT_MIB", "0"),
        ("DESKPLANE_STORE__VERIFY_HOURS", "9000"),
        ("DESKPLANE_AUDIT__RETENTION_DAYS", "0"),
        ("DESKPLANE_RESOLUTION_LOG__MAX_MIB", "0"),
    ];
    let mistakes = load(Some(file), &env, Flags::default()).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|m| m.split(':').next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "`audit.retention_days`",
            "`data_dir`",
            "`limits.streams_per_connection`",
            "`listen`",
            "`log`",
            "`resolution_log.max_mib`",
            "`store.segment_mib`",
            "`store.verify_hours`",
            "`watch.bookmark_s`",
            "`watch.longest_ms`"
        ],
        "{mistakes:#?}"
    );
    assert!(mistakes[3].contains("credentials"), "{}", mistakes[3]);
}

#[test]
fn a_file_that_is_not_there_or_no_toml_is_a_mistake() {
    let missing = Sources { file: Some("/nowhere/deskplane.toml".into()), ..Sources::default() };
    assert!(Config::load(&missing).is_err());
    assert_eq!(load(Some("listen ="), &[], Flags::default()).unwrap_err().len(), 1);
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let config = load(None, &[("DESKPLANE_WATCH__QUIET_MS", "0")], Flags::default()).unwrap();
    let printed = config.to_toml().unwrap();
    assert_eq!(load(Some(&printed), &[], Flags::default()), Ok(config));
}

#[test]
fn the_settings_say_what_the_file_says() {
    let limits = Limits { keepalive_interval_s: 7, connection_age_min: 3, ..Limits::default() };
    assert_eq!(limits.settings().keepalive_interval, Duration::from_secs(7));
    assert_eq!(limits.settings().connection_age, Duration::from_secs(180));
    let watch = Watch { quiet_ms: 9, max_age_min: 2, ..Watch::default() };
    assert_eq!(watch.settings().quiet, Duration::from_millis(9));
    assert_eq!(watch.settings().max_age, Duration::from_secs(120));
    let store = Store { segment_mib: 2, keep_records: 5, ..Store::default() }.settings();
    assert_eq!((store.segment_bytes, store.retention.records), (2 << 20, 5));
    assert_eq!(Store::default().settings(), crate::store::durable::Settings::default());
    let audit = Audit { retention_days: 2, max_mib: 3, ..Audit::default() };
    let resolution_log = ResolutionLog { enabled: false, ..ResolutionLog::default() };
    let kept = Config { audit, resolution_log, ..Config::default() }.audit();
    assert_eq!((kept.reads.age, kept.reads.bytes), (Duration::from_secs(172_800), 3 << 20));
    assert!(kept.reads.enabled && !kept.deliveries.enabled);
    assert_eq!(Config::default().audit(), crate::audit::Settings::default());
    let verify = |hours| Store { verify_hours: hours, ..Store::default() }.verify();
    assert_eq!((verify(0), verify(2)), (None, Some(Duration::from_secs(7_200))));
}

#[test]
fn nobody_listens_for_metrics_unless_told_where() {
    assert_eq!(Config::default().metrics_listen, None);
    let at = |env: &[(&str, &str)]| load(None, env, Flags::default()).unwrap().metrics_listen;
    // Figures may be asked for from other machines.
    let anywhere = "0.0.0.0:9700".parse().unwrap();
    assert_eq!(at(&[("DESKPLANE_METRICS_LISTEN", "0.0.0.0:9700")]), Some(anywhere));
    assert_eq!(at(&[]), None);
    let flags = Flags { metrics_listen: Some(anywhere), ..Flags::default() };
    let config = load(Some("metrics_listen = '[::1]:1'"), &[], flags).unwrap();
    assert_eq!(config.metrics_listen, Some(anywhere));
    assert_eq!(load(Some(&config.to_toml().unwrap()), &[], Flags::default()), Ok(config));
}

#[test]
fn a_list_is_one_in_a_file_and_a_text_elsewhere() {
    let expected: List<Endpoint> = "127.0.0.1:1,unix:/run/a.sock".parse().unwrap();
    for file in [
        "listen = ['127.0.0.1:1', 'unix:/run/a.sock']",
        "listen = '127.0.0.1:1, unix:/run/a.sock,'",
    ] {
        assert_eq!(load(Some(file), &[], Flags::default()).unwrap().listen, expected);
    }
    let env = [("DESKPLANE_LISTEN", "127.0.0.1:1,unix:/run/a.sock")];
    let config = load(Some("listen = 'systemd'"), &env, Flags::default()).unwrap();
    assert_eq!(config.listen, expected);
    // It is printed in a form that can be read again.
    let printed = config.to_toml().unwrap();
    assert_eq!(load(Some(&printed), &[], Flags::default()).unwrap(), config);
    for (file, why) in [
        ("listen = []", "`listen`: must name where to listen"),
        ("listen = ['127.0.0.1:1', 'here']", "`here`: is no endpoint"),
        ("listen = 7700", "a text, or a list of texts, is expected"),
        ("listen = ['127.0.0.1:1', '0.0.0.0:1']", "`listen`: 0.0.0.0:1 can be reached"),
        ("web.origins = '*'", "`*`: each page could call"),
        ("web.origins = ['https://a.example/']", "`https://a.example/`: is no origin"),
    ] {
        let mistakes = load(Some(file), &[], Flags::default()).unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].contains(why), "{file}: {mistakes:?}");
    }
}

#[test]
fn tls_needs_a_certificate_and_its_key() {
    let load = |file: &str| load(Some(file), &[], Flags::default());
    assert_eq!(load("").unwrap().tls.settings(), None);
    let whole = load("tls = {certificate = 'a', key = 'b', min_version = '1.3'}").unwrap();
    let settings = whole.tls.settings().unwrap();
    assert!(!settings.tls12 && settings.client_ca.is_none());
    for (file, why) in [
        ("tls.certificate = 'a'", "`tls.key`: is missing, for there is `tls.certificate`"),
        ("tls.key = 'a'", "`tls.certificate`: is missing, for there is `tls.key`"),
        ("tls.client_ca = 'a'", "`tls.certificate`: is missing, for there is `tls.client_ca`"),
        ("tls.min_version = '1.1'", "unknown variant"),
    ] {
        let mistakes = load(file).unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].contains(why), "{file}: {mistakes:?}");
    }
}

#[test]
fn an_address_leaves_places_to_others_unless_it_is_set() {
    let limits = |limits: Limits| limits.settings();
    let some = Limits { connections: 1_000, ..Limits::default() };
    assert_eq!(limits(some.clone()).connections_per_address, 1_000 - 64);
    let set = Limits { connections_per_address: 10, ..some };
    assert_eq!(limits(set).connections_per_address, 10);
    let few = Limits { connections: 8, ..Limits::default() };
    assert_eq!(limits(few).connections_per_address, 6);
}

#[test]
fn every_number_has_a_range_that_its_default_is_within() {
    let mut numbers = 0;
    for setting in schema::Setting::all::<Config>() {
        let Some(default) = setting.value["default"].as_u64() else { continue };
        let (least, most) = (setting.number("minimum"), setting.number("maximum"));
        let (least, most) = (least.unwrap(), most.unwrap_or_else(|| panic!("{}", setting.key)));
        assert!((least..=most).contains(&default), "{}", setting.key);
        let load = |value: u64| {
            let name = format!("DESKPLANE_{}", setting.key.replace('.', "__").to_ascii_uppercase());
            load(None, &[(&name, &value.to_string())], Flags::default())
        };
        let mistakes = load(most + 1).unwrap_err();
        let expected = format!("`{}`: {} is not within {least} to {most}", setting.key, most + 1);
        assert!(mistakes.contains(&expected), "{mistakes:?}");
        if least > 0 {
            assert_eq!(load(least - 1).unwrap_err().len(), 1, "{}", setting.key);
        }
        numbers += 1;
    }
    assert!(numbers > 30, "{numbers}");
}

#[test]
fn the_schema_knows_every_setting_and_no_other() {
    let defaults = Value::serialize(Config::default()).unwrap().into_dict().unwrap();
    let known: Vec<_> = layer::leaves(&defaults).into_keys().collect();
    let mut named: Vec<_> = schema::Setting::all::<Config>().into_iter().map(|s| s.key).collect();
    named.sort();
    assert_eq!(named, known);
}

#[test]
fn the_example_of_a_file_can_be_used() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/deskplane.toml");
    let example = std::fs::read_to_string(path).unwrap();
    let config = load(Some(&example), &[], Flags::default()).unwrap();
    assert!(!Config::default().differences(&config).is_empty());
}

#[test]
fn an_endpoint_of_traces_is_one_that_the_program_can_use() {
    let judged = |endpoint: &str| {
        load(Some(&format!("telemetry.endpoint = '{endpoint}'\n")), &[], Flags::default())
    };
    let bad =
        ["", "collector", "ftp://a", "http://", "http://me:pass@a", "http://a:4317/v1/traces"];
    for endpoint in bad {
        let mistakes = judged(endpoint).unwrap_err();
        assert!(mistakes[0].starts_with("`telemetry.endpoint`: "), "{endpoint}: {mistakes:?}");
        assert!(!mistakes[0].contains("pass@"), "{mistakes:?}");
    }
    let good = judged("http://127.0.0.1:4317");
    match crate::telemetry::OTLP {
        true => assert_eq!(good.unwrap().telemetry.settings().unwrap().ratio, 0.01),
        false => {
            let mistakes = good.unwrap_err();
            assert!(mistakes[0].contains("`telemetry.endpoint`"), "{mistakes:?}");
            assert!(mistakes[0].contains("--features otlp"), "{mistakes:?}");
        }
    }
}
