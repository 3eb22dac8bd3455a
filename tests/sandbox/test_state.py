"""Transactions are whole or nothing, and a database file tells the same as memory, also after a kill."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.sandbox.assemble import create_app
from capstan.sandbox.state import EVERYBODY, Document, State, StateError
from sandbox.client import Client
from sandbox.process import Process, refused, sandbox_process

NOBODY = 65534


def put(state: State, id_: str, document: Document, *, owner: str = "a", kind: str = "k") -> None:
    transaction = state.transaction()
    transaction.put(owner, kind, id_, document)
    transaction.commit()


def everything(state: State, owner: str = "a", kind: str = "k") -> list[tuple[str, Document]]:
    return list(state.transaction().items(owner, kind))


# --- transactions


def test_others_see_a_change_when_it_is_committed() -> None:
    state = State()
    mine, other = state.transaction(), state.transaction()
    mine.put("a", "k", "1", {"n": 1})
    assert mine.get("a", "k", "1") == {"n": 1}
    assert other.get("a", "k", "1") is None
    mine.commit()
    assert other.get("a", "k", "1") == {"n": 1}


def test_what_is_discarded_was_never_there() -> None:
    state = State()
    put(state, "1", {"n": 1})
    transaction = state.transaction()
    transaction.put("a", "k", "1", {"n": 2})
    transaction.delete("a", "k", "1")
    transaction.put("a", "k", "2", {})
    transaction.discard()
    transaction.commit()
    assert everything(state) == [("1", {"n": 1})]


def test_what_is_read_is_a_copy() -> None:
    state = State()
    put(state, "1", {"list": [1]})
    found = state.transaction().get("a", "k", "1")
    assert found is not None
    found["list"].append(2)
    assert everything(state) == [("1", {"list": [1]})]


def test_owners_and_kinds_are_kept_apart() -> None:
    state = State()
    put(state, "1", {}, owner="a")
    put(state, "2", {}, owner="b")
    put(state, "3", {}, kind="other")
    assert [id_ for id_, _ in everything(state)] == ["1"]
    transaction = state.transaction()
    transaction.put("c", "k", "4", {})
    assert [transaction.owner_of("k", id_) for id_ in ("1", "2", "3", "4")] == ["a", "b", None, "c"]


@pytest.mark.parametrize("end", ["commit", "go on"])
def test_ids_are_those_of_items_within_a_transaction_too(end: str) -> None:
    state = State()
    for id_ in ("1", "2", "3"):
        put(state, id_, {})
    transaction = state.transaction()
    transaction.delete("a", "k", "2")
    transaction.put("a", "k", "4", {})
    transaction.put("a", "k", "1", {"again": True})
    if end == "commit":
        transaction.commit()
    assert transaction.ids("a", "k") == [id_ for id_, _ in transaction.items("a", "k")] == ["1", "3", "4"]


def test_an_emptied_folder_is_forgotten() -> None:
    state = State()
    put(state, "1", {})
    transaction = state.transaction()
    transaction.delete("a", "k", "1")
    transaction.commit()
    assert (state.owners("k"), everything(state)) == ([], [])
    put(state, "2", {})
    assert (state.owners("k"), everything(state)) == (["a"], [("2", {})])


# --- the file

names = st.sampled_from(["1", "2", "3", "é\n"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("ab"), names, st.dictionaries(names, st.integers(), max_size=2)),
        st.tuples(st.just("delete"), st.sampled_from("ab"), names),
        st.tuples(st.sampled_from(["commit", "discard", "restart"])),
    ),
    max_size=30,
)


@given(steps)
def test_a_file_tells_the_same_as_memory(tmp_path_factory: pytest.TempPathFactory, actions: list[Any]) -> None:
    path = str(tmp_path_factory.mktemp("state") / "state.db")
    memory, stored = State(), State(path)
    transactions = [memory.transaction(), stored.transaction()]
    for name, *arguments in actions:
        if name == "restart":
            stored.close()
            stored = State(path)
            transactions = [memory.transaction(), stored.transaction()]
        elif name in ("put", "delete"):
            owner, *rest = arguments
            for transaction in transactions:
                getattr(transaction, name)(owner, "k", *rest)
        else:
            for transaction in transactions:
                getattr(transaction, name)()
    stored.close()
    reopened = State(path)
    for owner in "ab":
        assert everything(memory, owner) == everything(reopened, owner)
    reopened.close()


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    state = State(path)
    put(state, "1", {"n": 1})
    transaction = state.transaction()
    transaction.put("a", "k", "1", {"n": 2})
    transaction.put("a", "k", "2", {"text": "\ud800"})  # which no file can hold
    with pytest.raises(UnicodeEncodeError):
        transaction.commit()
    assert everything(state) == [("1", {"n": 1})]
    put(state, "3", {})
    state.close()
    reopened = State(path)
    assert everything(reopened) == [("1", {"n": 1}), ("3", {})]
    reopened.close()


def test_clearing_empties_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    state = State(path)
    put(state, "1", {})
    state.clear()
    put(state, "2", {})
    state.close()
    reopened = State(path)
    assert [id_ for id_, _ in everything(reopened)] == ["2"]
    reopened.close()


def story(client: Client, control: Client) -> list[Any]:
    """Some of everything; what was answered, without what differs from run to run."""
    order = control.post("/sandbox/orders", {"amount": 10_000}).json["order_id"]
    path = f"/ordermanagement/v1/orders/{order}"
    answers = [
        client.post(f"{path}/captures", {"captured_amount": 4_000}, key="11111111-1111-4111-8111-111111111111"),
        client.post(f"{path}/captures", {"captured_amount": 7_000}),
        client.post(f"{path}/refunds", {"refunded_amount": 500}),
        client.post(f"{path}/captures", {"captured_amount": 1}, key="11111111-1111-4111-8111-111111111111"),
        control.post("/sandbox/time", {"days": 30}),
        client.get(path),
        client.get("/settlements/v1/payouts"),
    ]
    shown = [(answer.status, answer.json if answer.content else None) for answer in answers]
    order_shown, payouts = shown[-2][1], shown[-1][1]
    return [
        [status for status, _ in shown],
        {name: order_shown[name] for name in ("status", "captured_amount", "refunded_amount")},
        [payout["totals"] for payout in payouts["payouts"]],
        answers[0].headers["capture-id"] == answers[3].headers["capture-id"],
    ]


def test_requests_are_answered_alike_with_a_file_and_without(tmp_path: Path) -> None:
    told = []
    for database in (None, str(tmp_path / "state.db")):
        app = create_app(database, sample=False)
        told.append(story(Client(app), Client(app, None)))
        app.state.close()
    assert told[0] == told[1]
    assert told[0][1] == {"status": "EXPIRED", "captured_amount": 4_000, "refunded_amount": 500}


def test_a_restart_knows_everything(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    app = create_app(path, sample=False)
    control = Client(app, None)
    account = {"id": "M9", "environment": "playground", "region": "eu", "username": "nine", "password": "p"}
    assert control.post("/sandbox/accounts", account).status == 201
    story(Client(app), control)
    before = {place: dict(folder) for place, folder in app.state._folders.items()}
    now = control.get("/sandbox/time").json["now"]
    app.state.close()
    again = create_app(path, sample=False)
    assert {place: dict(folder) for place, folder in again.state._folders.items()} == before
    assert Client(again, None).get("/sandbox/time").json["now"] >= now
    assert Client(again, again.accounts.get("M9")).get("/settlements/v1/payouts").status == 200
    again.state.close()


# --- a process that is killed


def captures_of(process: Process, order: str) -> dict[str, int]:
    found = process.send("GET", order).json["captures"]
    return {capture["capture_id"]: capture["captured_amount"] for capture in found}


@pytest.mark.parametrize("answers_before", [1, 40, 400])
def test_what_was_answered_survives_a_kill_and_nothing_is_half_done(tmp_path: Path, answers_before: int) -> None:
    database = tmp_path / "state.db"
    answered: list[dict[str, int]] = [{} for _ in range(4)]
    enough = threading.Event()

    def capture(process: Process, order: str, kept: dict[str, int]) -> None:
        connection = process.connect()
        amount = 0
        try:
            while True:
                amount += 1
                reply = process.send("POST", f"{order}/captures", {"captured_amount": amount}, connection=connection)
                kept[reply.headers["capture-id"]] = amount
                if sum(map(len, answered)) >= answers_before:
                    enough.set()
        except OSError:
            return
        finally:
            connection.close()

    with sandbox_process("--db", database) as process:
        orders = [process.place(100_000_000) for _ in answered]
        writers = [
            threading.Thread(target=capture, args=(process, *pair)) for pair in zip(orders, answered, strict=True)
        ]
        for writer in writers:
            writer.start()
        assert enough.wait(30)
        process.kill()
        for writer in writers:
            writer.join(10)

    with sandbox_process("--db", database) as process:
        for order, kept in zip(orders, answered, strict=True):
            found = captures_of(process, order)
            assert kept.items() <= found.items()
            assert len(found) - len(kept) <= 1  # the one whose answer was cut off
            view = process.send("GET", order).json
            assert view["captured_amount"] == sum(found.values())
            # A capture and its entry in the settlement are one change.
            sales = process.send("GET", f"/settlements/v1/transactions?order_id={view['order_id']}&size=500")
            waiting = sum(t["amount"] for t in sales.json["transactions"] if t["type"] == "SALE")
            if sales.json["pagination"]["total"] <= 500:
                assert waiting == view["captured_amount"]
        assert sum(map(len, answered)) >= answers_before


# --- files that will not do


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and they are longer than the head of a database would be. " * 20)
    with pytest.raises(StateError, match=r"notes\.txt cannot be used .*: file is not a database"):
        State(str(path))
    assert path.read_text().startswith("These are notes")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="it is a folder"):
        State(str(tmp_path))


def test_a_place_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"there is no folder .*/none"):
        State(str(tmp_path / "none" / "state.db"))


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="too long"):
        State(str(tmp_path / ("a" * 5000)))


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("create table customer (name text)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StateError, match="another program: it has a table 'customer'"):
        State(str(path))
    assert path.read_bytes() == before


def test_a_table_of_the_same_name_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("create table document (title text)")
    other.close()
    with pytest.raises(StateError, match="no such column"):
        State(str(path))


def test_a_second_process_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sandbox_process("--db", path):
        code, words = refused("--db", path)
    assert (code, words) == (
        1, f"capstan sandbox: {path} cannot be used as the sandbox's database: another process is using it\n",
    )  # fmt: skip
    with sandbox_process("--db", path):
        pass  # free again


OPEN_AS_NOBODY = f"""
import os, sys
from capstan.sandbox.state import State, StateError
if os.geteuid() == 0:  # who may write everything
    os.setuid({NOBODY})
try:
    State(sys.argv[1])
except StateError as error:
    print(error)
"""


def test_a_read_only_file_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:  # unlike tmp_path, it can be opened for another user
        Path(folder).chmod(0o755)
        path = Path(folder) / "state.db"
        State(str(path)).close()
        path.chmod(0o444)
        command = [sys.executable, "-c", OPEN_AS_NOBODY, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == f"{path} cannot be used as the sandbox's database: it can be read only\n"


def test_an_owner_of_everybody_is_an_owner_like_others() -> None:
    state = State()
    put(state, "1", {}, owner=EVERYBODY)
    assert state.transaction().owner_of("k", "1") == EVERYBODY
