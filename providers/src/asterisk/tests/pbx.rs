//! A telephone exchange that behaves as the recorded one, and refuses what is not legal.

mod line;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::{Duration, timeout},
};
use tokio_tungstenite::{accept_async, tungstenite::Message as Frame};
use url::Url;

use self::line::Line;

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phone {
    Answers,
    Rings,
    Busy,
    NoAnswer,
}

#[derive(Clone)]
pub(super) struct Pbx {
    port: u16,
    state: Arc<Mutex<State>>,
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
pub(super) struct State {
    phones: HashMap<String, Phone>,
    pub(super) channels: BTreeMap<String, Line>,
    /// Members by bridge, with the bridge's name.
    pub(super) bridges: BTreeMap<String, (String, Vec<String>)>,
    variables: HashMap<(String, String), String>,
    /// Every channel that was ever asked for.
    dialled: HashSet<String>,
    /// Where devices were asked to dial, by channel.
    pub(super) redirected: Vec<(String, String)>,
    pub(super) requests: Vec<String>,
    pub(super) illegal: Vec<String>,
    pub(super) listener: Option<mpsc::UnboundedSender<Frame>>,
    /// Requests that are answered with this status, and not carried out.
    pub(super) refuse: HashMap<String, u16>,
    clock: u64,
}

impl Pbx {
    pub(super) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let (changes, _) = watch::channel(0);
        let pbx = Self { port, state: Arc::default(), changes: Arc::new(changes) };
        let server = pbx.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        pbx
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/ari", self.address())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn phone(&self, endpoint: &str, phone: Phone) {
        self.state().phones.insert(endpoint.to_owned(), phone);
    }

    /// Waits until the exchange is so.
    pub(super) async fn until(&self, what: &str, so: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        let waiting = async {
            while !so(&self.state()) {
                changes.changed().await.unwrap();
            }
        };
        if timeout(Duration::from_secs(5), waiting).await.is_err() {
            panic!("not within 5 s: {what}; {:?}", self.state().requests);
        }
    }

    /// Nothing is left, and nothing illegal was asked for.
    pub(super) async fn until_empty(&self) {
        self.until("empty", |s| s.channels.is_empty() && s.bridges.is_empty()).await;
        assert_eq!(self.state().illegal, Vec::<String>::new());
    }

    /// A party answers.
    pub(super) fn answer(&self, id: &str) {
        self.state().answer(id);
        self.changed();
    }

    /// A party hangs up.
    pub(super) fn hang_up(&self, id: &str, cause: u32) {
        self.state().destroy(id, cause);
        self.changed();
    }

    /// Somebody outside calls, and the dial plan gives the call to the application.
    pub(super) fn call_in(&self, id: &str, args: &str) {
        let mut state = self.state();
        let app_data = format!("deskplane,{args}");
        let line = Line { state: "Ring", app_data, stasis: true, ..Line::default() };
        state.channels.insert(id.to_owned(), line);
        let words: Vec<&str> = args.split(',').collect();
        state.send_event(json!({"type": "StasisStart", "args": words}), id);
        drop(state);
        self.changed();
    }

    /// Sends a frame as it is.
    pub(super) fn send(&self, frame: Frame) {
        self.state().listener.as_ref().expect("somebody listens").send(frame).unwrap();
    }

    /// Closes the connection for events, as an exchange that restarts does.
    pub(super) fn drop_listener(&self) {
        self.state().listener = None;
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut head = vec![0; 8192];
        let read = stream.peek(&mut head).await.unwrap_or_default();
        if read == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&head[..read]).into_owned();
        if text.starts_with("GET /ari/events?") {
            return self.events(stream).await;
        }
        let Ok(_) = stream.read(&mut head[..read]).await else { return };
        let mut words = text.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let url = Url::parse("http://pbx").unwrap().join(target).unwrap();
        let (status, body) = self.state().request(method, &url);
        self.changed();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    async fn events(self, stream: TcpStream) {
        let (sender, mut frames) = mpsc::unbounded_channel();
        self.state().listener = Some(sender);
        let Ok(mut socket) = accept_async(stream).await else { return };
        self.changed();
        loop {
            tokio::select! {
                frame = frames.recv() => match frame {
                    Some(frame) => if socket.send(frame).await.is_err() { break },
                    None => break,
                },
                frame = socket.next() => match frame {
                    Some(Ok(Frame::Pong(_))) => {
                        self.state().requests.push("PONG".to_owned());
                        self.changed();
                    }
                    Some(Ok(_)) => {}
                    _ => break,
                },
            }
        }
        drop(frames);
        self.state().listener.take_if(|listener| listener.is_closed());
        self.changed();
    }
}

