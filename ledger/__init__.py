"""Bills, people, payments, journal, settlement dates, seal: what is true and stays true."""
