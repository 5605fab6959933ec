"""``netservices mirror``: a directory of an FTP server is made like a local one, or the
reverse."""

from __future__ import annotations

import ipaddress
import json
import ssl
from collections.abc import Coroutine
from typing import Any

import click
from attrs import field, frozen

from netservices.cli.account import SizeParameter
from netservices.cli.ftp_address import (
    FTPAddress,
    credentials,
    parse_address,
)
from netservices.cli.moving import shown_progress
from netservices.cli.output import json_option
from netservices.cli.reactor import in_reactor
from netservices.ftp.mirror.values import Report, Watcher, Wishes, shown


@frozen
class _Connecting:
    """How sessions are opened."""

    address: FTPAddress
    login: str
    password: str = field(repr=False)
    tls: str
    is_active: bool
    context: ssl.SSLContext | None


@click.command()
@click.argument("url")
@click.argument("directory", type=click.Path(file_okay=False))
@click.option("--upload", is_flag=True, help="Make the server's directory like ours.")
@click.option("--delete", is_flag=True, help="Delete what the other side has not.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 32),
    default=2,
    show_default=True,
    help="Sessions at once.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="Leave such names alone on both sides; may be repeated.",
)
@click.option("--checksum", is_flag=True, help="Compare content, by HASH.")
@click.option("--ignore-time", is_flag=True, help="Compare sizes only.")
@click.option("--only-newer", is_flag=True, help="Replace nothing that is newer.")
@click.option("--in-place", is_flag=True, help="Upload without renaming at the end.")
@click.option("--limit", type=SizeParameter(), help="Octets a second, such as 2M.")
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    default=5,
    show_default=True,
    help="Attempts after one that fails for a while.",
)
@click.option("--tls", is_flag=True, help="Protect the session with AUTH TLS.")
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Trust the certificates in this file.",
)
@click.option("--active", is_flag=True, help="Let the server open data connections.")
@click.option("-v", "--verbose", is_flag=True, help="Name what is done.")
@json_option
def mirror(url: str, directory: str, as_json: bool, **options: Any) -> None:
    """Make DIRECTORY like the one of an FTP server at URL, or the reverse."""
    address = parse_address(url)
    connecting = _connecting(address, options)
    wishes = _wishes(options)
    names_all = (options["verbose"] or wishes.is_dry_run) and not as_json
    with shown_progress(wishes, names_all) as watcher:
        report = _run(_mirror(connecting, wishes, directory, watcher), address)
    _show(report, wishes, as_json)
    if report.failed:
        raise SystemExit(1)


def _wishes(options: dict[str, Any]) -> Wishes:
    limit = options["limit"]
    if limit is not None and limit <= 0:
        raise click.BadParameter("--limit takes a number of octets a second")
    return Wishes(
        is_upload=options["upload"],
        wants_delete=options["delete"],
        is_dry_run=options["dry_run"],
        excludes=options["exclude"],
        ignores_time=options["ignore_time"],
        only_newer=options["only_newer"],
        checks_digest=options["checksum"],
        in_place=options["in_place"],
        parallel=options["parallel"],
        retries=options["retries"],
        octets_per_second=limit or 0,
    )


def _connecting(address: FTPAddress, options: dict[str, Any]) -> _Connecting:
    tls = address.tls or ("explicit" if options["tls"] else "")
    if (options["insecure"] or options["ca"]) and not tls:
        raise click.UsageError("--insecure and --ca want --tls, ftpes:// or ftps://")
    if options["insecure"] and options["ca"]:
        raise click.UsageError("--insecure and --ca exclude each other")
    login, password = credentials(address)
    context = _context(options) if tls else None
    active = options["active"]
    return _Connecting(address, login, password, tls, active, context)


