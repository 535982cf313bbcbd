"""The keymap file: what holds is used, what cannot hold is told and left out."""

from __future__ import annotations

import pytest
from textual.binding import Binding
from textual.keys import Keys

from devstate_tui.actions import ACTIONS, bindings, scope_chain
from devstate_tui.keymap import check_keymap, key_label, load_keymap, normal_key

VERIFY = next(action for action in ACTIONS if action.id == "app.verify")


def check(**keys):
    return check_keymap(
        {"keys": {name.replace("__", "."): value for name, value in keys.items()}}, "keymap.toml"
    )


def messages(keymap):
    return "\n".join(problem.message for problem in keymap.problems)


def test_ids_are_unique_and_name_a_scope():
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))
    assert all(action.scope and action.description and action.call for action in ACTIONS)


def test_the_defaults_do_not_collide():
    keymap = check_keymap({}, "keymap.toml")
    for scope in {action.scope for action in ACTIONS}:
        owners = {}
        for action in (action for action in ACTIONS if action.scope in scope_chain(scope)):
            for key in set(keymap.keys_of(action)) - {"escape"}:  # the innermost part is what is left
                other = owners.setdefault(key, action.id)
                assert other == action.id, f"in {scope}, {key} means {other} and {action.id}"


def test_every_default_key_exists_and_every_function_key_has_a_twin():
    for action in ACTIONS:
        normal = [normal_key(key) for key in action.keys]
        assert None not in normal, action.id
        if any(key.startswith("f") and key[1:].isdigit() for key in action.keys):
            assert any(len(key) == 1 for key in action.keys), action.id


def test_a_key_can_be_replaced_by_one_or_several():
    keymap = check(app__verify="V", app__quit=["ctrl+x", "Q"])
    assert not keymap.problems
    assert keymap.keys_of(VERIFY) == ("V",)
    assert keymap.as_textual() == {"app.verify": "V", "app.quit": "ctrl+x,Q"}


def test_keys_can_be_exchanged():
    keymap = check(app__verify="T", app__theme="v")
    assert not keymap.problems
    assert keymap.keys_of(VERIFY) == ("T",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"app__verfy": "v"}, 'unknown action "app.verfy"; did you mean "app.verify"?'),
        ({"nothing__like__it": "v"}, 'unknown action "nothing.like.it"'),
        ({"app__verify": "whel"}, 'there is no key "whel"'),
        ({"app__verify": "strg+x"}, 'there is no key "strg+x"'),
        ({"app__verify": ""}, 'there is no key ""'),
        ({"app__verify": 7}, '"app.verify" needs a key, or a list of keys'),
        ({"app__verify": []}, '"app.verify" needs a key, or a list of keys'),
        ({"app__verify": ["V", 7]}, '"app.verify" needs a key, or a list of keys'),
        ({"app__verify": "ctrl+m"}, "in a terminal ctrl+m is the same as enter"),
        ({"app__verify": "tab"}, "tab is reserved"),
        ({"app__verify": "q"}, '"app.verify": q already means "quit" (app.quit)'),
        ({"overview__findings": "v"}, '"overview.findings": v already means "verify" (app.verify)'),
        (
            {"overview__list__down": "f"},
            '"overview.list.down": f already means "findings" (overview.findings)',
        ),
    ],
)
def test_a_line_that_cannot_hold_is_told_and_left_out(line, said):
    keymap = check(**line)
    assert messages(keymap).endswith(said)
    assert keymap.keys == {}


def test_two_lines_of_the_user_that_collide_keep_the_first_only():
    keymap = check(app__verify="x", app__theme="x")
    assert len(keymap.problems) == 1
    assert "x already means" in messages(keymap)
    assert len(keymap.keys) == 1


def test_a_faulty_key_beside_a_good_one_leaves_the_good_one():
    keymap = check(app__verify=["V", "whel"])
    assert messages(keymap).endswith('there is no key "whel"')
    assert keymap.keys_of(VERIFY) == ("V",)


def test_an_unknown_table_and_a_table_of_the_wrong_kind_are_told():
    assert "unknown table" in messages(check_keymap({"key": {}}, "keymap.toml"))
    assert "[keys] must be a table" in messages(check_keymap({"keys": 3}, "keymap.toml"))


def test_files_that_are_missing_broken_or_folders(tmp_path):
    path = tmp_path / "keymap.toml"
    assert load_keymap(str(path)).problems == ()
    assert "does not exist" in messages(load_keymap(str(path), required=True))
    path.write_text("[keys\n")
    assert "is not TOML" in messages(load_keymap(str(path)))
    path.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in messages(load_keymap(str(path)))
    path.unlink()
    path.mkdir()
    assert len(load_keymap(str(path)).problems) == 1


def test_a_file_through_a_link_works(tmp_path):
    (tmp_path / "real.toml").write_text('[keys]\n"app.verify" = "V"\n')
    (tmp_path / "keymap.toml").symlink_to("real.toml")
    assert load_keymap(str(tmp_path / "keymap.toml")).keys == {"app.verify": ("V",)}


def test_names_of_keys_are_those_that_textual_uses():
    for written, name in {
        "?": "question_mark",
        ":": "colon",
        "!": "exclamation_mark",
        "/": "slash",
        "-": "minus",
        "+": "plus",
        "_": "underscore",
        " ": "space",
        "G": "G",
        "ctrl+p": "ctrl+p",
        "question_mark": "question_mark",
        "slash": "slash",
        "f5": "f5",
        "pagedown": "pagedown",
        "ö": "ö",
    }.items():
        assert normal_key(written) == name
    # The binding that textual makes of the same text carries the same name.
    for action in ACTIONS:
        made = [b.key for b in Binding.make_bindings([Binding(",".join(action.keys), "x")])]
        assert made == [normal_key(key) for key in action.keys]
    assert all(normal_key(key.value) for key in Keys if key.value.isalnum() and len(key.value) > 1)


def test_labels_are_short():
    assert [key_label(key) for key in ("question_mark", "ctrl+p", "V", "f1")] == ["?", "^p", "V", "f1"]


def test_bindings_carry_the_ids():
    for binding in bindings("app"):
        assert isinstance(binding, Binding)
        assert binding.id is not None and binding.id.startswith("app.")
