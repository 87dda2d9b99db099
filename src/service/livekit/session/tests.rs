//! A participant's signalling in virtual time, against a server of a few lines.

use super::super::proto::{
    LeaveRequest, MediaSectionsRequirement, ParticipantUpdate, ReconnectResponse, Room, SessionDescription, TrackInfo,
    TrickleRequest,
};
use super::*;

const SID: &str = "PA_own";

/// A session, its time, and what it has wanted so far.
struct Rig {
    session: Session,
    now: Instant,
    out: Vec<SessionOutput>,
    offers: u32,
}

impl Rig {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new(part: Part) -> Self {
        let mut rig = Self { session: Session::new(part, "cid".to_owned(), 7), now: Instant::now(), out: Vec::new(), offers: 0 };
        rig.collect();
        rig
    }

    /// One that is in the room and has sound.
    fn connected(part: Part) -> Self {
        let mut rig = Self::new(part);
        rig.join();
        rig.input(SessionInput::Peer(RemotePeerEvent::Connected));
        rig.out.clear();
        rig
    }

    fn join(&mut self) {
        self.input(SessionInput::Opened);
        let others = vec![one("PA_anna", "anna", 1)];
        let join = JoinResponse {
            room: Some(Room { active_recording: true, ..Room::default() }),
            participant: Some(ParticipantInfo { sid: SID.to_owned(), ..ParticipantInfo::default() }),
            other_participants: others,
            ping_interval: 5,
            ping_timeout: 15,
            ..JoinResponse::default()
        };
        self.hear(Response::Join(Box::new(join)));
        if self.session.part == Part::Microphone {
            let track = Some(TrackInfo { sid: "TR_own".to_owned(), ..TrackInfo::default() });
            self.hear(Response::TrackPublished(TrackPublishedResponse { cid: "cid".to_owned(), track }));
        }
        self.answer();
    }

    /// The peer connection offers and the server answers, as often as that is wanted.
    fn answer(&mut self) {
        while self.out.iter().any(|output| matches!(output, SessionOutput::MakeOffer(_))) {
            self.out.retain(|output| !matches!(output, SessionOutput::MakeOffer(_)));
            self.offers += 1;
            let offers = self.offers;
            self.input(SessionInput::Offer(Some(format!("offer {offers}"))));
            let id =
                self.sent().into_iter().find_map(|sent| if let Request::Offer(offer) = sent { Some(offer.id) } else { None });
            self.out.retain(|output| !matches!(output, SessionOutput::Send(_)));
            self.hear(Response::Answer(SessionDescription { id: id.expect("an offer"), ..SessionDescription::default() }));
            self.input(SessionInput::Answered(true));
        }
    }

    fn collect(&mut self) {
        self.out.extend(std::iter::from_fn(|| self.session.poll()));
    }

    fn input(&mut self, input: SessionInput) {
        self.session.handle(self.now, input);
        self.collect();
    }

    fn hear(&mut self, response: Response) {
        self.input(SessionInput::Frame(SignalResponse { message: Some(response) }.encode_to_vec()));
    }

    /// Time goes by, and the session is woken when it wants to be.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.session.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.session.wake(self.now);
            self.collect();
        }
        self.now = until;
    }

    fn sent(&self) -> Vec<Request> {
        let frames =
            self.out.iter().filter_map(|output| if let SessionOutput::Send(bytes) = output { Some(bytes) } else { None });
        frames.map(|bytes| SignalRequest::decode(bytes.as_slice()).expect("a request").message.expect("a message")).collect()
    }

    fn events(&self) -> Vec<SessionEvent> {
        let event = |output: &SessionOutput| if let SessionOutput::Event(event) = output { Some(event.clone()) } else { None };
        self.out.iter().filter_map(event).collect()
    }

    fn connects(&self) -> Vec<Option<String>> {
        let connect =
            |output: &SessionOutput| if let SessionOutput::Connect { resume } = output { Some(resume.clone()) } else { None };
        self.out.iter().filter_map(connect).collect()
    }
}

fn one(sid: &str, identity: &str, version: u32) -> ParticipantInfo {
    let (sid, identity) = (sid.to_owned(), identity.to_owned());
    let track = TrackInfo { sid: format!("TR_{identity}"), source: TrackSource::Microphone.into(), ..TrackInfo::default() };
    ParticipantInfo { sid, identity, version, state: 2, tracks: vec![track], ..ParticipantInfo::default() }
}

fn subscribed(rig: &Rig) -> Vec<(Vec<String>, bool)> {
    let change = |sent| if let Request::Subscription(change) = sent { Some((change.track_sids, change.subscribe)) } else { None };
    rig.sent().into_iter().filter_map(change).collect()
}