def _context(options: dict[str, Any]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options["ca"])
    except ssl.SSLError:
        raise click.UsageError(f"{options['ca']} holds no certificate") from None
    if options["insecure"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _mirror(
    connecting: _Connecting, wishes: Wishes, directory: str, watcher: Watcher
) -> Report:
    from twisted.internet import reactor

    from netservices.ftp.client import FTPClient, connect
    from netservices.ftp.mirror import Mirror

    has_warned = False

    async def open_session() -> FTPClient:
        nonlocal has_warned
        address = connecting.address
        client = await connect(
            reactor,
            address.host,
            address.port,
            tls=connecting.tls,
            context=connecting.context,
        )
        client.data.is_active = connecting.is_active
        if not has_warned and _is_exposed(connecting, client.control.peer):
            has_warned = True
            watcher.warned("the password is sent without TLS; --tls protects it")
        password = connecting.password.encode("utf-8", "surrogateescape")
        try:
            await client.login(connecting.login, password)
        except BaseException:
            client.close()
            raise
        return client

    return await Mirror(
        reactor,
        open_session,
        connecting.address.path,
        directory,
        wishes,
        watcher,
    ).run()


def _is_exposed(connecting: _Connecting, peer: str) -> bool:
    """Whether a password goes over a network in the clear."""
    if connecting.tls or connecting.login == "anonymous":
        return False
    return not ipaddress.ip_address(peer.partition("%")[0]).is_loopback


def _run(coroutine: Coroutine[Any, Any, Report], address: FTPAddress) -> Report:
    """The result of a coroutine, in a reactor of its own."""
    try:
        return in_reactor(lambda reactor: coroutine)
    except click.Abort:
        raise
    except Exception as problem:
        raise _in_words(problem, address) from None


def _in_words(problem: Exception, address: FTPAddress) -> Exception:
    """What people are told of what ended the run."""
    from netservices.core.errors import Trouble
    from netservices.ftp import client

    known = (client.Unexpected, client.TooLate, client.TooMuch, client.TLSRefused)
    if isinstance(problem, OSError) and problem.strerror:
        where = f"{problem.filename}: " if problem.filename else ""
        return click.ClickException(f"{where}{problem.strerror}")
    from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError

    network = (ConnectError, ConnectionClosed, DNSLookupError)
    if not isinstance(problem, (*known, *network, Trouble)):
        return problem
    words = client.in_words(problem)
    if isinstance(problem, network):
        words = f"{address.host}: {words}"
    elif isinstance(problem, client.TLSRefused) and "certificate" in words:
        words += "; --ca names one to trust, --insecure accepts any"
    return click.ClickException(shown(words))


def _show(report: Report, wishes: Wishes, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(report, wishes), indent=2, ensure_ascii=False))
        return
    for path, reason in report.failed:
        click.echo(f"{path}: {shown(reason)}", err=True)
    click.echo(_summary(report, wishes))


def _summary(report: Report, wishes: Wishes) -> str:
    moved = "uploaded" if wishes.is_upload else "downloaded"
    files = f"{report.files} file{'' if report.files == 1 else 's'}"
    verb, deleted = moved, "deleted"
    if wishes.is_dry_run:
        verb, deleted = f"would be {moved}", "would be deleted"
    parts = [
        f"{files} ({_octets(report.octets)}) {verb}",
        f"{report.same} up to date",
        f"{report.deleted} {deleted}" if wishes.wants_delete else "",
        f"{len(report.skipped)} skipped" if report.skipped else "",
        f"{len(report.failed)} failed" if report.failed else "",
    ]
    return ", ".join(filter(None, parts)) + f" in {report.seconds:.1f} s"


def _octets(octets: int) -> str:
    from rich.filesize import decimal

    return str(decimal(octets))


def _as_json(report: Report, wishes: Wishes) -> dict[str, Any]:
    return {
        "dry_run": wishes.is_dry_run,
        "files": report.files,
        "octets": report.octets,
        "up_to_date": report.same,
        "directories": report.directories,
        "deleted": report.deleted,
        "skipped": report.skipped,
        "failed": [
            {"path": path, "reason": shown(reason)} for path, reason in report.failed
        ],
        "seconds": round(report.seconds, 3),
    }
