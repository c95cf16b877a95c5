"""Command line of the settings: `python -m settings validate|generate|secrets|rotate|certificates|prepare`."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path

from settings.problem import InventoryRefused, Problem, errors, report

REFUSED = 2  # exit code of bad input


def _write_json(path: Path | None, problems: tuple[Problem, ...]) -> None:
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([problem.as_dict() for problem in problems], indent=2) + "\n", encoding="utf-8")


def _to_do(problems: tuple[Problem, ...]) -> str:
    """Say last, where a person looks first, what to do."""
    fixes = {problem.fix for problem in errors(problems)}
    return f"To do: {fixes.pop()}." if len(fixes) == 1 else "What to do stands with each error above."


def validate(args: argparse.Namespace) -> int:
    """Tell whether an inventory may be deployed."""
    from settings.loader import load

    try:
        loaded = load(args.inventory, limit=args.host)
    except InventoryRefused as refused:
        _write_json(args.json, refused.problems)
        print(report(refused.problems), file=sys.stderr)
        print(f"{args.inventory} is refused: nothing was touched. {_to_do(refused.problems)}", file=sys.stderr)
        return REFUSED
    _write_json(args.json, loaded.findings)
    if loaded.findings:
        print(report(loaded.findings))
    print(f"{args.inventory} is valid: {len(loaded.fleet.hosts)} host(s).")
    return 0


def generate(args: argparse.Namespace) -> int:
    """Write, or check, what is generated from the model."""
    from settings.generate import drifted, write_all

    if args.check:
        stale = drifted()
        for path in stale:
            print(f"{path} is not what settings/ generates: run `make generate`.", file=sys.stderr)
        return 1 if stale else 0
    for path in write_all():
        print(f"wrote {path}")
    return 0


def secrets(args: argparse.Namespace) -> int:
    """Write a vault file with new passwords."""
    from settings.secrets import encrypt, passwords_yaml, write_private

    path = args.inventory / "group_vars" / "all" / "vault.yml"
    if not args.inventory.is_dir():
        print(f"There is no inventory {args.inventory}: copy inventories/production first.", file=sys.stderr)
        return REFUSED
    if path.exists():
        print(
            f"{path} is there already: change it with `ansible-vault edit {path}`, or delete it first.", file=sys.stderr
        )
        return REFUSED
    password_file = os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE", "")
    if not password_file or not Path(password_file).is_file():
        print(
            "Name a file that holds the vault's password in ANSIBLE_VAULT_PASSWORD_FILE, for instance: "
            "(umask 077; openssl rand -base64 32 > ~/.vault-password); export "
            "ANSIBLE_VAULT_PASSWORD_FILE=~/.vault-password",
            file=sys.stderr,
        )
        return REFUSED
    write_private(path, encrypt(passwords_yaml(), Path(password_file)))
    print(f"wrote {path}, encrypted; commit it, never the password file")
    return 0


def certificates(args: argparse.Namespace) -> int:
    """Write the certificates that an inventory needs and lacks, or that are about to end."""
    from settings.certificates import now
    from settings.issue import NotIssuedError, announce, bring_up_to_date, wanted
    from settings.loader import load_unjudged
    from settings.vaults import VaultClosedError

    try:
        fleet = load_unjudged(args.inventory)
    except InventoryRefused as refused:
        if args.renew:
            return 0  # validate, which comes next, says what is wrong
        print(report(refused.problems), file=sys.stderr)
        return REFUSED
    places = wanted(fleet)
    if not args.renew and not any(places.values()):
        print("No host needs a certificate from here: write tls_source: generated, and give Redis a tls_port.")
        return 0
    password_file = os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE", "")
    try:
        if args.next:
            announce(fleet, now(), vault_password=Path(password_file) if password_file else None, say=print)
            return 0
        written = bring_up_to_date(
            fleet,
            now(),
            may_found=not args.renew,
            vault_password=Path(password_file) if password_file else None,
            say=print,
        )
    except (NotIssuedError, VaultClosedError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    if not args.renew:
        print(f"{written} certificate(s) written, {sum(map(len, places.values())) - written} good for longer.")
    return 0


def rotate(args: argparse.Namespace) -> int:
    """Give the users of Redis new passwords; the old ones stay valid until the end."""
    from settings import rotation

    try:
        if args.step == "begin":
            path, users = rotation.begin(args.inventory, args.user)
            print(
                f"{path}: new passwords for {', '.join(users)}; the old ones stay valid until all clients have the new"
            )
        else:
            print(f"{rotation.end(args.inventory)}: the old passwords are forgotten")
    except rotation.NotRotated as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


def prepare(args: argparse.Namespace) -> int:
    """Choose this machine's values of a local inventory, once."""
    from settings.localhost import NotPossible, remember

    try:
        written = remember(args.inventory, args.root.absolute())
    except NotPossible as error:
        print(error, file=sys.stderr)
        return REFUSED
    if written:
        print(f"wrote {written}: ports, passwords and the Redis of this machine")
    return 0


def main() -> int:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 must not hide what is wrong
    parser = argparse.ArgumentParser(prog="settings", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for function in (validate, generate, secrets, rotate, certificates, prepare):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if function is generate:
            command.add_argument("--check", action="store_true", help="fail where a generated file has drifted")
            continue
        command.add_argument("inventory", type=Path)
        if function is validate:
            command.add_argument("--json", type=Path, help="write the findings here, too")
            command.add_argument("--host", help="fail unless the inventory has this host or group")
        if function is certificates:
            command.add_argument("--renew", action="store_true", help="renew what is due; found no new authority")
            command.add_argument("--next", action="store_true", help="add an authority that will take over")
        if function is rotate:
            command.add_argument("step", choices=["begin", "end"])
            command.add_argument("--user", action="append", default=[], help="only this user; may be repeated")
        if function is prepare:
            command.add_argument("--root", type=Path, required=True, help="directory below which the stack stands")
    args = parser.parse_args()
    return int(args.function(args))


if __name__ == "__main__":
    sys.exit(main())