#[test]
fn an_ear_joins_subscribes_to_sound_and_offers() {
    let mut rig = Rig::new(Part::Ear);
    assert_eq!(rig.out, [SessionOutput::Connect { resume: None }]);
    rig.join();
    assert_eq!(rig.offers, 1);
    assert!(rig.events().contains(&SessionEvent::Room { recorded: true, metadata: String::new() }));
    rig.out.clear();
    let camera = TrackInfo { sid: "TR_camera".to_owned(), r#type: TrackType::Video.into(), ..TrackInfo::default() };
    let mut bert = one("PA_bert", "bert", 1);
    bert.tracks.push(camera);
    rig.hear(Response::Update(ParticipantUpdate { participants: vec![bert.clone()] }));
    assert_eq!(subscribed(&rig), [(vec!["TR_bert".to_owned()], true)]);
    rig.hear(Response::Update(ParticipantUpdate { participants: vec![bert] }));
    assert_eq!(subscribed(&rig).len(), 1, "a repeat is harmless");
}

#[test]
fn one_offer_is_on_its_way_at_a_time() {
    let mut rig = Rig::connected(Part::Ear);
    let lines = |num_audios| Response::MediaSections(MediaSectionsRequirement { num_audios });
    rig.hear(lines(2));
    rig.hear(lines(0));
    rig.hear(lines(3));
    assert_eq!(rig.out, [SessionOutput::MakeOffer(OfferRequest { audio_lines: 2, restart_ice: false })]);
    rig.out.clear();
    rig.input(SessionInput::Offer(Some("offer".to_owned())));
    let old = SessionDescription { id: 1, ..SessionDescription::default() };
    rig.hear(Response::Answer(old));
    assert!(!rig.out.iter().any(|output| matches!(output, SessionOutput::Answer(_))), "an answer to an older offer");
    rig.hear(Response::Answer(SessionDescription { id: 2, ..SessionDescription::default() }));
    rig.input(SessionInput::Answered(true));
    assert_eq!(rig.out.last(), Some(&SessionOutput::MakeOffer(OfferRequest { audio_lines: 3, restart_ice: false })));
}

#[test]
fn a_microphone_is_published_and_shown_as_its_owner_says() {
    let mut rig = Rig::new(Part::Microphone);
    rig.input(SessionInput::Mute(true));
    rig.input(SessionInput::Opened);
    assert!(rig.sent().is_empty());
    rig.join();
    rig.input(SessionInput::Peer(RemotePeerEvent::Connected));
    rig.out.clear();
    let mute = |muted| MuteTrackRequest { sid: "TR_own".to_owned(), muted };
    rig.input(SessionInput::Mute(false));
    rig.input(SessionInput::Mute(false));
    assert_eq!(rig.sent(), [Request::Mute(mute(false))]);
    rig.hear(Response::Mute(mute(true)));
    rig.hear(Response::Mute(mute(true)));
    rig.hear(Response::Mute(MuteTrackRequest { sid: "TR_other".to_owned(), muted: false }));
    assert_eq!(rig.events(), [SessionEvent::Muted(true)]);
    assert_eq!(rig.offers, 1);
}

#[test]
fn pings_go_out_and_silence_is_a_loss() {
    let mut rig = Rig::connected(Part::Ear);
    rig.pass(Duration::from_millis(14_900));
    assert_eq!(rig.sent(), [Request::Ping(Ping { timestamp: 0 }), Request::Ping(Ping { timestamp: 0 })]);
    assert!(rig.connects().is_empty());
    rig.pass(Duration::from_millis(400));
    assert_eq!(rig.connects(), [Some(SID.to_owned())]);
    assert!(rig.events().is_empty(), "sound goes on all the time");
}

#[test]
fn a_lost_web_socket_is_resumed_with_all_that_was() {
    let mut rig = Rig::connected(Part::Ear);
    rig.input(SessionInput::Closed(None));
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.connects(), [Some(SID.to_owned())]);
    rig.input(SessionInput::Opened);
    rig.hear(Response::Reconnect(ReconnectResponse { last_message_seq: 0 }));
    let sent = rig.sent();
    let Some(Request::SyncState(state)) = sent.first() else { panic!("{sent:?}") };
    assert_eq!(state.subscription.as_ref().map(|all| all.track_sids.clone()), Some(vec!["TR_anna".to_owned()]));
    assert!(state.offer.is_some() && state.answer.is_some());
    assert_eq!(rig.out.last(), Some(&SessionOutput::MakeOffer(OfferRequest { audio_lines: 0, restart_ice: true })));
    assert!(!rig.out.contains(&SessionOutput::NewPeer) && rig.events().is_empty());
}

