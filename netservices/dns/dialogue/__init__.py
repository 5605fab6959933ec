"""What may be asked, and what the answer's header, question and OPT say.

``Dialogue.answer(wire, client)`` is the whole of it: octets in, octets out, or silence.
"""