impl State {
    fn request(&mut self, method: &str, url: &Url) -> (u16, Value) {
        let path: Vec<&str> = url.path().split('/').skip(2).collect();
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let asked = format!("{method} /{}", path.join("/"));
        self.requests.push(asked.clone());
        if let Some(status) = self.refuse.get(&asked) {
            return (*status, json!({"message": "scripted to refuse"}));
        }
        let missing = (404, json!({"message": "not found"}));
        match (method, path.as_slice()) {
            ("GET", ["asterisk", "ping"]) => (200, json!({"ping": "pong"})),
            ("GET", ["asterisk", "info"]) => (200, json!({"system": {"version": "20"}})),
            ("GET", ["applications", _]) if self.listener.is_some() => (200, json!({})),
            ("GET", ["applications", _]) => missing,
            ("GET", ["channels"]) => {
                (200, self.channels.iter().map(|(id, line)| line.json(id)).collect())
            }
            ("GET", ["bridges"]) => (200, self.bridges.keys().map(|id| self.bridge(id)).collect()),
            ("GET", ["bridges", id]) if self.bridges.contains_key(*id) => (200, self.bridge(id)),
            ("GET", ["bridges", _]) => missing,
            ("POST", ["channels"]) => (400, json!({"message": "Endpoint must be specified"})),
            ("POST", ["channels", id]) => self.originate(id, &text),
            ("POST", ["bridges", id]) => {
                self.bridges.entry((*id).to_owned()).or_insert((text("name"), vec![]));
                (200, self.bridge(id))
            }
            ("DELETE", ["bridges", id]) => match self.bridges.remove(*id) {
                Some(_) => (204, Value::Null),
                None => missing,
            },
            ("POST", ["bridges", id, "addChannel"]) => self.add(id, &text("channel")),
            ("PUT", ["deviceStates", _]) => (204, Value::Null),
            (_, ["channels", id, ..]) if !self.channels.contains_key(*id) => missing,
            ("GET", ["channels", id]) => (200, self.channels[*id].json(id)),
            ("DELETE", ["channels", id]) => {
                self.destroy(id, 16);
                (204, Value::Null)
            }
            ("POST", ["channels", id, "variable"]) => {
                self.variables.insert(((*id).to_owned(), text("variable")), text("value"));
                (204, Value::Null)
            }
            ("GET", ["channels", id, "variable"]) => {
                let value = self.variables.get(&((*id).to_owned(), text("variable")));
                value.map_or(missing, |value| (200, json!({"value": value})))
            }
            (_, ["channels", id, what]) if !self.channels[*id].stasis => {
                self.illegal.push(format!("{what} of {id}, which is not in Stasis"));
                (409, json!({"message": "Channel not in Stasis application"}))
            }
            (_, ["channels", id, "hold"]) => {
                self.channels.get_mut(*id).unwrap().held = method == "POST";
                (204, Value::Null)
            }
            ("POST", ["channels", id, "answer"]) => {
                self.channels.get_mut(*id).unwrap().state = "Up";
                (204, Value::Null)
            }
            ("POST", ["channels", id, "redirect"]) => {
                self.redirected.push(((*id).to_owned(), text("endpoint")));
                (204, Value::Null)
            }
            ("POST", ["channels", id, "continue"]) => {
                self.leave(id);
                let line = self.channels.get_mut(*id).unwrap();
                line.app_data = format!("{}@{}", text("extension"), text("context"));
                (204, Value::Null)
            }
            _ => {
                self.illegal.push(asked);
                (405, Value::Null)
            }
        }
    }

