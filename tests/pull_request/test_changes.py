"""Whom a change of files is about: by what the records come to, not by how they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.errors import RecordError
from dataloop_sts.errors import Problem
from tests.pull_request.repository import DEFAULTS, OWN_STACK, RECORD, Repo


def said(problems: tuple[Problem, ...]) -> str:
    return "; ".join(map(str, problems))


def told(repo: Repo) -> str:
    with pytest.raises(RecordError) as caught:
        repo.changes()
    return str(caught.value)


def test_nothing_that_differs_is_nobodys_change(repo: Repo) -> None:
    changes = repo.changes()
    assert (changes.customers, changes.unchanged, changes.own_stack) == ((), 2, None)


def test_records_that_come_go_and_change_are_told_apart(repo: Repo) -> None:
    repo.record("initech")
    repo.record("acme", "on_destroy: refuse\n")
    (repo.folder / "globex.yaml").unlink()
    expected = {"acme": "changed", "globex": "removed", "initech": "added"}
    assert repo.kinds() == expected
    base, head = repo.git("rev-parse", "HEAD"), repo.commit()
    assert repo.kinds(base, head) == expected
    changes = repo.changes(base, head)
    assert (changes.base, changes.head, changes.unchanged) == (base, head, 0)
    acme, globex, initech = changes.customers
    assert acme.before and acme.after
    assert (acme.before.on_destroy, acme.after.on_destroy) == ("retain", "refuse")
    assert globex.before and globex.after is None
    assert initech.before is None and initech.after


def test_the_head_is_compared_with_where_it_left_the_base(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "change")
    repo.record("acme", "on_destroy: refuse\n")
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.record("globex", "on_destroy: refuse\n")
    repo.commit()
    assert repo.kinds("main", "change") == {"acme": "changed"}


def test_with_a_head_of_its_own_the_working_tree_does_not_count(repo: Repo) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.record("acme", "drivers: [")
    assert repo.kinds(base, "HEAD") == {}


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n" + RECORD.format(name="acme"),
        "labels: {tier: gold}\n" + RECORD.format(name="acme"),
        "customer: acme\non_destroy: retain\naccess_key: {generation: 1}\n" + RECORD.format(name="acme"),
        "aws: {names: {user: dataloop-acme-prod}}\nintegration: {name: acme-prod-sts}\n" + RECORD.format(name="acme"),
        RECORD.format(name="acme").replace("\n", "\r\n"),
    ],
    ids=["comment", "label", "defaults", "derived names", "line ends"],
)
def test_what_changes_no_connection_is_no_change(text: str, repo: Repo) -> None:
    (repo.folder / "acme.yaml").write_text(text, newline="")
    assert repo.kinds() == {}
    base, head = repo.git("rev-parse", "HEAD"), repo.commit()
    assert repo.kinds(base, head) == {}


def test_line_ends_that_git_converts_are_no_change(repo: Repo) -> None:
    repo.git("config", "core.autocrlf", "true")
    repo.write(".gitattributes", "*.yaml text eol=crlf\n*.txt text eol=crlf\n")
    repo.write("requirements.txt", "a==1\n")
    repo.commit()
    for file in (*repo.folder.iterdir(), repo.project / "requirements.txt"):
        file.unlink()
    repo.git("checkout", "-q", ".")
    assert b"\r\n" in (repo.folder / "acme.yaml").read_bytes()
    changes = repo.changes()
    assert (changes.customers, changes.program) == ((), ())


def test_files_that_git_does_not_know_yet_count_in_the_working_tree(repo: Repo) -> None:
    repo.write(".gitignore", "hooli.yaml\n")
    repo.commit()
    repo.record("hooli")
    repo.record("initech")
    assert repo.kinds() == {"hooli": "added", "initech": "added"}


def test_a_record_that_gets_another_suffix_is_the_same(repo: Repo) -> None:
    (repo.folder / "acme.yaml").rename(repo.folder / "acme.yml")
    assert repo.kinds() == {}
    repo.record("acme")
    assert "has two records in prod: customers/prod: has acme.yaml and acme.yml" in said(repo.change().problems)


def test_defaults_change_those_who_inherit_what_changed(repo: Repo) -> None:
    repo.record("acme", "on_destroy: refuse\n")
    repo.commit()
    repo.write("customers/prod/_defaults.yaml", DEFAULTS + "on_destroy: refuse\nlabels: {a: b}\n")
    assert repo.kinds() == {"globex": "changed"}


def test_defaults_or_settings_that_are_broken_at_the_head_are_bad_input(repo: Repo) -> None:
    repo.write("customers/prod/_defaults.yaml", "- a\n")
    assert told(repo).startswith("customers/prod/_defaults.yaml is not a record:")
    repo.write("customers/prod/_defaults.yaml", DEFAULTS)
    repo.write("customers/prod/_environment.yaml", "sandbox: maybe\n")
    assert "The settings customers/prod/_environment.yaml are not valid: customers/prod/_environment.yaml:1" in told(
        repo
    )


def test_what_was_broken_at_the_base_is_a_change_from_what_is_not_known(repo: Repo) -> None:
    repo.write("customers/prod/_defaults.yaml", "- a\n")
    repo.write("customers/prod/_environment.yaml", "sandbox: maybe\n")
    repo.commit()
    repo.write("customers/prod/_defaults.yaml", DEFAULTS)
    repo.write("customers/prod/_environment.yaml", "sandbox: true\n")
    changes = repo.changes()
    assert changes.settings == ("_environment.yaml",)
    assert [change.kind for change in changes.customers] == ["changed", "changed"]
    for change in changes.customers:
        assert change.before is None
        assert change.after
        assert "_defaults.yaml is not a record" in said(change.base_problems)
        assert change.settings == ("_environment.yaml",)


def test_mistakes_are_told_with_their_places_where_the_change_makes_them(repo: Repo) -> None:
    repo.record("globex", "on_destroy: never\n")
    change = repo.change()
    assert (change.kind, change.after) == ("changed", None)
    assert change.before
    (problem,) = change.problems
    assert str(problem).startswith("customers/prod/globex.yaml:1: on_destroy: input should be")
    base, head = repo.git("rev-parse", "HEAD"), repo.commit()
    assert repo.change(base, head).problems == change.problems
    repo.record("acme", "on_destroy: refuse\n")
    assert repo.kinds() == {"acme": "changed"}, "a mistake that was there before is not this change's"
    repo.record("globex")
    (_, mended) = repo.changes().customers
    assert (mended.kind, mended.before, mended.base_problems) == ("changed", None, change.problems)
    assert mended.after


def test_a_name_that_no_customer_can_have_is_told(repo: Repo) -> None:
    repo.write("customers/prod/Ümlaut\n.yaml", "")
    repo.write("customers/prod/sub.yaml/file", "")
    changes = repo.changes()
    base, head = repo.git("rev-parse", "HEAD"), repo.commit()
    assert repo.changes(base, head).customers == changes.customers
    sub, umlaut = changes.customers
    assert "is not a customer's name" in said(umlaut.problems)
    assert "customers/prod/sub.yaml cannot be read: it is a folder" in said(sub.problems)


def test_a_link_is_refused_since_what_it_leads_to_may_change_unseen(repo: Repo) -> None:
    repo.write("elsewhere.yaml", RECORD.format(name="acme"))
    (repo.folder / "acme.yaml").unlink()
    (repo.folder / "acme.yaml").symlink_to("../../elsewhere.yaml")
    for change in (
        repo.change(),
        repo.change(repo.git("rev-parse", "HEAD"), repo.commit()),
        repo.change("HEAD", "HEAD"),
    ):
        assert "customers/prod/acme.yaml cannot be read: it is a symbolic link" in said(change.problems)
    (repo.folder / "acme.yaml").unlink()
    repo.folder.rename(repo.project / "moved")
    repo.folder.symlink_to("../moved")
    assert "The records in customers/prod cannot be looked at: it is no folder" in told(repo)
    repo.commit()
    with pytest.raises(RecordError, match="customers/prod cannot be looked at"):
        repo.changes("HEAD", "HEAD")


def test_a_file_too_large_for_a_record_is_not_parsed(repo: Repo) -> None:
    repo.record("acme", "#" * (1 << 20))
    for change in (repo.change(), repo.change(repo.git("rev-parse", "HEAD"), repo.commit())):
        assert "it has more than 1 MiB" in said(change.problems)


def test_a_file_that_is_no_text_is_told(repo: Repo) -> None:
    (repo.folder / "acme.yaml").write_bytes(b"\xff\xfe")
    assert "customers/prod/acme.yaml cannot be read: it is not UTF-8 text" in said(repo.change().problems)


class TestRenames:
    def test_a_record_that_names_the_same_things_under_another_name_is_renamed(self, repo: Repo) -> None:
        (repo.folder / "acme.yaml").unlink()
        repo.record("acme-europe", "on_destroy: refuse\n", of="acme")
        change = repo.change()
        assert (change.kind, change.former, change.customer) == ("renamed", "acme", "acme-europe")
        assert change.before and change.after
        assert (change.before.customer, change.after.customer) == ("acme", "acme-europe")
        assert repo.changes().document()["renamed"] == [{"from": "acme", "to": "acme-europe"}]
        base, head = repo.git("rev-parse", "HEAD"), repo.commit()
        assert repo.change(base, head) == change

    def test_a_record_that_only_looks_alike_is_another(self, repo: Repo) -> None:
        (repo.folder / "acme.yaml").unlink()
        repo.record("acmf")
        assert repo.kinds() == {"acme": "removed", "acmf": "added"}

    def test_one_that_is_broken_is_known_by_its_text(self, repo: Repo) -> None:
        repo.record("acme", "on_destroy: never\n")
        repo.commit()
        (repo.folder / "acme.yaml").rename(repo.folder / "hooli.yaml")
        change = repo.change()
        assert (change.kind, change.former) == ("renamed", "acme")
        assert change.problems and change.base_problems

    def test_each_was_one_customer_only(self, repo: Repo) -> None:
        (repo.folder / "acme.yaml").unlink()
        repo.record("a", of="acme")
        repo.record("b", "integration: {name: x}\n").write_text(RECORD.format(name="acme").replace("acme-", "b-"))
        kinds = repo.kinds()
        assert kinds == {"a": "renamed", "b": "added"}
        assert "bucket 'dataloop-acme' in partition aws is that of b too" in said(repo.changes().customers[0].problems)


class TestConflicts:
    def test_what_an_unchanged_record_names_is_told_of_the_changed_one(self, repo: Repo) -> None:
        repo.record("initech", of="acme")
        change = repo.change()
        assert change.customer == "initech"
        assert "customers/prod/initech.yaml:4: drivers[0].bucket.name: bucket 'dataloop-acme'" in said(change.problems)
        assert "is that of acme too" in said(change.problems)

    def test_one_that_was_there_before_is_not_this_changes(self, repo: Repo) -> None:
        repo.record("initech", of="acme")
        repo.commit()
        repo.record("globex", "on_destroy: refuse\n")
        assert repo.kinds() == {"globex": "changed"}
        assert repo.change().problems == ()

    def test_the_own_stack_is_told_of_what_a_record_names(self, repo: Repo) -> None:
        repo.write("Pulumi.prod.yaml", OWN_STACK)
        repo.commit()
        repo.write("Pulumi.prod.yaml", OWN_STACK.replace("dataloop-own", "dataloop-acme"))
        changes = repo.changes()
        assert changes.customers == ()
        assert changes.own_stack
        assert "Pulumi.prod.yaml:7: drivers[0].bucket.name: bucket 'dataloop-acme'" in said(changes.own_stack.problems)


class TestOwnStack:
    def test_it_comes_changes_and_goes_like_a_customer(self, repo: Repo) -> None:
        repo.write("Pulumi.prod.yaml", "config:\n  a:b: c\n")
        assert repo.changes().own_stack is None
        repo.write("Pulumi.prod.yaml", OWN_STACK)
        added = repo.changes().own_stack
        assert added
        assert (added.kind, added.customer, added.own_stack, added.before) == ("added", "prod", True, None)
        repo.commit()
        assert repo.changes().own_stack is None
        repo.write("Pulumi.prod.yaml", OWN_STACK.replace("own,", "own, prefix: raw/,"))
        changed = repo.changes().own_stack
        assert changed
        assert (changed.kind, changed.settings) == ("changed", ())
        repo.write("Pulumi.prod.yaml", OWN_STACK.replace('"true"', "false"))
        changed = repo.changes().own_stack
        assert changed
        assert (changed.kind, changed.settings) == ("program", ("sandbox",))
        (repo.project / "Pulumi.prod.yaml").unlink()
        removed = repo.changes().own_stack
        assert removed
        assert (removed.kind, removed.after) == ("removed", None)
        assert repo.changes().document()["own_stack"] == "removed"

    def test_a_mistake_in_it_is_told(self, repo: Repo) -> None:
        repo.write("Pulumi.prod.yaml", OWN_STACK.replace("eu-west-1", "Ireland"))
        changes = repo.changes()
        assert changes.own_stack
        assert "Pulumi.prod.yaml:6: aws.region" in said(changes.own_stack.problems)
        assert changes.document()["problems"][0]["customer"] == "prod"


class TestSettingsAndProgram:
    def test_a_setting_of_all_is_a_change_of_all(self, repo: Repo) -> None:
        repo.write("customers/prod/_environment.yaml", "backend_url: s3://elsewhere\n")
        repo.record("acme", "on_destroy: refuse\n")
        changes = repo.changes()
        assert changes.settings == ("backend_url",)
        assert repo.kinds() == {"acme": "changed", "globex": "program"}
        assert {change.settings for change in changes.customers} == {("backend_url",)}

    def test_the_credentials_of_an_organization_are_a_change_of_its_customers(self, repo: Repo) -> None:
        repo.record("globex", "organization_id: org-2\n")
        repo.commit()
        repo.write("customers/prod/_environment.yaml", "organizations: {org-2: {token_variable: OTHER}}\n")
        assert repo.kinds() == {"globex": "program"}
        assert repo.change().settings == ("organizations.org-2",)

    def test_the_program_is_a_change_of_all_that_are_valid(self, repo: Repo) -> None:
        repo.record("broken", "on_destroy: never\n")
        repo.commit()
        repo.write("dataloop_sts/new.py", "")
        changes = repo.changes()
        assert changes.program == ("dataloop_sts/new.py",)
        assert repo.kinds() == {"acme": "program", "globex": "program"}
        assert changes.unchanged == 1
        assert changes.customers[0].before == changes.customers[0].after is not None

    def test_the_pack_that_the_settings_name_is_of_the_program(self, repo: Repo) -> None:
        repo.write("customers/prod/_environment.yaml", "policy_pack: ours/pack\n")
        repo.write("ours/pack/PulumiPolicy.yaml", "")
        repo.commit()
        repo.write("ours/pack/__main__.py", "")
        assert repo.changes().program == ("ours/pack/__main__.py",)

    def test_other_environments_are_named(self, repo: Repo) -> None:
        (repo.project / "customers" / "staging").mkdir()
        (repo.folder / "acme.yaml").rename(repo.project / "customers" / "staging" / "acme.yaml")
        repo.write("Pulumi.dev.yaml", OWN_STACK)
        changes = repo.changes()
        assert changes.elsewhere == ("dev", "staging")
        assert [(change.customer, change.kind) for change in changes.customers] == [("acme", "removed")]
        assert changes.program == ()


@pytest.mark.parametrize("prefix", ["infra/connections", "in fra/ü"])
def test_a_project_may_be_a_folder_of_the_repository(prefix: str, tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "repository", prefix)
    repo.record("acme", "on_destroy: refuse\n")
    repo.write("__main__.py", "")
    (repo.root / "requirements-prod.txt").write_text("")
    (repo.root / "dataloop_sts").mkdir()
    (repo.root / "dataloop_sts" / "other.py").write_text("")
    base, head = repo.git("rev-parse", "HEAD"), repo.commit()
    changes = repo.changes(base, head)
    assert changes.program == tuple(sorted(("requirements-prod.txt", f"{prefix}/__main__.py")))
    assert repo.kinds(base, head) == {"acme": "changed", "globex": "program"}
    repo.record("globex", "drivers: [")
    assert "customers/prod/globex.yaml" in said(repo.change().problems)


def test_a_worktree_is_a_repository_too(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "other"), "-b", "change")
    other = Repo(tmp_path / "other", tmp_path / "other")
    other.record("acme", "on_destroy: refuse\n")
    assert other.kinds("main") == {"acme": "changed"}
    assert repo.kinds() == {}
