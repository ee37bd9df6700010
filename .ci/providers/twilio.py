"""Twilio's Python library as the other side.

Usage: twilio.py sign FILE     writes requests that the library signed
       twilio.py judge FILE    judges tokens, signatures, instructions and hosts that we made
"""

import json
import sys
import time
import xml.etree.ElementTree as xml

# The folder of this file must not stand in the way of the library of the same name.
sys.path.pop(0)

from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import VoiceGrant
from twilio.request_validator import RequestValidator, get_signature_algorithm
from twilio.rest import Client
from twilio.twiml.voice_response import Dial, VoiceResponse

AUTH_TOKEN, SHARED_KEY, KEY_SECRET = "auth-token-9a8b7c", "shared-key-5d6e7f", "key-secret-1f2e3d"
HOOK = "https://desk.example.com/webhooks/contoso_voice"
SHARED = "key=SH1,algorithm=HMAC_SHA256"


class Params(dict):
    """A form with repeated names, as Twilio's library takes it from frameworks."""

    def getall(self, name):
        return self[name]


def grouped(pairs):
    params = Params()
    for name, value in pairs:
        params.setdefault(name, []).append(value)
    return params


def sign(path):
    forms = [
        [["CallSid", "CA" + "a" * 32], ["CallStatus", "busy"], ["To", "client:kim_2Elee"]],
        [["z", ""], ["Caller", "Jörg & Söhne"], ["a b", "x=y&'\"%27"], ["Z", "+ ~"]],
        [["Media", "b"], ["Media", "a"], ["Media", "b"]],
    ]
    urls = [HOOK + "?call_id=7", "https://desk.example.com:8443/a?x=%20y", "http://desk.example.com/España"]
    made = []
    for key, settings in [(AUTH_TOKEN, None), (SHARED_KEY, SHARED)]:
        validator = RequestValidator(key)
        algorithm = get_signature_algorithm(settings)
        for url in urls:
            for form in forms:
                signature = validator.compute_signature(url, grouped(form), algorithm)
                made.append(dict(url=url, params=form, json=None, signature=signature, settings=settings))
        body = json.dumps({"event": "süß"})
        url = f"{HOOK}?bodySHA256={validator.compute_hash(body)}"
        signature = validator.compute_signature(url, {}, algorithm)
        made.append(dict(url=url, params=[], json=body, signature=signature, settings=settings))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(made, file)
    print(f"python: signed {len(made)} requests")


def judge_token(ours, token, region):
    AccessToken.from_jwt(token, key=KEY_SECRET)
    try:
        AccessToken.from_jwt(token, key="another")
    except Exception:
        pass
    else:
        raise SystemExit("the library accepts a token that another key signed")
    theirs = AccessToken(
        ours["account_sid"], ours["api_key_sid"], KEY_SECRET, identity=ours["identity"], region=region
    )
    grant = VoiceGrant(incoming_allow=True, outgoing_application_sid=ours["application_sid"])
    theirs.add_grant(grant)
    # The same moment for both.
    begun = decoded(token)[1]["nbf"]
    now, time.time = time.time, lambda: begun
    try:
        made = theirs.to_jwt()
    finally:
        time.time = now
    assert decoded(token) == decoded(made), (decoded(token), decoded(made))


def decoded(token):
    import jwt

    claims = jwt.decode(token, KEY_SECRET, algorithms=["HS256"])
    return jwt.get_unverified_header(token), claims


def judge_twiml(to, callback, text):
    response, dial = VoiceResponse(), Dial(caller_id="+14155550199")
    noun = dial.number if to.startswith("+") else dial.sip
    events = "initiated ringing answered completed"
    noun(to, status_callback=callback, status_callback_method="POST", status_callback_event=events)
    response.append(dial)
    assert xml.canonicalize(text) == xml.canonicalize(str(response)), (text, str(response))


def judge(path):
    with open(path, encoding="utf-8") as file:
        ours = json.load(file)
    for token, region in zip(ours["tokens"], [None, "ie1"], strict=True):
        judge_token(ours, token, region)
    for signed in ours["signed"]:
        validator = RequestValidator(SHARED_KEY if signed["settings"] else AUTH_TOKEN)
        algorithm = get_signature_algorithm(signed["settings"])
        params = grouped(signed["params"])
        assert validator.validate(signed["url"], params, signed["signature"], algorithm), signed
        assert not validator.validate(signed["url"] + "x", params, signed["signature"], algorithm)
    for to, callback, text in ours["twiml"]:
        judge_twiml(to, callback, text)
    for edge, region, host in ours["hosts"]:
        client = Client("AC", "token", edge=edge, region=region)
        expected = client.get_hostname("https://api.twilio.com")
        assert host == expected, (host, expected)
    counts = {name: len(ours[name]) for name in ("tokens", "signed", "twiml", "hosts")}
    print("python: accepted", ", ".join(f"{count} {name}" for name, count in counts.items()))


{"sign": sign, "judge": judge}[sys.argv[1]](sys.argv[2])
