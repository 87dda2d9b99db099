"""People in rooms of a LiveKit server, by its own SDK (PyPI livekit, with libwebrtc), told what to do by lines of JSON on standard input; it
prints what happens to them.

sfu_people.py URL KEY SECRET FOLDER

    {"do": "join", "who": "anna", "room": "board", "hertz": 611, "kind": "standard", "recorder": true, "deaf": true}
        joins as somebody who says a tone of -18 dBov, or nothing without "hertz"; a recorder is hidden, as LiveKit's own is; who is deaf
        subscribes to nobody
    {"do": "leave", "who": "anna"}   {"do": "silent", "who": "anna", "on": true}
    {"do": "say", "who": "anna", "text": "hello", "to": "identity"}   {"do": "attributes", "who": "anna", "set": {"handRaisedAt": "1"}}
    {"do": "mute", "room": "board", "identity": "...", "on": true}   {"do": "remove", "room": "board", "identity": "..."}
    {"do": "metadata", "room": "board", "text": "..."}   {"do": "delete", "room": "board"}   {"do": "list", "room": "board"}

What somebody hears of whom is written to FOLDER/WHO-hears-IDENTITY.wav. Events: ready, joined, left, came (with identity, name, kind,
attributes), went, heard (a track is received), muted, unmuted, speaking (identities), chat, changed (name or attributes), recording, and
listed; each with who it happened to.
"""

import asyncio
import json
import sys
import wave

import numpy as np
from livekit import api, rtc

URL, KEY, SECRET, FOLDER = sys.argv[1:5]
RATE = 48000
FRAME = RATE // 100
# Frames of a file that is still written: as many as its header can say.
ENDLESS = 0x3FFFFFFF
# The level of a sine of -18 dBov, as ITU-T G.711 counts: its mean power is that much below that of a full-scale square wave.
AMPLITUDE = 32768 * 10 ** (-18 / 20) * 2**0.5


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Person:
    def __init__(self, who):
        self.who, self.room, self.files, self.tasks, self.publication = who, rtc.Room(), {}, [], None
        for event, told in {
            "participant_connected": lambda p: self.tell("came", **person(p)),
            "participant_disconnected": lambda p: self.tell("went", identity=p.identity),
            "participant_name_changed": lambda p, *_: self.tell("changed", **person(p)),
            "participant_attributes_changed": lambda _, p: self.tell("changed", **person(p)),
            "track_muted": lambda p, _: self.tell("muted", identity=p.identity),
            "track_unmuted": lambda p, _: self.tell("unmuted", identity=p.identity),
            "active_speakers_changed": lambda all: self.tell("speaking", identities=[p.identity for p in all]),
            "track_subscribed": lambda track, _, p: self.hear(track, p),
            "disconnected": lambda reason: self.tell("left", reason=str(reason)),
        }.items():
            self.room.on(event, told)
        self.room.register_text_stream_handler("lk.chat", lambda reader, identity: self.go(self.read(reader, identity)))

    def tell(self, event, **more):
        tell(event, who=self.who, **more)

    def go(self, task):
        self.tasks.append(asyncio.ensure_future(task))

    async def read(self, reader, identity):
        self.tell("chat", identity=identity, text=await reader.read_all())

    def hear(self, track, participant):
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.tell("heard", identity=participant.identity)
            self.go(self.write(track, participant.identity))

    async def write(self, track, identity):
        if identity not in self.files:
            self.files[identity] = wave.open(f"{FOLDER}/{self.who}-hears-{identity}.wav", "wb")
            self.files[identity].setparams((1, 2, RATE, ENDLESS, "NONE", "not compressed"))
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
            self.files[identity].writeframes(bytes(event.frame.data))
            self.files[identity]._file.flush()

    async def say_tone(self, hertz):
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        self.publication = await self.room.local_participant.publish_track(track, options)
        at = 0
        while True:
            samples = AMPLITUDE * np.sin(2 * np.pi * hertz * (np.arange(FRAME) + at) / RATE)
            at += FRAME
            await source.capture_frame(rtc.AudioFrame(samples.astype(np.int16).tobytes(), RATE, 1, FRAME))


def person(p):
    return {"identity": p.identity, "name": p.name, "kind": int(p.kind), "attributes": dict(p.attributes)}


people = {}


async def join(order):
    who = order["who"]
    recorder = order.get("recorder", False)
    grants = api.VideoGrants(
        room_join=True, room=order["room"], recorder=recorder, hidden=recorder, can_update_own_metadata=True
    )
    token = api.AccessToken(KEY, SECRET).with_identity(who).with_name(order.get("name", who)).with_grants(grants)
    if "kind" in order:
        token = token.with_kind(order["kind"])
    people[who] = one = Person(who)
    await one.room.connect(URL, token.to_jwt(), rtc.RoomOptions(auto_subscribe=not order.get("deaf", False)))
    if "hertz" in order:
        one.go(one.say_tone(order["hertz"]))
    tell("joined", who=who, others=[person(p) for p in one.room.remote_participants.values()])


async def obey(order, server):
    do, who, room = order["do"], people.get(order.get("who")), order.get("room")
    if do == "join":
        await join(order)
    elif do == "leave":
        await who.room.disconnect()
    elif do == "silent":
        track = who.publication.track
        track.mute() if order["on"] else track.unmute()
    elif do == "say":
        to = [order["to"]] if "to" in order else None
        await who.room.local_participant.send_text(order["text"], topic="lk.chat", destination_identities=to)
    elif do == "attributes":
        await who.room.local_participant.set_attributes(order["set"])
    elif do == "mute":
        found = await server.room.get_participant(api.RoomParticipantIdentity(room=room, identity=order["identity"]))
        for track in found.tracks:
            wanted = api.MuteRoomTrackRequest(room=room, identity=order["identity"], track_sid=track.sid, muted=order["on"])
            await server.room.mute_published_track(wanted)
    elif do == "remove":
        await server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=order["identity"]))
    elif do == "metadata":
        await server.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=room, metadata=order["text"]))
    elif do == "delete":
        await server.room.delete_room(api.DeleteRoomRequest(room=room))
    elif do == "list":
        found = await server.room.list_participants(api.ListParticipantsRequest(room=room))
        tell("listed", people=[{"identity": p.identity, "name": p.name, "kind": int(p.kind), "state": int(p.state)} for p in found.participants])


async def main():
    server = api.LiveKitAPI(URL.replace("ws", "http", 1), KEY, SECRET)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tell("ready")
    while line := await lines.readline():
        order = json.loads(line)
        try:
            await obey(order, server)
        except Exception as error:  # The scenario waits for what did not happen, and shows this.
            tell("failed", order=order, error=repr(error))


asyncio.run(main())
