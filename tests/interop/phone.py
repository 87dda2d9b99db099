"""A SIP phone on PJSIP (PyPI pjsua2-python), told what to do by lines of JSON on standard input; it prints what happens.

phone.py PORT VOICE.wav MUSIC.wav HEARD.wav ACCOUNT

ACCOUNT is JSON: {"transport": "udp", "registrar": "sip:…", "user": "…", "password": "…", "ca": "authorities.pem", "strict": true,
"mailbox": true,
"srtp": "AES_256_CM_HMAC_SHA1_80"}, all optional; one with srtp encrypts its calls by SDES with this suite and takes no other; one with a mailbox asks for its messages (SUBSCRIBE message-summary); a strict one requires session timers and reliable provisional responses.

    {"do": "call", "uri": "sip:…"}   {"do": "press", "keys": "*6"}   {"do": "hold"}   {"do": "resume"}
    {"do": "write", "text": "…"}   {"do": "transfer", "uri": "sip:…"}   {"do": "consult", "uri": "sip:…"}   {"do": "join"}   {"do": "hang-up"}

To consult is to make a second call; to join is to hand the first one over to whoever was consulted (REFER with Replaces).

It sends VOICE while talking and MUSIC while it holds, and writes what it hears into HEARD from the first call on, also across
holds. It speaks PCMU: PJSIP's G.722 is 6 dB too loud in what it hears and too faint in what it says until something has clipped. Events: answered, held, talking, pressed, key (pressed by the other side), transferred (with the
final SIP status that the other side has told of it), ended (with the SIP status), registered (with the SIP status), and ready at the start.
"""

import json
import select
import sys
import time

import pjsua2 as pj

PORT, VOICE, MUSIC, HEARD = int(sys.argv[1]), *sys.argv[2:5]
ACCOUNT = json.loads(sys.argv[5])

# PJSIP sends each digit for 200 ms; the next may follow after a breath.
DIGIT_SECONDS = 0.3


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Call(pj.Call):
    def onCallState(self, _):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            tell("answered")
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            tell("ended", status=info.lastStatusCode, reason=info.lastReason)

    def onCallMediaState(self, _):
        info = self.getInfo()  # Kept: its list of media goes with it.
        for media in info.media:
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self.send(voice, music)
                tell("talking")
            elif media.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
                self.send(music, voice)
                tell("held")
            elif media.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD:
                self.getAudioMedia(-1).startTransmit(recorder)

    def onCallTransferStatus(self, status):
        if status.finalNotify:
            tell("transferred", status=status.statusCode)

    def onInstantMessage(self, message):
        tell("read", text=message.msgBody)

    def onInstantMessageStatus(self, status):
        tell("written", status=status.code)

    def onCallReplaced(self, replaced):
        global call
        call = Call(account, replaced.newCallId)
        tell("replaced")

    def onDtmfDigit(self, pressed):
        tell("key", key=pressed.digit)

    def send(self, wanted, unwanted):
        line = self.getAudioMedia(-1)
        try:
            unwanted.stopTransmit(line)
        except pj.Error:
            pass  # It was not connected.
        wanted.startTransmit(line)
        line.startTransmit(recorder)


class Account(pj.Account):
    def onRegState(self, state):
        tell("registered", status=state.code)

    def onMwiInfo(self, info):
        tell("mailbox", state=int(info.state), text=info.rdata.wholeMsg.split("\r\n\r\n", 1)[-1])

    def onIncomingCall(self, incoming):
        global call
        call = Call(self, incoming.callId)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        call.answer(answer)


def player(path):
    made = pj.AudioMediaPlayer()
    made.createPlayer(path)
    return made