#[test]
fn a_presence_that_the_server_has_forgotten_is_joined_anew() {
    let mut rig = Rig::connected(Part::Ear);
    rig.input(SessionInput::Closed(None));
    rig.pass(Duration::from_millis(200));
    rig.input(SessionInput::Opened);
    // STATE_MISMATCH; the server closes the WebSocket after it.
    rig.hear(Response::Leave(LeaveRequest { reason: 6, action: LeaveAction::Reconnect.into() }));
    rig.input(SessionInput::Closed(None));
    rig.pass(Duration::from_millis(1_300));
    assert_eq!(rig.connects(), [Some(SID.to_owned()), None], "one attempt, whatever was closed");
    rig.out.clear();
    rig.join();
    assert!(rig.out.contains(&SessionOutput::NewPeer));
    assert_eq!(rig.offers, 2);
}

#[test]
fn a_server_that_is_away_is_tried_until_it_is_back() {
    let mut rig = Rig::new(Part::Ear);
    rig.input(SessionInput::Closed(Some(503)));
    assert_eq!(rig.events(), [SessionEvent::Connected(false)]);
    for _ in 0..60 {
        rig.pass(Duration::from_millis(1_200));
        rig.input(SessionInput::Closed(None));
    }
    assert_eq!(rig.connects().len(), 61);
    rig.pass(Duration::from_secs(2));
    rig.join();
    rig.out.clear();
    rig.input(SessionInput::Peer(RemotePeerEvent::Connected));
    assert_eq!(rig.events(), [SessionEvent::Connected(true)]);
}

#[test]
fn a_lost_path_is_restarted_and_then_replaced() {
    let mut rig = Rig::connected(Part::Ear);
    for _ in 0..2 {
        rig.input(SessionInput::Peer(RemotePeerEvent::Disconnected));
        rig.pass(PATH_LOST + Duration::from_millis(200));
        assert_eq!(rig.connects(), [Some(SID.to_owned())], "each loss is resumed at first");
        rig.out.clear();
        rig.input(SessionInput::Opened);
        rig.hear(Response::Reconnect(ReconnectResponse { last_message_seq: 0 }));
        rig.answer();
        rig.input(SessionInput::Peer(RemotePeerEvent::Connected));
        rig.out.clear();
    }
    rig.input(SessionInput::Peer(RemotePeerEvent::Disconnected));
    rig.pass(PATH_LOST + Duration::from_millis(200));
    rig.input(SessionInput::Opened);
    rig.hear(Response::Reconnect(ReconnectResponse { last_message_seq: 0 }));
    rig.answer();
    rig.out.clear();
    rig.pass(CONNECTS_WITHIN + Duration::from_millis(1_300));
    assert_eq!(rig.connects(), [None]);
}

#[test]
fn who_is_sent_away_for_good_stays_away() {
    let mut rig = Rig::connected(Part::Microphone);
    rig.hear(Response::Leave(LeaveRequest { reason: 4, action: LeaveAction::Disconnect.into() }));
    rig.input(SessionInput::Closed(None));
    rig.input(SessionInput::Peer(RemotePeerEvent::Failed));
    rig.pass(Duration::from_secs(600));
    assert_eq!(rig.out, [SessionOutput::Event(SessionEvent::Over(4))]);
    assert_eq!(rig.session.deadline(), None);
}

#[test]
fn leaving_says_so() {
    let mut rig = Rig::connected(Part::Ear);
    rig.input(SessionInput::Leave);
    assert_eq!(rig.sent(), [Request::Leave(LeaveRequest { reason: 1, action: LeaveAction::Disconnect.into() })]);
    assert_eq!(rig.events(), [SessionEvent::Over(1)]);
}

#[test]
fn candidates_are_taken_and_what_cannot_be_read_is_not() {
    let mut rig = Rig::connected(Part::Ear);
    let trickle = |init: &str| Response::Trickle(TrickleRequest { candidate_init: init.to_owned(), target: 0, r#final: false });
    rig.hear(trickle(r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 7882 typ host","sdpMid":"0"}"#));
    for odd in [r#"{"candidate":""}"#, r#"{"candidate":7}"#, "{", ""] {
        rig.hear(trickle(odd));
    }
    rig.input(SessionInput::Frame(vec![0xff; 30]));
    rig.input(SessionInput::Frame(Vec::new()));
    let candidate = "candidate:1 1 udp 1 127.0.0.1 7882 typ host".to_owned();
    assert_eq!(rig.out, [SessionOutput::Candidate(candidate)]);
}
