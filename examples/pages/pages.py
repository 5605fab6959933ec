"""Pages of your own, from three lines to an upload.

[http]
python_path = ["examples/pages"]
mounts = [
    "/hello handler:pages:hello",
    "/animalsearch handler:pages:search",
    "/upload maker:pages:make_upload",
]
"""

from html import escape

from netservices.web.authentication import require_account
from netservices.web.csrf import FORM_TOKEN
from netservices.web.forms import query_of, read_form
from netservices.web.multipart import save
from netservices.web.problems import method_not_allowed
from netservices.web.response import redirect, text


def hello(request):
    """A page in two lines."""
    return text(f"Hello, {request.query or 'world'}!\n")


ANIMALS = {"monkeys": "climb", "banana": "is none", "otters": "swim"}


def search(request):
    """``/animalsearch?monkeys&banana``: what is known of each."""
    found = [
        f"<li>{escape(name)}: {ANIMALS.get(name, 'not known')}"
        for name in query_of(request).names()
    ]
    return text(f"<ul>{''.join(found)}</ul>\n", media_type="text/html")


PAGE = """<!DOCTYPE html><html lang="en"><title>Upload</title>
<h1>Files for {login}</h1>
<form method="post" enctype="multipart/form-data">
<input type="hidden" name="{token_field}" value="{token}">
<p><label>Files <input type="file" name="file" multiple required></label>
<p><button>Send</button>
</form>
<ul>{files}</ul>
"""


def make_upload(services):
    """A form that puts files into the account of whoever has logged in."""

    async def upload(request):
        tree = services.files.home(require_account(request))
        if request.method in ("GET", "HEAD"):
            return await show(request, tree)
        if request.method != "POST":
            raise method_not_allowed("GET", "HEAD", "POST")
        return await take(request, tree)

    async def show(request, tree):
        nodes = await tree.list(())
        page = PAGE.format(
            login=escape(request.account.login),
            token_field=FORM_TOKEN,
            token=request.session.form_token if request.session else "",
            files="".join(f"<li>{escape(n.name)} ({n.size} octets)" for n in nodes),
        )
        return text(
            page, media_type="text/html", fields=[("Cache-Control", "no-store")]
        )

    async def take(request, tree):
        async def keep(part):
            # The octets go to the disk as they come; the name is there at the end.
            if part.filename:
                await save(part, tree, (part.safe_name,))

        await read_form(request, keep=keep)
        return redirect(request.path)

    return upload