def set_up():
    settings = pj.EpConfig()
    settings.logConfig.level = settings.logConfig.consoleLevel = 0
    settings.uaConfig.threadCnt, settings.uaConfig.mainThreadOnly = 0, True
    settings.medConfig.clockRate = settings.medConfig.sndClockRate = 8000
    settings.medConfig.ecTailLen, settings.medConfig.noVad, settings.medConfig.quality = 0, True, 10
    settings.medConfig.sndAutoCloseTime = -1
    endpoint.libCreate()
    endpoint.libInit(settings)
    transport = pj.TransportConfig()
    transport.boundAddress = transport.publicAddress = "127.0.0.1"
    transport.port = PORT
    kinds = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
    if "ca" in ACCOUNT:
        transport.tlsConfig.CaListFile, transport.tlsConfig.verifyServer = ACCOUNT["ca"], True
        transport.tlsConfig.method = pj.PJSIP_TLSV1_2_METHOD
    carried = endpoint.transportCreate(kinds[ACCOUNT.get("transport", "udp")], transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMU/") else 0)
    account = pj.AccountConfig()
    account.idUri = f"sip:{ACCOUNT.get('user', f'room-{PORT}')}@127.0.0.1:{PORT}"
    account.sipConfig.transportId = carried
    if "registrar" in ACCOUNT:
        account.idUri = f"sip:{ACCOUNT['user']}@127.0.0.1"
        account.regConfig.registrarUri = ACCOUNT["registrar"]
        account.regConfig.retryIntervalSec = 0
        account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", ACCOUNT["user"], 0, ACCOUNT["password"]))
    account.mwiConfig.enabled = bool(ACCOUNT.get("mailbox"))
    if ACCOUNT.get("strict"):
        # The shortest session that PJSIP knows.
        account.callConfig.timerUse = pj.PJSUA_SIP_TIMER_REQUIRED
        account.callConfig.timerMinSESec = account.callConfig.timerSessExpiresSec = 90
        account.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
    if "srtp" in ACCOUNT:
        account.mediaConfig.srtpUse, account.mediaConfig.srtpSecureSignaling = pj.PJMEDIA_SRTP_MANDATORY, 0
        suite = pj.SrtpCrypto()
        suite.name = ACCOUNT["srtp"]
        account.mediaConfig.srtpOpt.cryptos.append(suite)
        account.mediaConfig.srtpOpt.keyings.append(pj.PJMEDIA_SRTP_KEYING_SDES)
    media = account.mediaConfig.transportConfig
    media.boundAddress = media.publicAddress = "127.0.0.1"
    media.port, media.portRange = 30000 + PORT % 1000 * 20, 18
    made = Account()
    made.create(account)
    return made


endpoint = pj.Endpoint()
call, second, keys, next_key = None, None, "", 0.0
account = set_up()
voice, music, recorder = player(VOICE), player(MUSIC), pj.AudioMediaRecorder()
recorder.createRecorder(HEARD)
tell("ready")
running = True
while running:
    endpoint.libHandleEvents(10)
    if keys and time.monotonic() >= next_key:
        press = pj.CallSendDtmfParam()
        press.digits, press.method = keys[0], pj.PJSUA_DTMF_METHOD_RFC2833
        call.sendDtmf(press)
        keys, next_key = keys[1:], time.monotonic() + DIGIT_SECONDS
        if not keys:
            tell("pressed")
    if not select.select([sys.stdin], [], [], 0)[0]:
        continue
    line = sys.stdin.readline()
    if not line:
        break
    order = json.loads(line)
    option = pj.CallOpParam(True)
    option.opt.audioCount, option.opt.videoCount = 1, 0
    if order["do"] == "call":
        call = Call(account)
        call.makeCall(order["uri"], option)
    elif order["do"] == "press":
        keys = order["keys"]
    elif order["do"] == "hold":
        call.setHold(pj.CallOpParam())
    elif order["do"] == "resume":
        option.opt.flag = pj.PJSUA_CALL_UNHOLD
        call.reinvite(option)
    elif order["do"] == "transfer":
        call.xfer(order["uri"], pj.CallOpParam())
    elif order["do"] == "write":
        message = pj.SendInstantMessageParam()
        message.contentType, message.content = "text/plain", order["text"]
        call.sendInstantMessage(message)
    elif order["do"] == "consult":
        second = Call(account)
        second.makeCall(order["uri"], option)
    elif order["do"] == "join":
        call.xferReplaces(second, pj.CallOpParam())
    elif order["do"] == "hang-up":
        call.hangup(pj.CallOpParam())
call = second = voice = music = recorder = None
account.shutdown()
endpoint.libDestroy()
