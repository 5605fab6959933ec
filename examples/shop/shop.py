"""A shop that remembers its visitors: cookies, as the textbooks tell it.

The first visit makes an id and an entry in the back-end database; the id goes to the
browser in a cookie, comes back with each later visit, and leads to the entry: how often
somebody was here, and what is in the cart.  Both survive a restart of the server, and
any number of server processes know them.

Start it from this directory::

    twistd -n netservices --http --state state --port-offset 8000 \\
        --set http.mounts="/shop handler:shop:shop" --set http.python_path=.

and open http://127.0.0.1:8080/shop/ .
"""

from __future__ import annotations

from collections import Counter
from html import escape
from urllib.parse import parse_qs

from netservices.web.csrf import FORM_TOKEN
from netservices.web.problems import Problem, method_not_allowed
from netservices.web.request import Request
from netservices.web.response import Response, redirect, text

PRICES = {"ketchup": 250, "pickles": 399, "tea": 475}
"""What there is, in cents."""

MOST_OF_A_KIND = 20


async def shop(request: Request) -> Response:
    """The handler: a page, and two forms on it."""
    place = "/" + "/".join(request.mount)
    if request.segments == ():
        return redirect(f"{place}/", 308)
    if request.segments == ("",):
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed("GET", "HEAD")
        return front(request, place)
    if request.segments in (("put",), ("take",)):
        if request.method != "POST":
            raise method_not_allowed("POST")
        await change_cart(request)
        return redirect(f"{place}/")
    raise Problem(404)


def front(request: Request, place: str) -> Response:
    """The page."""
    session = request.session
    visits = session.change("visits", lambda number: number + 1, 0)
    cart = Counter(session.get("cart", {}))
    welcome = "Welcome!" if visits == 1 else f"Welcome back! This is visit {visits}."
    total = sum(PRICES[thing] * count for thing, count in cart.items())
    token = escape(session.form_token)
    rows = "".join(
        f"<tr><th scope='row'>{thing}</th><td>{price / 100:.2f}</td>"
        f"<td>{cart[thing]}</td>"
        f"<td>{button(place, 'put', thing, 'Put into the cart', token)}</td>"
        f"<td>{button(place, 'take', thing, 'Take out', token)}</td></tr>"
        for thing, price in PRICES.items()
    )
    return text(
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>Shop</title>"
        f"<main><h1>{welcome}</h1><table><thead><tr><th scope='col'>Thing</th>"
        "<th scope='col'>Price</th><th scope='col'>In your cart</th><td><td></thead>"
        f"<tbody>{rows}</tbody></table><p>Together: {total / 100:.2f}</p></main>"
        "</html>",
        media_type="text/html",
        fields=[("Content-Security-Policy", "default-src 'none'; form-action 'self'")],
    )


def button(place: str, action: str, thing: str, label: str, token: str) -> str:
    """A form with nothing but a button."""
    return (
        f"<form method='post' action='{place}/{action}'>"
        f"<input type='hidden' name='{FORM_TOKEN}' value='{token}'>"
        f"<button name='thing' value='{thing}'>{label}</button></form>"
    )


async def change_cart(request: Request) -> None:
    """Put one thing in or take it out, as the form says."""
    form = parse_qs((await request.body.whole(4096)).decode("latin-1"))
    thing = form.get("thing", [""])[0]
    if thing not in PRICES:
        raise Problem(400, "There is no such thing in this shop.")
    step = 1 if request.segments == ("put",) else -1

    def changed(cart: dict[str, int]) -> dict[str, int]:
        count = min(max(cart.get(thing, 0) + step, 0), MOST_OF_A_KIND)
        return {**cart, thing: count}

    request.session.change("cart", changed, {})
