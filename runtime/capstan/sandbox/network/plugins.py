"""Plugins of shop systems: registered, and told what they can offer."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.network.family import krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.resources import find
from capstan.sandbox.state import view
from capstan.sandbox.web import Answer, Call

_PLUGINS: Final = "network-plugins"

operations = Operations()


@operations("POST", "/v2/plugins")
def register_plugin(call: Call) -> Answer:
    body = read_body(call, "register-plugin")
    id_ = krn(call.account, "plugin", "installation")
    plugin = {
        "plugin_id": id_,
        **{n: v for n, v in body.items() if n != "codeChallenge"},
        "_account": call.params[ACCOUNT],
    }
    call.put(_PLUGINS, id_, plugin)
    return Answer(200, {**view(plugin), "registrationUrl": f"{call.public_url}/sandbox"})


@operations("POST", "/v2/plugins/{plugin_id}/features")
def read_features(call: Call) -> Answer:
    read_body(call, "read-plugin-features")
    plugin = find(call, _PLUGINS, call.params["plugin_id"], "The plugin")
    features = [{"feature": name, "available": True} for name in ("PAYMENTS", "ON_SITE_MESSAGING", "EXPRESS_CHECKOUT")]
    return Answer(200, {"plugin_id": plugin["plugin_id"], "features": features})


ROUTES: Final = operations.routes