    fn originate(&mut self, id: &str, text: &dyn Fn(&str) -> String) -> (u16, Value) {
        if self.channels.contains_key(id) {
            return (409, json!({"message": "Channel with given unique ID already exists"}));
        }
        if !self.dialled.insert(id.to_owned()) {
            self.illegal.push(format!("{id} was dialled twice"));
        }
        let endpoint = text("endpoint");
        let Some(phone) = self.phones.get(&endpoint).copied() else {
            return (500, json!({"error": "Allocation failed"}));
        };
        if self.listener.is_none() {
            self.illegal.push(format!("{id} was dialled, and nobody listens"));
        }
        let app_data = format!("{},{}", text("app"), text("appArgs"));
        let (state, caller_id) = ("Down", text("callerId"));
        let line = Line { state, app_data, caller_id, ..Line::default() };
        self.channels.insert(id.to_owned(), line);
        let made = self.channels[id].json(id);
        self.send_event(json!({"type": "ChannelCreated"}), id);
        self.tell_dial("", id);
        match phone {
            Phone::Answers | Phone::Rings => {
                self.channels.get_mut(id).unwrap().state = "Ringing";
                self.send_event(json!({"type": "ChannelStateChange"}), id);
                self.tell_dial("RINGING", id);
                if phone == Phone::Answers {
                    self.answer(id);
                }
            }
            Phone::Busy => {
                self.tell_dial("BUSY", id);
                self.destroy(id, 17);
            }
            Phone::NoAnswer => {
                self.tell_dial("NOANSWER", id);
                self.destroy(id, 0);
            }
        }
        (200, made)
    }

    fn answer(&mut self, id: &str) {
        let line = self.channels.get_mut(id).expect("a channel that rings");
        (line.state, line.stasis) = ("Up", true);
        let args: Vec<String> = line.app_data.split(',').skip(1).map(str::to_owned).collect();
        self.send_event(json!({"type": "ChannelStateChange"}), id);
        self.tell_dial("ANSWER", id);
        self.send_event(json!({"type": "StasisStart", "args": args}), id);
    }

    fn add(&mut self, bridge: &str, channels: &str) -> (u16, Value) {
        for id in channels.split(',') {
            let here = self.channels.get(id).is_some_and(|line| line.stasis && line.state == "Up");
            let Some((_, members)) = self.bridges.get_mut(bridge).filter(|_| here) else {
                // Who hangs up just then is not there any more, and nobody could know.
                if self.channels.contains_key(id) || !self.dialled.contains(id) {
                    self.illegal.push(format!("{id} into {bridge}"));
                }
                return (422, json!({"message": "Channel not in Stasis application"}));
            };
            if !members.iter().any(|member| member == id) {
                members.push(id.to_owned());
            }
            let bridge = self.bridge(bridge);
            self.send_event(json!({"type": "ChannelEnteredBridge", "bridge": bridge}), id);
        }
        (204, Value::Null)
    }

    fn destroy(&mut self, id: &str, cause: u32) {
        self.send_event(json!({"type": "ChannelHangupRequest", "cause": 32, "soft": true}), id);
        if self.channels.get(id).is_some_and(|line| line.stasis) {
            self.leave(id);
        }
        self.send_event(
            json!({"type": "ChannelDestroyed", "cause": cause, "cause_txt": "text"}),
            id,
        );
        self.channels.remove(id);
    }

    fn leave(&mut self, id: &str) {
        for (_, members) in self.bridges.values_mut() {
            members.retain(|member| member != id);
        }
        self.send_event(json!({"type": "ChannelLeftBridge"}), id);
        self.send_event(json!({"type": "StasisEnd"}), id);
        self.channels.get_mut(id).unwrap().stasis = false;
    }

    fn bridge(&self, id: &str) -> Value {
        let (name, members) = &self.bridges[id];
        json!({"id": id, "name": name, "channels": members, "bridge_type": "mixing"})
    }

    fn tell_dial(&mut self, status: &str, id: &str) {
        let peer = self.channels[id].json(id);
        let event = json!({"type": "Dial", "dialstatus": status, "peer": peer});
        self.emit(event);
    }

    fn send_event(&mut self, mut event: Value, id: &str) {
        if let Some(line) = self.channels.get(id) {
            event["channel"] = line.json(id);
        }
        self.emit(event);
    }

    fn emit(&mut self, mut event: Value) {
        self.clock += 1;
        let (second, millis) = (self.clock / 1000 % 60, self.clock % 1000);
        event["timestamp"] = format!("2026-11-22T02:00:{second:02}.{millis:03}+0000").into();
        let frame = Frame::text(event.to_string());
        if self.listener.as_ref().is_some_and(|listener| listener.send(frame).is_err()) {
            self.listener = None;
        }
    }
}
