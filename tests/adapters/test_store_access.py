"""Who may use the page, in the database: what hangs together ends together, and what a restore keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeface.adapters.store import AccountRecord, LinkRecord, Store, TokenRecord
from homeface.adapters.store.copies import daily
from homeface.errors import GalleryError

NOW = 1_800_000_000.0


def account(role: str = "owner", name: str = "owner", subject_id: str | None = None) -> AccountRecord:
    return AccountRecord(f"id-{name}", role, name, subject_id, f"hash of {name}", NOW)


def link(kind: str, subject_id: str | None, expires_at: float | None = None) -> LinkRecord:
    return LinkRecord(f"{kind}-{subject_id}", kind, "Ada", subject_id, NOW, expires_at, None)


def test_there_is_one_owner_and_every_name_is_taken_once(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as store:
        store.add_account(account())
        with pytest.raises(GalleryError, match="owner already"):
            store.add_account(account(name="other"))
        store.add_account(account("member", "Ada"))
        with pytest.raises(GalleryError, match="already"):
            store.add_account(account("member", "ADA"))
        with pytest.raises(GalleryError, match="no subject"):
            store.add_account(account("member", "Ben", "nobody"))
        assert not store.remove_account("id-owner")
        assert [found.name for found in store.accounts()] == ["owner", "Ada"]


def test_with_a_person_go_account_links_sessions_and_consent(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as store:
        ada = store.add_subject("Ada").subject_id
        store.add_account(account("member", "Ada", ada))
        store.add_link(b"1", link("personal", ada))
        store.add_link(b"2", link("invite", ada, NOW + 900))
        store.note_consent(f"invite-{ada}", "1 de", NOW)
        store.add_session(b"a", account_id="id-Ada", link_id=None, now=NOW, expires_at=NOW + 99)
        store.add_session(b"l", account_id=None, link_id=f"personal-{ada}", now=NOW, expires_at=NOW + 99)
        assert store.session(b"a", NOW)
        assert store.session(b"l", NOW)
        store.remove_subject(ada)
        assert store.session(b"a", NOW) is None
        assert store.session(b"l", NOW) is None
        assert store.accounts() == []
        assert store.peek_link(b"1", "personal", NOW) is None
        assert store.consents() == []


def test_a_new_personal_link_ends_the_one_before(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as store:
        ada = store.add_subject("Ada").subject_id
        store.add_link(b"1", link("personal", ada))
        store.add_link(b"2", LinkRecord("another", "personal", "Ada", ada, NOW, None, None))
        assert store.peek_link(b"1", "personal", NOW) is None
        assert store.peek_link(b"2", "personal", NOW) is not None


def test_what_is_over_is_forgotten(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as store:
        store.add_account(account())
        store.add_link(b"1", link("invite", None, NOW + 900))
        store.add_session(b"a", account_id="id-owner", link_id=None, now=NOW, expires_at=NOW + 60)
        assert store.forget_what_is_over(NOW + 30) == 0
        assert store.forget_what_is_over(NOW + 901) == 2
        assert store.links("invite", NOW) == []


def test_what_was_taken_away_does_not_come_back_with_the_daily_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store(path) as store:
        store.add_account(account())
        store.add_token(b"token", TokenRecord("t", "script", ("read",), NOW, None))
        assert store.make_daily_copy(NOW)
        store.set_password("id-owner", "a new hash")
        store.remove_token("t")
    copy = path.with_name("copy.db")
    copy.write_bytes(daily(path).read_bytes())
    with Store(copy, key_file=path.with_suffix(".key")) as store:
        owner = store.owner()
        assert owner is not None
        assert owner.password == "a new hash"
        assert store.tokens() == []


def test_a_restore_keeps_who_may_come_in_now(tmp_path: Path) -> None:
    token = TokenRecord("t", "old", ("read",), NOW, None)
    with Store(tmp_path / "a.db") as store:
        store.add_account(account())
        store.add_token(b"old token", token)
        store.back_up(tmp_path / "backup", "a password")
        store.set_password("id-owner", "a new hash")
        store.remove_token("t")
        store.add_session(b"now", account_id="id-owner", link_id=None, now=NOW, expires_at=NOW + 60)
        late = store.add_subject("Late").subject_id
        store.add_account(account("member", "Late", late))
        store.restore(tmp_path / "backup", "a password")
        owner = store.owner()
        assert owner is not None
        assert owner.password == "a new hash"
        assert store.tokens() == []
        assert store.session(b"now", NOW) is not None
        assert [found.name for found in store.accounts()] == ["owner"]  # the backup does not know the other


def test_a_new_machine_takes_passwords_and_tokens_from_the_backup_but_nobodys_session(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as store:
        store.add_account(account())
        store.add_token(b"token", TokenRecord("t", "script", ("read",), NOW, None))
        store.add_session(b"then", account_id="id-owner", link_id=None, now=NOW, expires_at=NOW + 60)
        store.back_up(tmp_path / "backup", "a password")
    with Store(tmp_path / "b.db") as store:
        store.restore(tmp_path / "backup", "a password")
        assert store.owner() is not None
        assert store.token(b"token") is not None
        assert store.session(b"then", NOW) is None
