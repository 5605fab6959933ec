"""DNS: an authoritative name server that answers from zones in memory."""
